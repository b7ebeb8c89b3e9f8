//! The attributes of a target group that say how its targets come and go.

use std::time::Duration;

use lb_common::target::Mode;

use crate::{
    model::{Life, MinimumHealthy, Protocol, Stickiness},
    section::Section,
    tree::Node,
    values,
};

const DEREGISTRATION_DELAY_MAX: Duration = Duration::from_hours(1);
const SLOW_START_MIN: Duration = Duration::from_secs(30);
const SLOW_START_MAX: Duration = Duration::from_mins(15);
const UNHEALTHY_DRAINING_MAX: Duration = Duration::from_hours(100);
const HEALTHY_COUNT_MAX: u32 = 16_383;

pub(super) fn life(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    forwarding: Option<Mode>,
) -> Life {
    let default = Life::default();
    let seconds = |key, max| section.read(key, |node| values::seconds(node, Duration::ZERO..=max));
    let number =
        |key, least| section.read(key, |node| values::number(node, least..=HEALTHY_COUNT_MAX));
    let read = Life {
        deregistration_delay: deregistration_delay(section),
        slow_start: section.read("slow_start", slow_start).unwrap_or(default.slow_start),
        stickiness: section.read("stickiness", stickiness).unwrap_or(default.stickiness),
        connection_termination: section
            .read("connection_termination", values::truth)
            .unwrap_or(default.connection_termination),
        unhealthy_draining_interval: seconds("unhealthy_draining_interval", UNHEALTHY_DRAINING_MAX)
            .unwrap_or(default.unhealthy_draining_interval),
        minimum_healthy: minimum_healthy(section),
        backup_threshold: number("backup_threshold", 1).unwrap_or(default.backup_threshold),
        quorum: number("quorum", 0).unwrap_or(default.quorum),
    };
    contradictions(section, &read, protocol, forwarding);
    read
}

/// The duration of a slow start, or 0.
pub(super) fn slow_start(node: &Node) -> Result<Duration, String> {
    let range = Duration::ZERO..=SLOW_START_MAX;
    match values::seconds(node, range)? {
        short if !short.is_zero() && short < SLOW_START_MIN => Err(format!(
            "{} is neither 0s nor from 30s to 900s, such as `90s`",
            values::shown(short)
        )),
        duration => Ok(duration),
    }
}

fn stickiness(node: &Node) -> Result<Stickiness, String> {
    match node.as_text() {
        Some("none") => Ok(Stickiness::None),
        Some("source_ip") => Ok(Stickiness::SourceIp),
        _ => Err(values::wrong(node, "a stickiness: none or source_ip")),
    }
}

/// How long a target that is removed may go on.
pub(super) fn deregistration_delay(attributes: &Section<'_>) -> Duration {
    let range = Duration::ZERO..=DEREGISTRATION_DELAY_MAX;
    attributes
        .read("deregistration_delay", |node| values::seconds(node, range))
        .unwrap_or(Life::default().deregistration_delay)
}

/// With how many healthy targets a group does not fail open.
pub(super) fn minimum_healthy(attributes: &Section<'_>) -> MinimumHealthy {
    let default = Life::default().minimum_healthy;
    let Some(section) = attributes.section("minimum_healthy_targets") else {
        return default;
    };
    let count = section.read("count", |node| values::number(node, 1..=HEALTHY_COUNT_MAX));
    let percentage = section.read("percentage", |node| values::number(node, 1..=100));
    section.finish();
    MinimumHealthy { count: count.unwrap_or(default.count), percentage }
}

/// Attributes that do not go together, or not with the group.
fn contradictions(
    section: &Section<'_>,
    life: &Life,
    protocol: Option<Protocol>,
    forwarding: Option<Mode>,
) {
    if life.connection_termination
        && !life.unhealthy_draining_interval.is_zero()
        && let Some(entry) = section.entry("unhealthy_draining_interval")
    {
        section.findings.error(
            &entry.at,
            "contradicts `connection_termination: true`: flows of an unhealthy target either end at \
             once or are kept for a while; remove one of the two",
        );
    }
    let Some(entry) = section.entry("connection_termination") else {
        return;
    };
    match (protocol, forwarding) {
        (Some(protocol @ (Protocol::Udp | Protocol::Quic)), _) if life.connection_termination => {
            let message = format!("belongs to `protocol: tcp`; this group is {protocol}");
            section.findings.error(&entry.at, message);
        }
        (_, Some(mode @ (Mode::Nat | Mode::Fullnat))) if life.connection_termination => {
            let message = format!(
                "belongs to ipip, gue and l2dsr; this group is {}, where another target gets the \
                 flow of a removed target and resets it",
                mode.name()
            );
            section.findings.error(&entry.at, message);
        }
        _ => {}
    }
}
