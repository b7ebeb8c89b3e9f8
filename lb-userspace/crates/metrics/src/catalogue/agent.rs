//! PURE: metrics of the agent itself, and of its health checks.

use std::time::Duration;

use lb_plan::warning::WarningKind;

use crate::family::{
    Family,
    Kind::{Counter, Gauge, Info},
};

/// The modes of attaching a program.
const MODES: [&str; 2] = ["native", "generic"];

/// The states of a proxy.
const PROXY_STATES: [&str; 3] = ["current", "outdated", "disconnected"];

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "xelb_build_info",
        kind: Info,
        labels: &["version", "abi"],
        help: "Version of the agent, and ABI number of its maps.",
        samples: |seen, out| {
            out.add(&[&seen.snapshot.version, &seen.snapshot.abi.to_string()], true)
        },
    },
    Family {
        name: "xelb_agent_start_time_seconds",
        kind: Gauge,
        labels: &[],
        help: "When the agent started, in seconds since 1970.",
        samples: |seen, out| out.add(&[], seen.snapshot.started_at),
    },
    Family {
        name: "xelb_agent_cpu_seconds_total",
        kind: Counter,
        labels: &[],
        help: "CPU time of the agent, without packets, which the kernel handles.",
        samples: |seen, out| seen.process.cpu.map_or(Ok(()), |cpu| out.add(&[], cpu.as_secs_f64())),
    },
    Family {
        name: "xelb_agent_resident_memory_bytes",
        kind: Gauge,
        labels: &[],
        help: "Resident memory of the agent, including mapped parts of the kernel's maps.",
        samples: |seen, out| {
            seen.process.resident_bytes.map_or(Ok(()), |bytes| out.add(&[], bytes))
        },
    },
    Family {
        name: "xelb_agent_own_memory_bytes",
        kind: Gauge,
        labels: &[],
        help: "Resident memory of the agent without maps of the kernel and files.",
        samples: |seen, out| seen.process.own_bytes.map_or(Ok(()), |bytes| out.add(&[], bytes)),
    },
    Family {
        name: "xelb_configurations_applied_total",
        kind: Counter,
        labels: &[],
        help: "Configurations applied since the agent started.",
        samples: |seen, out| out.add(&[], seen.snapshot.applied_count),
    },
    Family {
        name: "xelb_configuration_last_error",
        kind: Gauge,
        labels: &[],
        help: "1 when the last change of the configuration was refused or could not be written.",
        samples: |seen, out| out.add(&[], !seen.snapshot.last_error.is_empty()),
    },
    Family {
        name: "xelb_warnings",
        kind: Gauge,
        labels: &["kind"],
        help: "Warnings that `xelb status` shows, by kind; zeros included.",
        samples: |seen, out| {
            let all = &seen.snapshot.warning_details;
            WarningKind::ALL.iter().map(|kind| kind.name()).try_for_each(|name| {
                out.add(&[name], all.iter().filter(|warning| warning.kind == name).count())
            })
        },
    },
    Family {
        name: "xelb_proxies",
        kind: Gauge,
        labels: &["state"],
        help: "Processes of `xelb proxy` by state, as `xelb get proxies` shows them; zeros included.",
        samples: |seen, out| {
            let all = &seen.snapshot.proxies;
            PROXY_STATES.iter().try_for_each(|state| {
                out.add(&[state], all.iter().filter(|proxy| proxy.state == *state).count())
            })
        },
    },
    Family {
        name: "xelb_proxy_client_connections",
        kind: Gauge,
        labels: &[],
        help: "Open connections of clients of all connected processes of `xelb proxy`.",
        samples: |seen, out| {
            let connected = seen.snapshot.proxies.iter().filter(|one| one.state != "disconnected");
            out.add(&[], connected.map(|one| one.connections).sum::<u64>())
        },
    },
    Family {
        name: "xelb_event_hook_calls_total",
        kind: Counter,
        labels: &["hook", "result"],
        help: "Calls of a hook on events since it was configured, by result; retries are not counted.",
        samples: |seen, out| {
            seen.snapshot.event_hooks.iter().try_for_each(|one| {
                out.add(&[&one.name, "succeeded"], one.succeeded)?;
                out.add(&[&one.name, "failed"], one.failed)
            })
        },
    },
    Family {
        name: "xelb_event_hook_events_lost_total",
        kind: Counter,
        labels: &["hook"],
        help: "Events that were dropped since too many waited for the hook.",
        samples: |seen, out| {
            seen.snapshot.event_hooks.iter().try_for_each(|one| out.add(&[&one.name], one.lost))
        },
    },
    Family {
        name: "xelb_event_hook_events_waiting",
        kind: Gauge,
        labels: &["hook"],
        help: "Events that wait for the next call of a hook.",
        samples: |seen, out| {
            seen.snapshot.event_hooks.iter().try_for_each(|one| out.add(&[&one.name], one.waiting))
        },
    },
    Family {
        name: "xelb_name_addresses",
        kind: Gauge,
        labels: &["name"],
        help: "Last known addresses of a DNS name among the targets.",
        samples: |seen, out| {
            seen.snapshot
                .names
                .iter()
                .try_for_each(|one| out.add(&[&one.name], one.addresses.len()))
        },
    },
    Family {
        name: "xelb_name_failing",
        kind: Gauge,
        labels: &["name"],
        help: "1 while a DNS name among the targets cannot be resolved, otherwise 0.",
        samples: |seen, out| {
            let mut all = seen.snapshot.names.iter();
            all.try_for_each(|one| out.add(&[&one.name], usize::from(!one.error.is_empty())))
        },
    },
    Family {
        name: "xelb_name_lookups_total",
        kind: Counter,
        labels: &["name", "result"],
        help: "Lookups of a DNS name among the targets, by result.",
        samples: |seen, out| {
            seen.snapshot.names.iter().try_for_each(|one| {
                out.add(
                    &[&one.name, "succeeded"],
                    one.lookups - one.lookups_failed.min(one.lookups),
                )?;
                out.add(&[&one.name, "failed"], one.lookups_failed)
            })
        },
    },
    Family {
        name: "xelb_certificate_expiry_time_seconds",
        kind: Gauge,
        labels: &["file"],
        help: "When a certificate of the configuration ends, or the first one of its chain.",
        samples: |seen, out| {
            let mut all = seen.snapshot.certificates.iter();
            all.try_for_each(|one| out.add(&[&one.file], one.expires_at))
        },
    },
    Family {
        name: "xelb_log_lines_lost_total",
        kind: Counter,
        labels: &[],
        help: "Lost lines of the agent's log, since its standard error was not read.",
        samples: |seen, out| out.add(&[], seen.snapshot.log_lines_lost),
    },
    Family {
        name: "xelb_interface_mode",
        kind: Gauge,
        labels: &["interface", "mode"],
        help: "1 for the mode in which XDP runs on an interface, 0 for the other one.",
        samples: |seen, out| {
            seen.snapshot.interfaces.iter().try_for_each(|interface| {
                MODES
                    .iter()
                    .try_for_each(|mode| out.add(&[&interface.name, mode], interface.mode == *mode))
            })
        },
    },
    Family {
        name: "xelb_interface_reattached_total",
        kind: Counter,
        labels: &["interface"],
        help: "How often the agent has attached the program to an interface again.",
        samples: |seen, out| {
            seen.snapshot
                .interfaces
                .iter()
                .try_for_each(|one| out.add(&[&one.name], one.reattached_count))
        },
    },
    Family {
        name: "xelb_probe_targets",
        kind: Gauge,
        labels: &[],
        help: "Targets whose health is checked.",
        samples: |seen, out| out.add(&[], seen.snapshot.health.checked_targets),
    },
    Family {
        name: "xelb_probes_total",
        kind: Counter,
        labels: &[],
        help: "Probes started since the agent started.",
        samples: |seen, out| out.add(&[], seen.snapshot.health.probes),
    },
    Family {
        name: "xelb_probes_failed_total",
        kind: Counter,
        labels: &[],
        help: "Probes that failed.",
        samples: |seen, out| out.add(&[], seen.snapshot.health.probes_failed),
    },
    Family {
        name: "xelb_probes_inconclusive_total",
        kind: Counter,
        labels: &[],
        help: "Probes that this host could not make. They say nothing about targets.",
        samples: |seen, out| out.add(&[], seen.snapshot.health.probes_inconclusive),
    },
    Family {
        name: "xelb_probes_late_total",
        kind: Counter,
        labels: &[],
        help: "Probes that started more than 100 ms after they were due.",
        samples: |seen, out| out.add(&[], seen.snapshot.health.probes_late),
    },
    Family {
        name: "xelb_probe_lateness_p50_seconds",
        kind: Gauge,
        labels: &[],
        help: "Median delay of probes since the agent started.",
        samples: |seen, out| out.add(&[], seconds(seen.snapshot.health.lateness_us_p50)),
    },
    Family {
        name: "xelb_probe_lateness_p99_seconds",
        kind: Gauge,
        labels: &[],
        help: "99th percentile of the delay of probes since the agent started.",
        samples: |seen, out| out.add(&[], seconds(seen.snapshot.health.lateness_us_p99)),
    },
    Family {
        name: "xelb_probe_lateness_max_seconds",
        kind: Gauge,
        labels: &[],
        help: "Longest delay of a probe since the agent started.",
        samples: |seen, out| {
            out.add(&[], seconds(seen.snapshot.health.lateness_ms_max.saturating_mul(1000)))
        },
    },
    Family {
        name: "xelb_last_reaction_seconds",
        kind: Gauge,
        labels: &[],
        help: "Time from the end of the probe that decided the last change to the update of the \
               ring in the kernel.",
        samples: |seen, out| out.add(&[], seconds(seen.snapshot.health.last_reaction_us)),
    },
];
