//! `xelb describe`.

use std::time::Duration;

use clap::Args;
use lb_agent::{ListenerView, Snapshot, TargetDescription, TargetGroupView, TargetView};
use lb_api::{Client, StatsView};
use lb_config::{Part, PartStep};
use lb_store::RevisionHead;
use serde::Serialize;
use tokio::time::sleep;

use super::{
    Socket,
    color::Color,
    complete, describe_target,
    list::state_style,
    object::{self, Kind, KindWord, Object, parse_kind},
    output::Format,
    page::Page,
    part_change::wrong,
    place::{Place, parse_place},
    relative_time::{self, ago},
    status,
    table::{Cell, Look, Table, socket},
    traffic::Traffic,
};

/// Time between two looks at the counters, for rates.
const RATE_INTERVAL: Duration = Duration::from_secs(1);

/// Revisions that are searched for changes of an object.
const REVISIONS_SEARCHED: usize = 200;

/// Changes that are shown.
const CHANGES_SHOWN: usize = 5;

/// Show all about one target, target group, listener or rule on a page
///
/// For a target: state and since when, its check and the last probes, its share and traffic, next hop
/// and MTU, its history, and who drained it and why. Rates are measured over one second.
///
/// Example: xelb describe target web/10.0.1.11
///
/// Example: xelb describe target-group web -o json
#[derive(Debug, Args)]
pub(super) struct Describe {
    /// Kind of the object: target, target-group (tg), listener or rule
    #[arg(value_parser = parse_kind, add = complete::kinds())]
    kind: KindWord,
    /// Name of the object; a target is GROUP/ADDRESS[:PORT], a rule LISTENER/RULE
    #[arg(value_name = "NAME", num_args = 0.., add = complete::objects())]
    name: Vec<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    color: Color,
    #[command(flatten)]
    socket: Socket,
}

/// An object that is no target.
#[derive(Serialize)]
pub(super) struct Description {
    /// What it is, such as `listener web`.
    pub(super) object: String,
    /// It, as it is configured.
    pub(super) configuration: Part,
    /// Listeners: it, or those that use it.
    pub(super) listeners: Vec<ListenerView>,
    /// Target groups: it, or those that it uses.
    pub(super) target_groups: Vec<TargetGroupView>,
    /// The targets of these groups.
    pub(super) targets: Vec<TargetView>,
    /// Traffic, if it is a listener or a group of packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traffic: Option<Traffic>,
    /// The last changes that name it, newest first.
    pub(super) changes: Vec<RevisionHead>,
}

/// A target, with its traffic.
#[derive(Serialize)]
struct DescribedTarget {
    #[serde(flatten)]
    description: TargetDescription,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Traffic>,
}

impl Describe {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (objects, rest) = object::objects(&self.kind, &self.name, true).map_err(wrong)?;
        let (Some(object), []) = (objects.into_iter().next(), rest.as_slice()) else {
            return Err(wrong("describe one object at a time".to_owned()));
        };
        let client = self.socket.client()?;
        if let (Kind::Target, [_, PartStep::Item(group), _, PartStep::Item(place)]) =
            (object.kind, object.path.steps())
        {
            let Place { address, port } = parse_place(place).map_err(wrong)?;
            let description = client.describe_target(group, &address, port).await?;
            let of_target = |stats: &StatsView| {
                let target = &description.target;
                let is_it = |one: &&lb_api::TargetTraffic| {
                    one.group == target.group
                        && one.address == target.address
                        && one.port == target.port
                };
                stats.targets.iter().find(is_it).map(|one| (one.packets, one.bytes))
            };
            let traffic = traffic(&client, of_target).await;
            let described = DescribedTarget { description, traffic };
            return self.format.print_page(
                &described,
                |DescribedTarget { description, traffic }| {
                    let now_ms = relative_time::now_ms();
                    describe_target::render(
                        description,
                        traffic.as_ref(),
                        now_ms,
                        self.color.look(),
                    )
                },
            );
        }
        let description = describe(&client, &object).await?;
        let (now_ms, look) = (relative_time::now_ms(), self.color.look());
        self.format.print_page(&description, |one| one.render(now_ms, look))
    }
}

/// Traffic over a second; none where there is no counter.
async fn traffic(
    client: &Client,
    counter: impl Fn(&StatsView) -> Option<(u64, u64)>,
) -> Option<Traffic> {
    let before = counter(&client.stats().await.ok()?)?;
    let begun = tokio::time::Instant::now();
    sleep(RATE_INTERVAL).await;
    let after = counter(&client.stats().await.ok()?)?;
    Some(Traffic::between(before, after, begun.elapsed()))
}

async fn describe(client: &Client, object: &Object) -> anyhow::Result<Description> {
    let configuration = client.configuration().await?;
    let part = configuration.document.part(&object.path);
    let part = part.map_err(|error| wrong(error.to_string()))?;
    let snapshot = client.status().await?;
    let Snapshot { mut listeners, mut target_groups, mut targets, .. } = snapshot;
    let name = match object.path.steps() {
        [_, PartStep::Item(name), ..] => name.clone(),
        _ => String::new(),
    };
    let is_group = object.kind == Kind::TargetGroup;
    listeners.retain(|one| if is_group { one.target_group == name } else { one.name == name });
    let uses = |group: &str| {
        if is_group { group == name } else { listeners.iter().any(|one| one.target_group == group) }
    };
    target_groups.retain(|group| uses(&group.name));
    targets.retain(|target| uses(&target.group));
    let of_it = |stats: &StatsView| {
        let sum = |all: Vec<(u64, u64)>| {
            let add = |one: (u64, u64), other: (u64, u64)| (one.0 + other.0, one.1 + other.1);
            all.into_iter().reduce(add)
        };
        if is_group {
            let targets = stats.targets.iter().filter(|one| one.group == name);
            sum(targets.map(|one| (one.packets, one.bytes)).collect())
        } else {
            let listeners = stats.listeners.iter().filter(|one| one.name == name);
            sum(listeners.map(|one| (one.packets, one.bytes)).collect())
        }
    };
    let traffic = if object.kind == Kind::Rule { None } else { traffic(client, of_it).await };
    let label = object.path.object();
    Ok(Description {
        changes: changes(client, &label, &object.path.to_string()).await,
        object: label,
        configuration: part,
        listeners,
        target_groups,
        targets,
        traffic,
    })
}

/// The last revisions whose text names the object; none with a configuration file.
async fn changes(client: &Client, label: &str, path: &str) -> Vec<RevisionHead> {
    let Ok(page) = client.revisions(None, REVISIONS_SEARCHED).await else { return Vec::new() };
    let names = |head: &RevisionHead| {
        head.what.split(", ").any(|what| what.ends_with(label) || what.contains(path))
    };
    page.revisions.into_iter().filter(names).take(CHANGES_SHOWN).collect()
}

impl Description {
    pub(super) fn render(&self, now_ms: u64, look: Look) -> String {
        let mut page = Page::new(look);
        page.line("object", &self.object);
        for listener in &self.listeners {
            let ListenerView { name, address, port, protocol, target_group, .. } = listener;
            let text = format!("{name}: {protocol} {address} port {port} to {target_group}");
            page.line("listener", &text);
        }
        for group in &self.target_groups {
            let TargetGroupView { name, protocol, forwarding, healthy, targets, .. } = group;
            let open = if group.fail_open { ", FAIL OPEN" } else { "" };
            let text =
                format!("{name}: {protocol} by {forwarding}, {healthy} of {targets} healthy{open}");
            page.state("target group", &text, status::health_style(*healthy, *targets));
        }
        if let Some(traffic) = &self.traffic {
            page.line("traffic", &traffic.to_string());
        }
        if !self.targets.is_empty() {
            let mut table = Table::new(&["TARGET", "WEIGHT", "STATE", "SHARE", "REASON"]);
            for target in &self.targets {
                table.row([
                    format!("{}/{}", target.group, socket(target.address, target.port)).into(),
                    target.weight.to_string().into(),
                    Cell { text: target.state.clone(), style: state_style(&target.state) },
                    format!("{:.1}%", target.share * 100.0).into(),
                    super::table::or_dash(&target.reason).into(),
                ]);
            }
            page.table("targets", &table, "");
        }
        let yaml = serde_saphyr::to_string(&self.configuration).unwrap_or_default();
        page.section("configuration", &yaml);
        if !self.changes.is_empty() {
            let mut table = Table::new(&["REVISION", "WHEN", "WHO", "WHAT", "MESSAGE"]);
            for head in &self.changes {
                table.row([
                    head.number.to_string(),
                    ago(head.written_at * 1000, now_ms),
                    head.who.clone(),
                    head.what.clone(),
                    head.message.clone(),
                ]);
            }
            page.table("changes", &table, "");
        }
        page.text()
    }
}
