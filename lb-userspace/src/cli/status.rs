//! `xelb status`.

use std::fmt::Write as _;

use clap::Args;

use super::{Socket, output::Format};
use crate::agent::Snapshot;

/// Show how the agent and its data path are doing
///
/// What an operator should look at stands at the end, behind WARNING. Warnings do not change the
/// exit code.
///
/// Example: xelb status
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Status {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let snapshot = self.socket.client().status().await?;
        self.format.print(&snapshot, render)
    }
}

fn render(status: &Snapshot) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{name:<15} {value}");
    };
    line("agent", &format!("version {}, process {}", status.version, status.pid));
    line("configuration", &status.source);
    if !status.last_error.is_empty() {
        for (number, error) in status.last_error.lines().enumerate() {
            line(if number == 0 { "LAST ERROR" } else { "" }, error);
        }
    }
    for interface in &status.interfaces {
        let mode = &interface.mode;
        line("interface", &format!("{} ({mode}: {})", interface.name, interface.reason));
    }
    let healthy = status.targets.iter().filter(|target| target.state == "healthy").count();
    line("listeners", &status.listeners.len().to_string());
    line("target groups", &status.target_groups.len().to_string());
    line("targets", &format!("{healthy} of {} healthy", status.targets.len()));
    let health = &status.health;
    line(
        "health checks",
        &format!(
            "{} targets, {} probes, {} failed, 99 % at most {:.1} ms late",
            health.checked_targets,
            health.probes,
            health.probes_failed,
            f64::from(u32::try_from(health.lateness_us_p99).unwrap_or(u32::MAX)) / 1000.0
        ),
    );
    if health.last_reaction_us > 0 {
        let reaction = format!("{} us from a probe's end to the ring", health.last_reaction_us);
        line("last reaction", &reaction);
    }
    let (slots, slots_max) = status.maps.ring_slots;
    let armed = status.maps.armed_slots;
    line("ring slots", &format!("{slots} of {slots_max}, {armed} armed"));
    if status.warnings.is_empty() {
        line("warnings", "none");
    }
    for warning in &status.warnings {
        line("WARNING", warning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::AttachedInterface;

    #[test]
    fn what_is_wrong_is_loud() {
        let status = Snapshot {
            warnings: vec!["interface eth0: XDP runs in generic mode".to_owned()],
            last_error: "one\ntwo".to_owned(),
            interfaces: vec![AttachedInterface {
                name: "eth0".to_owned(),
                index: 2,
                mode: "generic".to_owned(),
                reason: "asked for".to_owned(),
            }],
            ..Snapshot::default()
        };
        let text = render(&status);
        assert!(text.contains("LAST ERROR      one\n                two\n"), "{text}");
        assert!(text.contains("interface       eth0 (generic: asked for)\n"), "{text}");
        assert!(text.contains("WARNING         interface eth0: XDP runs in generic"), "{text}");
    }
}
