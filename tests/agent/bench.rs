//! `xelb bench program`: it measures what it says, or fails; it disturbs nothing and leaves nothing.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lb_dataplane::{Stats, StatsSource};
use lb_tests::{Lab, Xelb, agent::PIN_DIR, process::Task};
use serde_json::Value;

use crate::scene::{WEB, fails, in_lab, is_pinned, run, run_program, start_web, tables, write};

const LONG: Duration = Duration::from_mins(2);

/// Few packets: what they cost does not matter here.
const QUICK: [&str; 10] =
    ["bench", "program", "-o", "json", "--packets", "1000", "--batches", "1", "--repetitions", "2"];

fn bench(lab: &Lab, xelb: &Xelb, words: &[&str]) -> Result<Value> {
    let arguments = [&QUICK[..], words].concat();
    let finished = lab.lb().finish(Task::new(xelb.program(), &arguments), LONG)?;
    let text = finished.success()?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

fn cell<'a>(report: &'a Value, row: &str, flows: &str) -> Result<&'a Value> {
    let rows = report["rows"].as_array().into_iter().flatten();
    let mut cells = rows.filter(|one| one["name"] == row).filter_map(|row| row["cells"].as_array());
    let cell = cells.next().and_then(|cells| cells.iter().find(|cell| cell["flows"] == flows));
    cell.with_context(|| format!("no {row}, {flows} flows: {report}"))
}

#[test]
fn every_kind_of_packet_is_measured_and_nothing_is_left() -> Result<()> {
    in_lab(|lab, xelb| {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let cases = "ipip-6in4,gue-4in4,l2dsr-ipv6-udp,nat-ipv4-udp,fullnat-ipv6,armed-known,\
                     armed-syn,tracked-ipv6-udp,swap-macs,constant-header";
        let words = ["--case", cases, "--flows", "1,1k,all-new", "--targets", "20"];
        let report = bench(lab, xelb, &words)?;
        ensure!(report["format"] == 1 && report["method"]["ended_early"] == false, "{report}");
        for case in cases.split(',') {
            for flows in ["1", "1k", "all-new"] {
                let cell = cell(&report, case, flows)?;
                let measured =
                    cell["samples"] == 2 && cell["generator"]["p50"].as_f64() > Some(0.0);
                let left_out = cell["samples"] == 0 && cell["left_out"].is_string();
                let fits = match case {
                    "armed-syn" => flows == "all-new",
                    "nat-ipv4-udp" | "fullnat-ipv6" | "armed-known" | "tracked-ipv6-udp" => {
                        flows != "all-new"
                    }
                    _ => true,
                };
                ensure!(if fits { measured } else { left_out }, "{case}, {flows}: {cell}");
            }
        }
        ensure!(!is_pinned(), "something is pinned");
        ensure!(fs::read_to_string("/proc/self/mounts")? == mounts, "a mount is left");
        Ok(())
    })
}

/// All that the running data path has counted.
fn counted() -> Result<Stats> {
    let tables = tables()?;
    let listeners: Vec<u16> = tables.listeners.values().map(|listener| listener.id).collect();
    let targets: Vec<u16> = tables.targets.keys().copied().collect();
    Ok(StatsSource::new(Path::new(PIN_DIR)).read(&listeners, &targets)?)
}

#[test]
fn a_live_configuration_is_measured_and_not_disturbed() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start_web(lab, xelb)?;
        let (before, counters) = (tables()?, counted()?);
        let words = ["--live", "--bpffs", PIN_DIR, "--listener", "203.0.113.10:80"];
        let report = bench(lab, xelb, &[&words[..], &["--flows", "1k,all-new"]].concat())?;
        ensure!(report["method"]["configuration"] == "live", "{report}");
        for flows in ["1k", "all-new"] {
            let cell = cell(&report, "203.0.113.10:80/tcp", flows)?;
            ensure!(cell["samples"] == 2, "{cell}");
        }
        ensure!(tables()? == before, "the maps have changed");
        ensure!(counted()? == counters, "packets were counted");
        let other =
            ["bench", "program", "--live", "--bpffs", PIN_DIR, "--listener", "203.0.113.9:80"];
        fails(
            &run(lab, xelb, &other)?,
            2,
            &["--listener 203.0.113.9:80: there is no such listener"],
        )
    })
}

#[test]
fn a_case_that_drops_packets_is_never_measured() -> Result<()> {
    in_lab(|lab, xelb| {
        // Nobody has this address, so that there is no next hop: all packets are dropped.
        let text = WEB.replace("      - { address: 10.0.0.12 }\n", "");
        write(lab, &text.replace("10.0.0.11", "10.0.0.99"))?;
        let _agent = xelb.agent(lab)?;
        let report = bench(lab, xelb, &["--live", "--bpffs", PIN_DIR, "--flows", "1"])?;
        let cell = cell(&report, "203.0.113.10:80/tcp", "1")?;
        let why = cell["left_out"].as_str().unwrap_or_default();
        // Before the checks have said so, the group still hopes for its target.
        let reasons = ["no_target: 2000", "next_hop_unresolved: 2000"];
        let dropped = reasons.iter().any(|reason| why.ends_with(reason));
        let counted = "and 0 for its targets; ";
        ensure!(cell["samples"] == 0 && dropped && why.contains(counted), "{cell}");
        Ok(())
    })
}

#[test]
fn cases_that_cannot_be_measured_are_reported() -> Result<()> {
    in_lab(|lab, xelb| {
        let bench = |words: &[&str]| run(lab, xelb, &[&["bench", "program"], words].concat());
        fails(&bench(&["--case", "ipip"])?, 2, &["possible values", "ipip-4in4"])?;
        fails(&bench(&["--flows", "2"])?, 2, &["possible values", "64k, 1M"])?;
        fails(&bench(&["--packets", "999"])?, 2, &["--packets", "1000..=10000000"])?;
        fails(&bench(&["--targets", "16000"])?, 2, &["fewer targets"])?;
        fails(&bench(&["--listener", "203.0.113.10:80"])?, 2, &["--live"])?;
        fails(&bench(&["--live", "--case", "gue-4in4"])?, 2, &["--case gue-4in4", "--listener"])?;
        fails(&bench(&["--case", "gue-4in4", "--cpu", "1000"])?, 2, &["--cpu 1000"])?;
        fails(&bench(&["--live"])?, 1, &["no data path is pinned in /sys/fs/bpf/xelb", "--bpffs"])?;
        let many = ["--repetitions", "1000", "--case", "gue-4in4"];
        fails(&bench(&many)?, 2, &["cannot each be of a new flow"])?;
        let program = xelb.program().display().to_string();
        let nobody = ["--reuid", "65534", "--clear-groups", &program, "bench", "program"];
        fails(&run_program(lab, "setpriv", &nobody)?, 1, &["CAP_BPF missing; run xelb as root"])?;
        ensure!(!is_pinned(), "something is pinned");
        Ok(())
    })
}
