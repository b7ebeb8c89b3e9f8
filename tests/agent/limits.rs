//! A configuration that does not fit the maps is refused as a whole, with the limit it hits, and leaves
//! configuration and maps as they were. That each limit is found by the plan, too, is tested there.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use lb_common::limits::{
    GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX, WIDE_LISTENERS_MAX, WIDE_RANGES_MAX,
};
use lb_tests::{
    agent::{PIN_DIR, SOCKET, configuration_path},
    talk::{Listeners, OpenConnections},
    topology::VIPS,
    wait,
};

use crate::scene::{
    LIMIT, WEB, fails, in_lab, json, run, says, start, state_dir_arguments, tables, write,
};

/// A configuration of so many groups with so many targets each, and listeners: address, port and group.
fn document(
    groups: usize,
    targets: usize,
    listeners: impl Iterator<Item = (String, String, usize)>,
) -> String {
    let mut text = String::from("interfaces: [eth0]\ntarget_groups:\n");
    // Writing to a string does not fail.
    for group in 0..groups {
        let head = format!(
            "  - {{ name: g{group}, protocol: tcp, port: {}, forwarding: ipip,",
            port(group)
        );
        let _written = writeln!(text, "{head} health_check: {{ protocol: tcp }}, targets: [");
        for target in 0..targets {
            let [_, _, high, low] = u32::try_from(target).unwrap_or(u32::MAX).to_be_bytes();
            let _written = writeln!(text, "      {{ address: 10.7.{high}.{low} }},");
        }
        text.push_str("    ] }\n");
    }
    text.push_str("listeners:\n");
    for (number, (address, port, group)) in listeners.enumerate() {
        let head =
            format!("  - {{ name: l{number}, address: {address}, port: {port}, protocol: tcp,");
        let action = format!("default_action: {{ forward: {{ target_group: g{group} }} }} }}");
        let _written = writeln!(text, "{head}\n      {action}");
    }
    text
}

/// Forwarding does not translate it, so that listeners of a group have its port.
const fn port(group: usize) -> usize {
    80 + group
}

/// An address of its own for each listener.
fn vip(number: usize) -> String {
    format!("203.{}.{}.{}", 1 + number / 62_500, number / 250 % 250, 1 + number % 250)
}

fn single(number: usize) -> (String, String, usize) {
    (vip(number), "80".to_owned(), 0)
}

#[test]
fn a_configuration_beyond_the_limits_changes_nothing() -> Result<()> {
    let wide = |number: usize| (vip(number), "80-89".to_owned(), 0);
    let same =
        |number: usize| (format!("202.0.0.0/{}", 15 + number), port(number).to_string(), number);
    let of_group = |number: usize| (vip(number), port(number).to_string(), number);
    let rings = RING_SLOTS_MAX / 4096 + 1;
    let cases = [
        ("listeners", document(1, 1, (0..LISTENERS_MAX).map(single)), LISTENERS_MAX - 1),
        ("groups", document(GROUPS_MAX, 1, (0..1).map(single)), GROUPS_MAX - 1),
        ("targets", document(1, TARGETS_MAX, (0..1).map(single)), TARGETS_MAX - 1),
        ("listeners", document(1, 1, (0..=WIDE_LISTENERS_MAX).map(wide)), WIDE_LISTENERS_MAX),
        (
            "cover an address",
            document(WIDE_RANGES_MAX + 1, 1, (0..=WIDE_RANGES_MAX).map(same)),
            WIDE_RANGES_MAX,
        ),
        ("slots", document(rings, 1, (0..rings).map(of_group)), RING_SLOTS_MAX),
    ];
    in_lab(move |lab, xelb| {
        let mut agent = start(lab, xelb, &state_dir_arguments(lab))?;
        let path = configuration_path(lab).display().to_string();
        write(lab, WEB)?;
        xelb.command(lab, &["apply", "-f", &path])?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let (before, revisions) = (tables()?, json(lab, xelb, "get revisions")?);
        for (what, text, limit) in &cases {
            write(lab, text)?;
            for arguments in [&["apply", "-f", &path][..], &["apply", "--force", "-f", &path]] {
                let refused = xelb.command(lab, arguments)?;
                fails(&refused, 2, &[what, &limit.to_string()])?;
                ensure!(refused.stderr.lines().count() <= 3, "{}", refused.stderr);
            }
            ensure!(tables()? == before, "{what}: the maps have changed");
            ensure!(json(lab, xelb, "get revisions")? == revisions, "{what}: there is a revision");
        }
        ensure!(agent.ended()?.is_none(), "the agent has ended");
        // The first configuration of an agent: it does not start, and leaves nothing.
        agent.stop(LIMIT)?;
        xelb.detach(lab)?;
        ensure!(!crate::scene::is_pinned(), "something is pinned after `xelb detach`");
        let (what, text, limit) = &cases[0];
        write(lab, text)?;
        let start = ["agent", "--config", &path, "--bpffs", PIN_DIR];
        fails(&run(lab, xelb, &start)?, 2, &[what, &limit.to_string()])?;
        ensure!(!crate::scene::is_pinned() && !lab.lb().has_xdp("eth0")?, "something was changed");
        Ok(())
    })
}

#[test]
fn options_limit_the_configuration() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut arguments = state_dir_arguments(lab);
        arguments.extend(["--max-targets", "2"].map(str::to_owned));
        let mut agent = start(lab, xelb, &arguments)?;
        let path = configuration_path(lab).display().to_string();
        write(lab, WEB)?;
        xelb.command(lab, &["apply", "-f", &path])?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let before = tables()?;
        let third = "{ address: 10.0.0.12 }\n      - { address: 10.0.0.13 }";
        let larger = WEB.replace("{ address: 10.0.0.12 }", third);
        write(lab, &larger)?;
        let told = ["3 targets", "than the 2", "`xelb agent --max-targets`", "16383 at most"];
        for command in [&["apply", "-f", &path][..], &["apply", "--dry-run", "-f", &path]] {
            fails(&xelb.command(lab, command)?, 2, &told)?;
        }
        fails(&xelb.command(lab, &["target", "add", "web", "10.0.0.13"])?, 2, &told)?;
        ensure!(tables()? == before, "the maps have changed");
        ensure!(json(lab, xelb, "status")?["maps"]["targets"] == serde_json::json!([2, 2]));
        agent.stop(LIMIT)?;
        // A limit below the stored configuration: the agent does not start, and packets are still
        // forwarded.
        let last = arguments.len() - 1;
        arguments[last] = "1".to_owned();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        fails(&run(lab, xelb, &arguments)?, 2, &["2 targets are more than the 1"])?;
        ensure!(tables()? == before && lab.lb().has_xdp("eth0")?, "something was changed");
        Ok(())
    })
}

/// Connections with remembered flows continue during a change of the size of the flow memory.
#[test]
fn another_size_of_the_memory_breaks_no_connection() -> Result<()> {
    const PORT: u16 = 7000;
    const CONNECTIONS: usize = 40;
    in_lab(|lab, xelb| {
        let talk = WEB
            .replace("port: 80", "port: 7000")
            .replace("protocol: http, path: /healthz", "protocol: http, port: 80, path: /healthz");
        write(lab, &talk)?;
        let path = configuration_path(lab).display().to_string();
        let with = |flows: &str| -> Vec<String> {
            let state = ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET];
            state.into_iter().chain(["--flow-memory", flows]).map(str::to_owned).collect()
        };
        let _listeners = Listeners::start(lab.targets(), PORT)?;
        let decaps = lab.targets().iter().map(|target| xelb.decap(lab, target));
        let _decaps = decaps.collect::<lb_tests::Result<Vec<_>>>()?;
        let mut agent = start(lab, xelb, &with("2097152"))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        // Slots change their owner, so that what begins in them is remembered; then they change back.
        says(lab, xelb, "target drain web 10.0.0.12")?;
        let clients = [(lab.client(1), (VIPS[0], PORT).into())];
        let connections = OpenConnections::start(&clients, CONNECTIONS)?;
        wait::until("all connections are open", LIMIT, || {
            let open = connections.report().partners.len();
            if open == CONNECTIONS { Ok(()) } else { Err(format!("{:?}", connections.report())) }
        })?;
        says(lab, xelb, "target undrain web 10.0.0.12")?;
        std::thread::sleep(std::time::Duration::from_secs(2));
        for flows in ["65536", "8000000", "2097152"] {
            let before = json(lab, xelb, "stats")?["remembered_flows"].as_u64();
            ensure!(before.is_some_and(|flows| flows > 5), "{before:?} flows are remembered");
            agent.stop(LIMIT)?;
            agent = start(lab, xelb, &with(flows))?;
            std::thread::sleep(std::time::Duration::from_secs(2));
            let stats = json(lab, xelb, "stats")?;
            ensure!(stats["remembered_flows"].as_u64() >= before, "{before:?} became {stats}");
            let most = flows.parse::<u64>()?.next_power_of_two();
            ensure!(stats["remembered_flows_max"] == most, "{stats}");
        }
        let report = connections.finish();
        ensure!(report.broken.is_empty(), "broken: {:?}", report.broken);
        ensure!(report.partners.iter().all(|partner| *partner == report.partners[0]));
        Ok(())
    })
}
