//! PURE: the goals of the project, and whether what was measured reaches them.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Measured, estimates, program::Report};

/// A goal and what was measured of it.
#[derive(Debug, PartialEq)]
pub(super) struct Goal {
    /// What is wanted.
    pub(super) text: &'static str,
    /// The most that it may be.
    pub(super) most: f64,
    /// What it is; none if it was not measured.
    pub(super) measured: Option<f64>,
    /// What the numbers are: `x` for a ratio, or a unit.
    pub(super) unit: &'static str,
}

impl Goal {
    pub(super) fn outcome(&self) -> &'static str {
        match self.measured {
            Some(measured) if measured <= self.most => "reached",
            Some(_) => "not reached",
            None => "not measured",
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "goal": self.text,
            "most": self.most,
            "measured": self.measured,
            "unit": self.unit,
            "outcome": self.outcome(),
        })
    }
}

/// Numbers of flows, from few to many.
const KNOWN: [&str; 4] = ["1", "1k", "64k", "1M"];

/// Number of flows at which modes are compared.
const MANY: &str = "1M";

const CONSTANT: &str = "constant-header";
const IPIP: &str = "ipip-4in4";
const LRU: &str = "lru-hash";

/// All goals, measured or not.
pub(super) fn all(measured: &Measured) -> Result<Vec<Goal>> {
    let report = measured.get("program").map(Report::parse).transpose()?;
    let mut goals = report.as_ref().map_or_else(Vec::new, program);
    let milliseconds = |part: &str, name: &str| estimates::milliseconds(measured.get(part)?, name);
    goals.extend(traffic(measured.get("traffic")));
    goals.push(Goal {
        text: "a ring of 65,536 slots for 1,000 weighted targets is built",
        most: 5.0,
        measured: milliseconds("control-plane", "ring/65536 slots/1000"),
        unit: "ms",
    });
    goals.push(Goal {
        text: "a change of one of 10,000 targets is applied, from the request to the answer (median)",
        most: 10.0,
        measured: measured
            .get("scale")
            .and_then(|scale| scale["change_over_api"]["median_us"].as_f64())
            .map(|microseconds| microseconds / 1000.0),
        unit: "ms",
    });
    Ok(goals)
}

/// Real packets over veth, per CPU second.
fn traffic(value: Option<&Value>) -> [Goal; 2] {
    let speed = |name: &str, flows: &str| {
        let rows = value?["packets"].as_array()?;
        let row = rows.iter().find(|row| row["name"] == name && row["flows"] == flows)?;
        row["mpps_per_cpu_second"]["median"].as_f64()
    };
    let of_xelb = |other: Option<f64>| Some(other? / speed("xelb ipip", "1M")?);
    [
        Goal {
            text: "packets of plain XDP_TX for each of ipip on veth at 1M flows, per CPU second",
            most: 1.0 / 0.85,
            measured: of_xelb(speed("plain XDP_TX", "1M")),
            unit: "x",
        },
        Goal {
            text: "packets of nftables DNAT (1k flows) for each of ipip on veth (1M), per CPU second",
            most: 1.0 / 7.0,
            measured: of_xelb(speed("nftables DNAT", "1k")),
            unit: "x",
        },
    ]
}

fn program(report: &Report) -> Vec<Goal> {
    let at = |row, flows| report.median(row, flows);
    let ratio = |text, most, measured| Goal { text, most, measured, unit: "x" };
    let pair = |row, over| report.ratio((row, MANY), (over, MANY));
    let worst = |ratios: &[Option<f64>]| {
        ratios.iter().copied().reduce(|one, other| Some(one?.max(other?))).flatten()
    };
    let constant = KNOWN.map(|flows| report.ratio((IPIP, flows), (CONSTANT, flows)));
    let known: Option<Vec<f64>> = KNOWN.iter().map(|flows| at(IPIP, flows)).collect();
    let spread = known.and_then(|known| {
        let most = known.iter().copied().reduce(f64::max)?;
        Some(most / known.iter().copied().reduce(f64::min)?)
    });
    let families =
        ["ipip-6in6", "gue-6in6", "l2dsr-ipv6"].iter().zip([IPIP, "gue-4in4", "l2dsr-ipv4"]);
    let families: Vec<_> = families.map(|(v6, v4)| pair(v6, v4)).collect();
    let bytes = (report.machine_code_bytes > 0).then(|| f64::from(report.machine_code_bytes));
    // What a table adds to a packet, against what the other kind of table costs by itself.
    let added = |row, base, flows| {
        let added = at(row, flows)? - at(base, flows)?;
        Some(added.max(0.0) / at(LRU, flows)?)
    };
    vec![
        ratio(
            "ipip, TCP, steady: to the program with a constant header (1 to 1M flows, worst)",
            3.0,
            worst(&constant),
        ),
        ratio("ipip, TCP, steady: the same from 1 to 1M flows (highest to lowest)", 1.15, spread),
        ratio(
            "SYN flood, steady: to 1M known flows",
            1.1,
            report.ratio((IPIP, "all-new"), (IPIP, MANY)),
        ),
        ratio("gue to ipip (1M flows)", 1.3, pair("gue-4in4", IPIP)),
        ratio("IPv6 to IPv4: ipip, gue, l2dsr (1M flows, worst)", 1.25, worst(&families)),
        ratio("l2dsr to ipip (1M flows)", 1.0, pair("l2dsr-ipv4", IPIP)),
        ratio(
            "armed slots, flows remembered, all of the program: to an LRU hash alone (1M flows)",
            0.5,
            pair("armed-known", LRU),
        ),
        ratio(
            "tracked UDP, all of the program: to an LRU hash alone (1M flows)",
            0.5,
            pair("tracked-ipv4-udp", LRU),
        ),
        ratio(
            "nat, all of the program: to an LRU hash alone (64k flows: there are bindings for 131,072)",
            0.5,
            report.ratio(("nat-ipv4", "64k"), (LRU, "64k")),
        ),
        ratio(
            "armed slots: what remembered flows add, to an LRU hash alone (1M flows)",
            0.5,
            added("armed-known", IPIP, MANY),
        ),
        ratio(
            "tracked UDP: what remembered flows add, to an LRU hash alone (1M flows)",
            0.5,
            added("tracked-ipv4-udp", "ipip-4in4-udp", MANY),
        ),
        Goal { text: "machine code of the program", most: 4096.0, measured: bytes, unit: "bytes" },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::program::tests::report;

    fn goal(cells: &[(&str, &str, f64)], start: &str) -> Goal {
        let goals = program(&report(cells));
        goals.into_iter().find(|goal| goal.text.starts_with(start)).unwrap()
    }

    #[test]
    fn the_worst_number_of_flows_counts() {
        let cells = |last| {
            let ipip = KNOWN.map(|flows| (IPIP, flows, if flows == MANY { last } else { 30.0 }));
            [&ipip[..], &KNOWN.map(|flows| (CONSTANT, flows, 10.0))].concat()
        };
        let start = "ipip, TCP, steady: to the program";
        assert_eq!(goal(&cells(30.0), start).outcome(), "reached");
        let missed = goal(&cells(31.0), start);
        assert_eq!((missed.outcome(), missed.measured), ("not reached", Some(3.1)));
        assert_eq!(goal(&cells(31.0)[1..], start).outcome(), "not measured");
        let flat = "ipip, TCP, steady: the same";
        assert_eq!(goal(&cells(36.0), flat).measured, Some(1.2));
    }

    #[test]
    fn rows_are_compared_between_tables() {
        let cells = [("armed-known", MANY, 150.0), (IPIP, MANY, 50.0), (LRU, MANY, 400.0)];
        assert_eq!(goal(&cells, "armed slots: what").measured, Some(0.25));
        assert_eq!(goal(&cells, "armed slots, flows").measured, Some(0.375));
    }

    #[test]
    fn missing_measurements_are_reported() {
        let goals = all(&Measured::new()).unwrap();
        assert!(goals.iter().all(|goal| goal.outcome() == "not measured"), "{goals:?}");
        let estimates = json!({ "median_nanoseconds": { "ring/65536 slots/1000": 2e6 } });
        let scale = json!({ "change_over_api": { "median_us": 12_000 } });
        let measured = Measured::from([("control-plane", estimates), ("scale", scale)]);
        let outcomes: Vec<_> = all(&measured).unwrap().iter().map(Goal::outcome).collect();
        assert_eq!(outcomes, ["not measured", "not measured", "reached", "not reached"]);
        let row = |name, flows, median| json!({ "name": name, "flows": flows, "mpps_per_cpu_second": { "median": median } });
        let rows = [
            row("xelb ipip", "1M", 2.0),
            row("plain XDP_TX", "1M", 2.2),
            row("nftables DNAT", "1k", 0.5),
        ];
        let measured = Measured::from([("traffic", json!({ "packets": rows }))]);
        let outcomes: Vec<_> = all(&measured).unwrap().iter().map(Goal::outcome).collect();
        assert_eq!(outcomes, ["reached", "not reached", "not measured", "not measured"]);
    }
}
