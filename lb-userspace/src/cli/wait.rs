//! `xelb wait`.

use std::time::Duration;

use clap::Args;
use lb_agent::{Snapshot, TargetGroupView, TargetView};
use lb_api::Client;
use lb_config::{PartPath, PartStep, Selector, TaggedKind};
use tokio::time::{Instant, timeout};

use super::{
    Socket, complete,
    object::{self, Kind, KindWord, Object, parse_kind},
    output,
    part_change::wrong,
    place::parse_place,
    relative_time,
    selected_targets::{Named, selected},
    selection,
    table::socket,
};

/// Wait until a target or a target group is in a state
///
/// It ends with 0 as soon as the state is reached, and with 1 when the time is over. A target group
/// is healthy when all its targets are that are not drained. With --selector, all objects that fit when
/// the command begins have to reach the state.
///
/// Example: xelb wait target web/10.0.1.11:80 --for healthy --timeout 30s
///
/// Example: xelb wait target-group web --for healthy
///
/// Example: xelb wait target -l rack=12 --for unused --timeout 10m
#[derive(Debug, Args)]
pub(super) struct Wait {
    /// Kind of the object: target or target-group (tg)
    #[arg(value_parser = parse_kind, add = complete::kinds())]
    kind: KindWord,
    /// Name of the object; a target is GROUP/ADDRESS[:PORT]
    #[arg(value_name = "NAME", num_args = 0.., add = complete::objects())]
    name: Vec<String>,
    /// All objects of this kind whose tags fit, such as rack=12,!old; NAME is then left out, or a group
    /// of the targets
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<Selector>,
    /// State to wait for: healthy, unhealthy, initial, draining, unused, or gone
    #[arg(long = "for", value_name = "STATE", value_parser = parse_goal)]
    goal: Goal,
    /// Longest time to wait, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "30s",
        value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    socket: Socket,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// This state.
    State(&'static str),
    /// That it is no longer there.
    Gone,
}

/// How long is waited, for one object or for several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    begun: Instant,
    whole: Duration,
}

impl Limit {
    /// This time from now on.
    pub(super) fn of(whole: Duration) -> Self {
        Self { begun: Instant::now(), whole }
    }

    fn left(&self) -> Duration {
        self.whole.saturating_sub(self.begun.elapsed())
    }
}

/// Reads it, also as kubectl writes it (`condition=healthy`, `delete`).
fn parse_goal(text: &str) -> Result<Goal, String> {
    let name = text.strip_prefix("condition=").unwrap_or(text).to_lowercase();
    let states = ["initial", "healthy", "unhealthy", "draining", "unused"];
    match name.as_str() {
        "gone" | "delete" | "deleted" => Ok(Goal::Gone),
        "ready" | "available" => Ok(Goal::State("healthy")),
        name => states
            .into_iter()
            .find(|state| *state == name)
            .map(Goal::State)
            .ok_or_else(|| format!("use one of {}, gone", states.join(", "))),
    }
}

impl Wait {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if !matches!(self.kind.kind(), Kind::Target | Kind::TargetGroup) {
            return Err(wrong("only targets and target groups have a state".to_owned()));
        }
        if let Some(selector) = &self.selector {
            return self.for_selected(selector).await;
        }
        let (objects, rest) = object::objects(&self.kind, &self.name, true).map_err(wrong)?;
        let (Some(object), []) = (objects.into_iter().next(), rest.as_slice()) else {
            let text = "wait for one object at a time, or for several with --selector";
            return Err(wrong(text.to_owned()));
        };
        let client = self.socket.client()?;
        let snapshot = client.status().await?;
        if self.goal != Goal::Gone && !is_there(&object, &snapshot).map_err(wrong)? {
            return Err(wrong(format!(
                "there is no {}; `xelb get targets` lists all",
                object.path.object()
            )));
        }
        until(&client, &object, self.goal, Some(Limit::of(self.timeout))).await
    }

    /// Waits for all objects that have fitting tags now.
    async fn for_selected(&self, selector: &Selector) -> anyhow::Result<()> {
        let owner = selection::owner(&self.kind, &self.name).map_err(wrong)?.1;
        let client = self.socket.client()?;
        let limit = Limit::of(self.timeout);
        let snapshot = client.status().await?;
        let names: Vec<String> = if self.kind.kind() == Kind::Target {
            let found = selected(owner, selector, &snapshot).map_err(wrong)?;
            found.iter().map(Named::name).collect()
        } else {
            let fits = |group: &&TargetGroupView| selector.matches(&group.tags);
            snapshot.target_groups.iter().filter(fits).map(|group| group.name.clone()).collect()
        };
        if names.is_empty() {
            return Err(wrong(selection::nothing(TaggedKind::TargetGroup, None, selector)));
        }
        let objects = names.iter().map(|name| object::object(self.kind.kind(), name));
        let objects: Vec<_> = objects.collect::<Result<_, _>>().map_err(wrong)?;
        loop {
            for object in &objects {
                until(&client, object, self.goal, Some(limit)).await?;
            }
            // The first ones may have left the state meanwhile.
            let snapshot = client.status().await?;
            let reached = objects.iter().map(|object| is_reached(object, self.goal, &snapshot));
            let reached: Vec<bool> = reached.collect::<Result<_, _>>().map_err(wrong)?;
            if reached.into_iter().all(|is_reached| is_reached) {
                return Ok(());
            }
        }
    }
}

/// Waits until an object has reached a goal, and says so.
pub(super) async fn until(
    client: &Client,
    object: &Object,
    goal: Goal,
    limit: Option<Limit>,
) -> anyhow::Result<()> {
    let reached = async {
        loop {
            // A stream ends when the agent does; the next one says why there is none.
            let mut changes = client.watch().await?;
            loop {
                let snapshot = client.status().await?;
                if is_reached(object, goal, &snapshot).map_err(wrong)? {
                    return anyhow::Ok(());
                }
                if !changes.next().await? {
                    break;
                }
            }
        }
    };
    match limit {
        None => reached.await?,
        Some(limit) => {
            let Ok(ended) = timeout(limit.left(), reached).await else {
                let now = now_text(object, &client.status().await?);
                let limit = relative_time::duration(limit.whole);
                anyhow::bail!("{} {now} after {limit}", object.path.object());
            };
            ended?;
        }
    }
    let state = match goal {
        Goal::State(state) => state,
        Goal::Gone => "gone",
    };
    output::print(&format!("{} is {state}\n", object.path.object()))
}

/// The targets of a group, or the target itself.
fn targets_of<'snapshot>(
    object: &Object,
    snapshot: &'snapshot Snapshot,
) -> Result<Vec<&'snapshot TargetView>, String> {
    let (group, place) = match object.path.steps() {
        [_, PartStep::Item(group)] => (group, None),
        [_, PartStep::Item(group), _, PartStep::Item(place)] => (group, Some(parse_place(place)?)),
        _ => return Err(format!("{} has no state", PartPath::object(&object.path))),
    };
    let is_it = |target: &&TargetView| {
        target.group == *group && place.as_ref().is_none_or(|place| place.fits(target))
    };
    Ok(snapshot.targets.iter().filter(is_it).collect())
}

fn is_there(object: &Object, snapshot: &Snapshot) -> Result<bool, String> {
    let group = matches!((object.kind, object.path.steps()), (Kind::TargetGroup, [_, PartStep::Item(name)])
        if snapshot.target_groups.iter().any(|group| group.name == *name));
    Ok(group || !targets_of(object, snapshot)?.is_empty())
}

fn is_reached(object: &Object, goal: Goal, snapshot: &Snapshot) -> Result<bool, String> {
    let Goal::State(state) = goal else {
        return Ok(!is_there(object, snapshot)?);
    };
    let targets = targets_of(object, snapshot)?;
    let of_group = object.kind == Kind::TargetGroup;
    let mut wanted =
        targets.iter().filter(|target| !of_group || !target.drained && !target.leaving);
    let any = wanted.clone().next().is_some();
    Ok(any && wanted.all(|target| target.state == state))
}

/// What is so instead.
fn now_text(object: &Object, snapshot: &Snapshot) -> String {
    let targets = targets_of(object, snapshot).unwrap_or_default();
    match targets.as_slice() {
        [] => "is not there".to_owned(),
        [one] => {
            let why = [one.reason.as_str(), one.detail.as_str()];
            let why: Vec<&str> = why.into_iter().filter(|text| !text.is_empty()).collect();
            let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(": ")) };
            format!("is {}{why}", one.state)
        }
        several => {
            let states = several
                .iter()
                .map(|one| format!("{} {}", socket(one.address, one.port), one.state));
            format!("has {}", states.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(states: &[(&str, u8, &str, bool)]) -> Snapshot {
        let target = |&(group, octet, state, drained): &(&str, u8, &str, bool)| TargetView {
            group: group.to_owned(),
            address: Some([10, 0, 1, octet].into()),
            port: 80,
            state: state.to_owned(),
            drained,
            ..TargetView::default()
        };
        Snapshot { targets: states.iter().map(target).collect(), ..Snapshot::default() }
    }

    #[test]
    fn goals_are_read() {
        for (text, goal) in [
            ("healthy", Goal::State("healthy")),
            ("condition=Healthy", Goal::State("healthy")),
            ("ready", Goal::State("healthy")),
            ("delete", Goal::Gone),
            ("gone", Goal::Gone),
        ] {
            assert_eq!(parse_goal(text), Ok(goal), "{text}");
        }
        assert!(parse_goal("sick").unwrap_err().starts_with("use one of initial"));
    }

    #[test]
    fn goals_are_reached() {
        let of = |kind, name, goal, states: &[(&str, u8, &str, bool)]| {
            is_reached(&object::object(kind, name).unwrap(), goal, &snapshot(states)).unwrap()
        };
        let healthy = Goal::State("healthy");
        let one = |state| [("web", 11, state, false), ("web", 12, "unhealthy", false)];
        assert!(of(Kind::Target, "web/10.0.1.11:80", healthy, &one("healthy")));
        assert!(of(Kind::Target, "web/10.0.1.11", healthy, &one("healthy")));
        assert!(!of(Kind::Target, "web/10.0.1.11:81", healthy, &one("healthy")));
        assert!(!of(Kind::Target, "web/10.0.1.11", healthy, &one("initial")));
        assert!(!of(Kind::TargetGroup, "web", healthy, &one("healthy")));
        let drained = [("web", 11, "healthy", false), ("web", 12, "draining", true)];
        assert!(of(Kind::TargetGroup, "web", healthy, &drained), "the drained one does not count");
        assert!(!of(Kind::TargetGroup, "web", healthy, &[]));
        assert!(of(Kind::Target, "web/10.0.1.13", Goal::Gone, &one("healthy")));
        assert!(!of(Kind::Target, "web/10.0.1.11", Goal::Gone, &one("healthy")));
    }

    #[test]
    fn what_is_so_instead_is_said() {
        let object = object::object(Kind::TargetGroup, "web").unwrap();
        let states = [("web", 11, "healthy", false), ("web", 12, "unhealthy", false)];
        let said = now_text(&object, &snapshot(&states));
        assert_eq!(said, "has 10.0.1.11:80 healthy, 10.0.1.12:80 unhealthy");
        assert_eq!(now_text(&object, &snapshot(&[])), "is not there");
    }
}
