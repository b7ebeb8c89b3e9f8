//! The parts of the measurements, as a table in the order of the document. Each gives JSON, and says
//! how that is written down.

use std::fs;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use super::{estimates, tables};
use crate::workspace::{Workspace, output, run};

/// One part.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What it tells; its headline.
    pub(super) purpose: &'static str,
    /// How other projects measure the same.
    pub(super) command: &'static str,
    /// Measures.
    pub(super) action: fn(&Workspace) -> Result<Value>,
    /// What was measured, in Markdown; none for a part that is not in the document.
    pub(super) section: Option<fn(&Value) -> Result<String>>,
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "program",
        purpose: "Cost of the program",
        command: "xelb bench program",
        action: |workspace| {
            build(workspace)?;
            let xelb = workspace.target_dir.join("release/xelb");
            let mut bench = workspace.program_at(&xelb);
            json(&output(bench.args(["bench", "program", "-o", "json"]))?)
        },
        section: Some(tables::program),
    },
    Part {
        name: "control-plane",
        purpose: "Rings, plans and changes, without a kernel",
        command: "cargo xtask bench control-plane",
        action: |workspace| {
            // What is left of other versions would be taken for measured.
            let folder = workspace.target_dir.join("criterion");
            if folder.exists() {
                fs::remove_dir_all(&folder).context("cannot remove old measurements")?;
            }
            let bench = ["bench", "--quiet", "--package", "lb-tests", "--bench", "control_plane"];
            run(&mut workspace.cargo(bench))?;
            estimates::read(&folder)
        },
        section: Some(tables::control_plane),
    },
    Part {
        name: "reaction",
        purpose: "From a death to the ring in the kernel",
        command: "cargo xtask bench reaction",
        action: |workspace| lab(workspace, "reaction"),
        section: Some(tables::reaction),
    },
    Part {
        name: "scale",
        purpose: "A large configuration on a real agent",
        command: "cargo xtask bench scale",
        action: |workspace| lab(workspace, "scale"),
        section: Some(tables::scale),
    },
    Part {
        name: "traffic",
        purpose: "Packets and connections beside others",
        command: "cargo xtask bench traffic",
        action: |workspace| lab(workspace, "traffic"),
        section: Some(tables::traffic),
    },
    Part {
        name: "consistency",
        purpose: "How many flows are remembered while a group changes",
        command: "cargo xtask bench consistency",
        action: |workspace| {
            run(workspace.cargo(XELB_BENCH).arg("consistency"))?;
            Ok(Value::Null)
        },
        section: None,
    },
    Part {
        name: "scaling",
        purpose: "What 1,000 scaled groups cost an agent",
        command: "cargo xtask bench scaling",
        action: |workspace| {
            build(workspace)?;
            run(workspace.cargo(XELB_BENCH).arg("scaling"))?;
            Ok(Value::Null)
        },
        section: None,
    },
];

/// Runs the measurements of lb-tests.
const XELB_BENCH: [&str; 8] =
    ["run", "--quiet", "--release", "--package", "lb-tests", "--bin", "xelb-bench", "--"];

/// A measurement on a real agent, in network namespaces.
fn lab(workspace: &Workspace, name: &str) -> Result<Value> {
    build(workspace)?;
    json(&output(workspace.cargo(XELB_BENCH).args(["--json", name]))?)
}

/// Builds `xelb` as users build it.
pub(super) fn build(workspace: &Workspace) -> Result<()> {
    let build = ["build", "--quiet", "--release", "--package", "lb-userspace", "--bin", "xelb"];
    run(&mut workspace.cargo(build))
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("what was measured is not JSON")
}

/// A part of this name, or an error that lists them.
pub(super) fn parse(name: &str) -> Result<&'static Part> {
    PARTS.iter().find(|part| part.name == name).ok_or_else(|| {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        anyhow!("the parts are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_part_is_answered_with_the_known_ones() {
        let message = parse("datapath").unwrap_err().to_string();
        assert!(message.starts_with("the parts are program, control-plane"), "{message}");
        assert_eq!(parse("scale").unwrap().name, "scale");
    }
}
