//! The answer of `xelb bench program`, as programs read it. docs/benchmarking.md describes it: fields
//! are added, never renamed.

use serde::{Deserialize, Serialize};

use super::Conditions;
pub use super::statistics::Summary;

/// Number of the format.
pub const FORMAT: u32 = 1;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The host.
    pub conditions: Conditions,
    /// How it was measured.
    pub method: Method,
    /// Bytes of machine code of the balancer's program; 0 where the kernel interprets it.
    pub machine_code_bytes: u32,
    /// What was measured, each with its cells.
    pub rows: Vec<Row>,
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// `synthetic` or `live`.
    pub configuration: String,
    /// Targets of each group of the synthetic configuration.
    pub targets: u16,
    /// Bytes of a frame.
    pub frame_bytes: usize,
    /// Packets of a batch.
    pub packets: u32,
    /// Batches of a cell in a repetition.
    pub batches: u32,
    /// Repetitions that were begun; cells are interleaved, so that each repetition has all of them.
    pub repetitions: u32,
    /// The CPU that it ran on.
    pub cpu: usize,
    /// Whether the time limit ended it early.
    pub ended_early: bool,
    /// Seconds that it took.
    pub seconds: f64,
}

/// One kind of packets, or one reference program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name: a case, a reference program, or a listener as `ADDRESS:PORT/PROTOCOL`.
    pub name: String,
    /// `program`, or `reference` for what is there to compare with.
    pub kind: String,
    /// Forwarding mode; empty for a reference, and for a listener.
    pub mode: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// What is remembered of flows: `steady`, `bound`, `home`, `known`, `opening`, `tracked`; empty
    /// for a reference, and for a listener.
    pub memory: String,
    /// By number of flows.
    pub cells: Vec<Cell>,
}

/// One number of flows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The name of the number, as on the command line.
    pub flows: String,
    /// The number; for new flows, that after which they come again.
    pub flow_count: u32,
    /// Whether every packet is of a new flow.
    pub all_new: bool,
    /// Batches that were measured; 0 when the cell was left out.
    pub samples: u64,
    /// Nanoseconds a packet, net of the generator.
    pub nanoseconds: Summary,
    /// Nanoseconds a packet of the generator itself, which have been subtracted.
    pub generator: Summary,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_out: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that describes the format.
    const PAGE: &str = include_str!("../../../../docs/benchmarking.md");

    #[test]
    fn the_documentation_shows_a_report() {
        let (_, example) = PAGE.split_once("<!-- checked: bench program -->\n```json\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let shown: serde_json::Value = serde_json::from_str(example).unwrap();
        let report: Report = serde_json::from_str(example).unwrap();
        // Every field is shown, and no other.
        assert_eq!(serde_json::to_value(&report).unwrap(), shown);
        assert_eq!(report.format, FORMAT);
    }
}
