//! PURE: what a part has measured, in Markdown.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    estimates,
    goal::Goal,
    program::{Cell, Report},
};

/// A table in Markdown.
fn table(headlines: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headlines) + &line(&vec!["---"; headlines.len()]);
    for row in rows {
        text += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// The program's cost by case and number of flows.
pub(super) fn program(value: &Value) -> Result<String> {
    let report = Report::parse(value)?;
    let method = &report.method;
    let flows = report.rows.first().context("nothing was measured")?.cells.iter();
    let headlines: Vec<&str> =
        std::iter::once("case").chain(flows.map(|cell| cell.flows.as_str())).collect();
    let shown = |cell: &Cell| {
        let of = &cell.nanoseconds;
        if cell.samples == 0 {
            "-".to_owned()
        } else {
            format!("{:.0} ({:.0} to {:.0})", of.p50, of.min, of.p90)
        }
    };
    let rows = report
        .rows
        .iter()
        .map(|row| std::iter::once(row.name.clone()).chain(row.cells.iter().map(shown)).collect());
    Ok(format!(
        "Nanoseconds a packet, net of the generator: median (lowest to 90th percentile) of the batches. {} \
         repetitions, each with {} batches of {} packets of every cell; {} targets a group. Machine code of \
         the program: {} bytes. The method is in [benchmarking.md](benchmarking.md).\n\n{}",
        method.repetitions,
        method.batches,
        method.packets,
        method.targets,
        report.machine_code_bytes,
        table(&headlines, rows)
    ))
}

/// What criterion has measured.
pub(super) fn control_plane(value: &Value) -> Result<String> {
    let medians = value["median_nanoseconds"].as_object().context("no medians")?;
    let mut rows: Vec<(Vec<u64>, Vec<String>)> = Vec::new();
    for name in medians.keys() {
        let time = estimates::milliseconds(value, name).context("a median is not a number")?;
        rows.push((natural(name), vec![name.clone(), format!("{time:.3}")]));
    }
    rows.sort();
    Ok(format!(
        "Median milliseconds. `ring/S slots/N` builds a ring of S slots for N targets of different weights; \
         `change/N targets` is a change of the weight of one of N targets, step by step and as a whole.\n\n{}",
        table(&["what", "ms"], rows.into_iter().map(|(_, row)| row))
    ))
}

/// The numbers in a name, so that 10 comes before 100; rings first.
fn natural(name: &str) -> Vec<u64> {
    let numbers = name.split(|letter: char| !letter.is_ascii_digit());
    let numbers = numbers.filter_map(|digits| digits.parse().ok());
    std::iter::once(u64::from(!name.starts_with("ring"))).chain(numbers).collect()
}

fn times(value: &Value) -> Result<String> {
    let at = |name: &str| value[name].as_u64().with_context(|| format!("no {name}"));
    let [median, most, longest] = [at("median_us")?, at("p95_us")?, at("max_us")?];
    Ok(format!("median {median} us, 95 % within {most} us, longest {longest} us"))
}

/// Deaths.
pub(super) fn reaction(value: &Value) -> Result<String> {
    Ok(format!(
        "From the end of the probe that decides to the last slot written in the kernel's map, by the \
         agent's own clock: {} targets in one group, checked every 500 ms; {} deaths: {}.\n",
        value["targets"],
        value["deaths"],
        times(&value["reaction"])?
    ))
}

/// Packets and connections per second, of xelb and of others.
pub(super) fn traffic(value: &Value) -> Result<String> {
    let spread = |row: &Value, name: &str| {
        let at = |part: &str| row[name][part].as_f64().with_context(|| format!("no {name}"));
        anyhow::Ok(format!("{:.2} ({:.2} to {:.2})", at("median")?, at("low")?, at("high")?))
    };
    let rows = |name: &str| value[name].as_array().with_context(|| format!("no {name}"));
    let mut text = format!(
        "On veth, generator, balancer and sink on one core whose whole work counts; median (lowest to \
         highest) of {} interleaved repetitions of {} s.\n\n| frames of 60 bytes | flows | Mpps | \
         Mpps per CPU second | lost % |\n|---|---|---|---|---|\n",
        value["repetitions"], value["seconds"]
    );
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for row in rows("packets")? {
        let _written = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            word(&row["name"]),
            word(&row["flows"]),
            spread(row, "mpps")?,
            spread(row, "mpps_per_cpu_second")?,
            spread(row, "lost_percent")?
        );
    }
    text += "\n| connections | per second | us of CPU each |\n|---|---|---|\n";
    for row in rows("connections")? {
        let (speed, cost) = (spread(row, "per_second")?, spread(row, "cpu_microseconds")?);
        let _written = writeln!(text, "| {} | {speed} | {cost} |", word(&row["name"]));
    }
    text += "\n";
    for one in rows("absent")? {
        let _written =
            writeln!(text, "Not measured: {}: {}.", word(&one["name"]), word(&one["why"]));
    }
    Ok(text)
}

/// A large configuration.
pub(super) fn scale(value: &Value) -> Result<String> {
    let mut text = format!(
        "{} listeners, {} groups, {} targets, all checked.\n\n",
        value["listeners"], value["groups"], value["targets"]
    );
    let seconds = |name: &str| {
        let time = value[name].as_f64().with_context(|| format!("no {name}"))?;
        anyhow::Ok(format!("{time:.2} s"))
    };
    let memory = |name: &str| {
        let of = &value[name];
        format!("{} MiB resident, of it {} MiB its own", of["resident_mib"], of["own_mib"])
    };
    for (what, measured) in [
        ("start without a configuration", seconds("start_empty_s")?),
        ("`xelb apply` of the whole configuration", seconds("apply_s")?),
        ("start on the maps of the agent before", seconds("start_on_maps_s")?),
        ("start without maps, as after a reboot", seconds("start_anew_s")?),
        ("a change of one target over the API", times(&value["change_over_api"])?),
        ("a change of one target by `xelb target`", times(&value["change_by_command"])?),
        ("memory of the agent", memory("memory")),
        ("memory after the changes", memory("memory_after_changes")),
    ] {
        // Writing to a string does not fail.
        let _written = writeln!(text, "- {what}: {measured}");
    }
    Ok(text)
}

/// The goals.
pub(super) fn goals(goals: &[Goal]) -> String {
    let number = |goal: &Goal, value: f64| match goal.unit {
        "x" => format!("{value:.2}"),
        unit => format!("{value:.1} {unit}").replace(".0 bytes", " bytes"),
    };
    let rows = goals.iter().map(|goal| {
        let measured = goal.measured.map_or_else(|| "-".to_owned(), |value| number(goal, value));
        let outcome = goal.outcome();
        let outcome =
            if outcome == "reached" { outcome.to_owned() } else { format!("**{outcome}**") };
        vec![goal.text.to_owned(), number(goal, goal.most), measured, outcome]
    });
    table(&["goal", "at most", "measured", ""], rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_in_their_order() {
        let names = ["change/100 targets/plan", "ring/65536 slots/1000", "change/10 targets/all"];
        let medians = names.map(|name| (name.to_owned(), json!(2_500_000.0)));
        let medians: serde_json::Map<String, Value> = medians.into_iter().collect();
        let text = control_plane(&json!({ "median_nanoseconds": medians })).unwrap();
        let at = |name: &str| text.find(&format!("| {name} | 2.500 |")).unwrap();
        assert!(at(names[1]) < at(names[2]) && at(names[2]) < at(names[0]), "{text}");
    }

    #[test]
    fn goals_that_are_missed_show() {
        let goal = |measured| Goal { text: "g", most: 4096.0, measured, unit: "bytes" };
        let text = goals(&[goal(Some(5000.0)), goal(None), goal(Some(4000.0))]);
        assert!(text.contains("| g | 4096 bytes | 5000 bytes | **not reached** |"), "{text}");
        assert!(text.contains("| - | **not measured** |"), "{text}");
        assert!(text.contains("| 4000 bytes | reached |"), "{text}");
    }

    #[test]
    fn results_of_the_agent_are_in_the_tables() {
        let times = json!({ "median_us": 1, "p95_us": 2, "max_us": 3 });
        let text = reaction(&json!({ "targets": 1000, "deaths": 50, "reaction": times })).unwrap();
        assert!(
            text.ends_with("50 deaths: median 1 us, 95 % within 2 us, longest 3 us.\n"),
            "{text}"
        );
        assert!(reaction(&json!({ "targets": 1000 })).is_err());
    }
}
