//! PURE: what `xelb bench program -o json` says (docs/benchmarking.md), as far as it is needed here.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The format that is understood.
const FORMAT: u32 = 1;

#[derive(Debug, Deserialize)]
pub(super) struct Report {
    format: u32,
    pub(super) conditions: Conditions,
    pub(super) method: Method,
    pub(super) machine_code_bytes: u32,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Conditions {
    pub(super) version: String,
    pub(super) taken_at: String,
    pub(super) cpu: String,
    pub(super) cpus: usize,
    pub(super) kernel: String,
    pub(super) mitigations: BTreeMap<String, String>,
    pub(super) load: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Method {
    pub(super) targets: u16,
    pub(super) packets: u32,
    pub(super) batches: u32,
    pub(super) repetitions: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cell {
    pub(super) flows: String,
    pub(super) samples: u64,
    pub(super) nanoseconds: Summary,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) min: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
}

impl Report {
    /// From JSON.
    pub(super) fn parse(value: &Value) -> Result<Self> {
        let report: Self =
            Self::deserialize(value).context("not a report of `xelb bench program`")?;
        ensure!(report.format == FORMAT, "the report has format {}", report.format);
        Ok(report)
    }

    /// What was measured of a row with that many flows.
    pub(super) fn cell(&self, row: &str, flows: &str) -> Option<Summary> {
        let row = self.rows.iter().find(|one| one.name == row)?;
        let cell = row.cells.iter().find(|cell| cell.flows == flows)?;
        (cell.samples > 0).then_some(cell.nanoseconds)
    }

    /// The median, in nanoseconds a packet.
    pub(super) fn median(&self, row: &str, flows: &str) -> Option<f64> {
        self.cell(row, flows).map(|summary| summary.p50)
    }

    /// A ratio of two medians; none when one was not measured, or cost nothing.
    pub(super) fn ratio(&self, over: (&str, &str), under: (&str, &str)) -> Option<f64> {
        let [above, below] = [over, under].map(|(row, flows)| self.median(row, flows));
        below.filter(|below| *below > 0.0).and_then(|below| Some(above? / below))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A report with these medians, by row and number of flows.
    pub(in crate::bench) fn report(cells: &[(&str, &str, f64)]) -> Report {
        let rows: Vec<Value> = cells
            .iter()
            .map(|(name, flows, median)| {
                let summary = json!({ "min": median, "p50": median, "p90": median });
                json!({ "name": name, "cells": [
                    { "flows": flows, "samples": 9, "nanoseconds": summary },
                ]})
            })
            .collect();
        let mut merged: BTreeMap<String, Value> = BTreeMap::new();
        for row in rows {
            let name = row["name"].as_str().unwrap().to_owned();
            match merged.get_mut(&name) {
                Some(known) => {
                    known["cells"].as_array_mut().unwrap().push(row["cells"][0].clone());
                }
                None => drop(merged.insert(name, row)),
            }
        }
        let value = json!({
            "format": 1,
            "conditions": { "version": "0", "taken_at": "2026-01-01T00:00:00Z", "cpu": "c", "cpus": 2,
                "kernel": "6.1", "mitigations": {}, "load": "0.1" },
            "method": { "targets": 1000, "packets": 1, "batches": 1, "repetitions": 1 },
            "machine_code_bytes": 4000,
            "rows": merged.into_values().collect::<Vec<_>>(),
        });
        Report::parse(&value).unwrap()
    }

    #[test]
    fn ratios_are_those_of_medians() {
        let report = report(&[("a", "1", 30.0), ("b", "1", 10.0), ("c", "1", 0.0)]);
        assert_eq!(report.ratio(("a", "1"), ("b", "1")), Some(3.0));
        assert_eq!(report.ratio(("a", "1M"), ("b", "1")), None);
        assert_eq!(report.ratio(("a", "1"), ("c", "1")), None);
        assert_eq!(report.ratio(("none", "1"), ("b", "1")), None);
    }

    #[test]
    fn other_formats_are_refused() {
        assert!(Report::parse(&json!({ "format": 1 })).is_err());
    }
}
