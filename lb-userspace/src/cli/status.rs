//! `xelb status`.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;
use lb_agent::{AttachedInterface, MemoryView, ProxyView, Snapshot};
use lb_config::plural::counted;
use lb_scaling::ScaledGroupView;

use super::{Socket, color::Color, output::Format, page::Page, table::Look};

/// Show how the agent and its data path are doing
///
/// Warnings are at the end. They do not change the exit code.
///
/// Example: xelb status
///
/// Example: xelb status --check
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Only say whether this balancer can serve: exit with 1 if its program is not attached, or if
    /// no target is healthy. It is for check scripts such as those of keepalived
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    color: Color,
    #[command(flatten)]
    socket: Socket,
}

impl Status {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let snapshot = self.socket.client()?.status().await?;
        if self.check {
            return match inability(&snapshot) {
                Some(why) => Err(anyhow::anyhow!("this balancer cannot serve: {why}")),
                None => Ok(()),
            };
        }
        let look = self.color.look();
        self.format.print_page(&snapshot, |snapshot| render(snapshot, look))
    }
}

/// Why a balancer cannot serve anybody, where another one may; what is wrong with the service itself
/// is no reason.
fn inability(status: &Snapshot) -> Option<String> {
    if status.interfaces.is_empty() {
        return Some("it has no configuration yet".to_owned());
    }
    let detached: Vec<&str> = status
        .interfaces
        .iter()
        .filter(|interface| interface.mode == "detached")
        .map(|interface| interface.name.as_str())
        .collect();
    if !detached.is_empty() {
        return Some(format!("the program is not attached to {}", detached.join(", ")));
    }
    let targets = &status.targets;
    if targets.is_empty() || targets.iter().any(|target| target.state == "healthy") {
        return None;
    }
    Some(format!("none of its {} is healthy", counted(targets.len(), "target")))
}

pub(super) fn render(status: &Snapshot, look: Look) -> String {
    let mut page = Page::new(look);
    page.line("agent", &format!("version {}, process {}", status.version, status.pid));
    page.line("configuration", &status.source);
    for (number, error) in status.last_error.lines().enumerate() {
        let red = AnsiColor::Red.on_default().bold();
        page.alarm(if number == 0 { "LAST ERROR" } else { "" }, error, red);
    }
    for interface in &status.interfaces {
        let style = (interface.mode == "detached").then(|| AnsiColor::Red.on_default());
        page.state("interface", &interface_text(interface), style);
    }
    objects(&mut page, status);
    costs(&mut page, status);
    if status.warnings.is_empty() {
        page.line("warnings", "none");
    }
    for warning in &status.warnings {
        page.alarm("WARNING", warning, AnsiColor::Yellow.on_default().bold());
    }
    page.text()
}

/// What is balanced, and how healthy it is.
fn objects(page: &mut Page, status: &Snapshot) {
    let maps = &status.maps;
    let at_most =
        |limit: usize| if limit == 0 { String::new() } else { format!(" (at most {limit})") };
    page.line("listeners", &format!("{}{}", status.listeners.len(), at_most(maps.listeners.1)));
    let groups = status.target_groups.len();
    page.line("target groups", &format!("{groups}{}", at_most(maps.target_groups.1)));
    let healthy = status.targets.iter().filter(|target| target.state == "healthy").count();
    let targets = status.targets.len();
    let text = format!("{healthy} of {targets} healthy{}", at_most(maps.targets.1));
    page.state("targets", &text, health_style(healthy, targets));
    for group in &status.scaled_groups {
        page.line("scaled group", &scaled_group(group));
    }
    if !status.proxies.is_empty() || status.listeners.iter().any(|listener| listener.proxied) {
        page.line("proxies", &proxies_text(&status.proxies));
    }
    let health = &status.health;
    page.line(
        "health checks",
        &format!(
            "{}, {}, {} failed, 99 % at most {:.1} ms late",
            counted(health.checked_targets, "target"),
            counted(health.probes, "probe"),
            health.probes_failed,
            f64::from(u32::try_from(health.lateness_us_p99).unwrap_or(u32::MAX)) / 1000.0
        ),
    );
    if health.last_reaction_us > 0 {
        let reaction = format!("{} us from a probe's end to the ring", health.last_reaction_us);
        page.line("last reaction", &reaction);
    }
}

/// What the data path holds, and the memory that it takes.
fn costs(page: &mut Page, status: &Snapshot) {
    let maps = &status.maps;
    let ((slots, slots_max), armed) = (maps.ring_slots, maps.armed_slots);
    page.line("ring slots", &format!("{slots} of {slots_max}, {armed} armed"));
    for (name, most) in
        [("flow memory", maps.remembered_flows_max), ("nat bindings", maps.translated_flows_max)]
    {
        if most > 0 {
            page.line(name, &format!("{most} flows at most; `xelb stats` counts them"));
        }
    }
    let memory = &status.memory;
    page.line("maps' memory", &maps_memory(memory));
    if let (Some(resident), Some(own)) = (memory.agent_resident_bytes, memory.agent_own_bytes) {
        let (resident, own) = (mebibytes(resident), mebibytes(own));
        page.line("agent's memory", &format!("{own}; {resident} with mapped maps and files"));
    }
}

/// The colour of so many healthy ones of all.
pub(super) fn health_style(healthy: usize, all: usize) -> Option<anstyle::Style> {
    let color = match healthy {
        _ if all == 0 => return None,
        0 => AnsiColor::Red,
        healthy if healthy < all => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    };
    Some(color.on_default())
}

fn scaled_group(group: &ScaledGroupView) -> String {
    let ScaledGroupView { name, min, max, desired, in_service, pending, terminating, .. } = group;
    let mut text = format!("{name}: {in_service} in service of {desired} desired ({min} to {max})");
    let counts = [(*pending, "pending"), (*terminating, "terminating"), (group.standby, "standby")];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        let _written = write!(text, ", {count} {what}");
    }
    if !group.suspended.is_empty() {
        let _written = write!(text, "; suspended: {}", group.suspended.join(", "));
    }
    if group.retiring {
        text.push_str("; not scaled any more, its members are ended");
    }
    text
}

/// How many proxies there are in each state.
fn proxies_text(proxies: &[ProxyView]) -> String {
    let count = |state: &str| proxies.iter().filter(|proxy| proxy.state == state).count();
    let connections: u64 = proxies.iter().map(|proxy| proxy.connections).sum();
    let mut parts = vec![format!("{} current", count("current"))];
    for state in ["outdated", "disconnected"] {
        if count(state) > 0 {
            parts.push(format!("{} {state}", count(state)));
        }
    }
    format!("{}, {}", parts.join(", "), counted(connections, "connection"))
}

fn interface_text(interface: &AttachedInterface) -> String {
    let AttachedInterface { name, current_name, mode, reason, reattached_count, .. } = interface;
    let renamed = !current_name.is_empty() && current_name != name;
    let name = if renamed { format!("{name}, now {current_name}") } else { name.clone() };
    let again = match reattached_count {
        0 => String::new(),
        count => format!("; attached again {}", counted(*count, "time")),
    };
    format!("{name} ({mode}: {reason}){again}")
}

/// Maps that are named; `-o json` has all.
const MAPS_NAMED: usize = 5;

fn maps_memory(memory: &MemoryView) -> String {
    let named = memory.maps.iter().take(MAPS_NAMED);
    let mut parts: Vec<String> =
        named.map(|map| format!("{} {}", map.name, mebibytes(map.bytes))).collect();
    if let Some(rest) = memory.maps.get(MAPS_NAMED..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.iter().map(|map| map.bytes).sum();
        parts.push(format!("{} others {}", rest.len(), mebibytes(bytes)));
    }
    let all = mebibytes(memory.maps_bytes);
    if parts.is_empty() { all } else { format!("{all} ({})", parts.join(", ")) }
}

/// In tenths, rounded.
fn mebibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + (1 << 19)) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use lb_agent::Process;

    use super::*;

    #[test]
    fn a_balancer_that_cannot_serve_says_why() {
        use lb_agent::TargetView;
        let interface = |mode: &str| AttachedInterface {
            name: "eth0".to_owned(),
            mode: mode.to_owned(),
            ..AttachedInterface::default()
        };
        let target = |state: &str| TargetView { state: state.to_owned(), ..TargetView::default() };
        let of = |interfaces: Vec<AttachedInterface>, targets: Vec<TargetView>| {
            inability(&Snapshot { interfaces, targets, ..Snapshot::default() }).unwrap_or_default()
        };
        assert_eq!(of(vec![], vec![]), "it has no configuration yet");
        assert_eq!(of(vec![interface("detached")], vec![]), "the program is not attached to eth0");
        let native = || vec![interface("native")];
        assert_eq!(of(native(), vec![target("unhealthy")]), "none of its 1 target is healthy");
        assert_eq!(of(native(), vec![target("unhealthy"), target("healthy")]), "");
        assert_eq!(of(native(), vec![]), "");
    }

    #[test]
    fn warnings_and_errors_are_shown_in_capitals() {
        let status = Snapshot {
            warnings: vec!["interface eth0: XDP runs in generic mode".to_owned()],
            last_error: "one\ntwo".to_owned(),
            interfaces: vec![AttachedInterface {
                name: "eth0".to_owned(),
                index: 2,
                mode: "generic".to_owned(),
                reason: "asked for".to_owned(),
                reattached_count: 2,
                current_name: "lan0".to_owned(),
            }],
            ..Snapshot::default()
        };
        let text = render(&status, Look::default());
        assert!(text.contains("LAST ERROR      one\n                two\n"), "{text}");
        assert!(
            text.contains(
                "interface       eth0, now lan0 (generic: asked for); attached again 2 times\n"
            ),
            "{text}"
        );
        assert!(text.contains("WARNING         interface eth0: XDP runs in generic"), "{text}");
    }

    #[test]
    fn the_biggest_maps_are_named() {
        let maps = (1..8_u64).map(|number| (format!("M{number}"), number << 20)).collect();
        let agent = Process {
            resident_bytes: Some(100 << 20),
            own_bytes: Some((10 << 20) + (1 << 19)),
            ..Process::default()
        };
        let memory = MemoryView::new(maps, &agent);
        let text = render(&Snapshot { memory, ..Snapshot::default() }, Look::default());
        for line in [
            "maps' memory    28.0 MiB (M7 7.0 MiB, M6 6.0 MiB, M5 5.0 MiB, M4 4.0 MiB, M3 3.0 MiB, \
             2 others 3.0 MiB)\n",
            "agent's memory  10.5 MiB; 100.0 MiB with mapped maps and files\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let text = render(&Snapshot::default(), Look::default());
        assert!(text.contains("maps' memory    0.0 MiB\n"), "before the first one: {text}");
        assert!(!text.contains("agent's memory"), "{text}");
    }

    #[test]
    fn scaled_groups_have_a_line_each() {
        let group = ScaledGroupView {
            name: "web".to_owned(),
            min: 2,
            max: 8,
            desired: 4,
            in_service: 3,
            pending: 1,
            suspended: vec!["terminate".to_owned()],
            ..ScaledGroupView::default()
        };
        assert_eq!(
            scaled_group(&group),
            "web: 3 in service of 4 desired (2 to 8), 1 pending; suspended: terminate"
        );
    }

    #[test]
    fn sizes_are_rounded() {
        let cases = [
            (0, "0.0 MiB"),
            (52_428, "0.0 MiB"),
            (52_429, "0.1 MiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "17592186044416.0 MiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(mebibytes(bytes), expected, "{bytes}");
        }
    }
}
