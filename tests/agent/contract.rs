//! The API keeps to its OpenAPI document: schemathesis makes requests from it, good and bad ones,
//! and holds every answer of a real agent against it. The meaning of a request is not tested here.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{agent::configuration_path, process::Task};
use serde_json::Value;

use crate::{
    remote::{Files, SERVER, arguments},
    scene::{LIMIT, WEB, in_lab, json, says, start, write},
};

/// Longest time for all requests: about 20 s of processor time, on a machine that does more.
const CONTRACT_LIMIT: Duration = Duration::from_mins(3);

/// Operations that answer without an end.
const STREAMS: usize = 2;

/// Where `cargo xtask setup` has installed schemathesis, next to the tested program.
fn schemathesis(xelb: &Path) -> Result<PathBuf> {
    let target = xelb.ancestors().nth(2).context("the program lies in no target directory")?;
    let program = target.join("tools/schemathesis/bin/schemathesis");
    ensure!(program.exists(), "{} is missing: run `cargo xtask setup`", program.display());
    Ok(program)
}

fn checked_in(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_answer_is_as_the_document_says() -> Result<()> {
    in_lab(|lab, xelb| {
        let files = Files::new(lab.directory().join("tls"))?;
        files.sign("agent")?;
        let line = files.token(lab, xelb, "alice", "configure")?;
        files.private("tokens", &line)?;
        let mut agent = start(lab, xelb, &arguments(lab, &files))?;
        write(lab, WEB)?;
        says(lab, xelb, &format!("apply -f {}", configuration_path(lab).display()))?;
        says(lab, xelb, "target weight web 10.0.0.12 50")?;
        xelb.wait_healthy(lab, 2, LIMIT)?;

        let token = fs::read_to_string(files.path("alice"))?;
        let (ca, report) = (files.path("ca.pem"), lab.log("contract").display().to_string());
        let config = checked_in("tests/agent/contract/schemathesis.toml");
        let document: Value =
            serde_json::from_str(&fs::read_to_string(checked_in("docs/openapi.json"))?)?;
        let asked = document_for_generator(lab.directory(), &document)?;
        let configured = ["--config-file", &config];
        let run = ["run", &asked, "--url", SERVER, "--tls-verify", &ca];
        let kept = ["--report", "ndjson", "--report-ndjson-path", &report];
        let words = [configured.as_slice(), &run, &kept];
        let task = Task::new(schemathesis(xelb.program())?, &words.concat())
            .env("XELB_TOKEN", token.trim())
            .env("NO_COLOR", "1")
            // It keeps a cache where it runs.
            .directory(lab.directory());
        let finished = lab.lb().finish(task, CONTRACT_LIMIT)?;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        ensure!(finished.status.success(), "an answer is not as docs/openapi.json says:\n{said}");
        // It has really asked: every operation but the streams, and been let in.
        let paths = document["paths"].as_object().context("paths")?;
        let operations: usize =
            paths.values().filter_map(Value::as_object).map(serde_json::Map::len).sum();
        let wanted = format!("{} selected / {operations} total", operations - STREAMS);
        ensure!(said.contains(&wanted), "not `{wanted}`:\n{said}");
        ensure!(agent.ended()?.is_none(), "the agent has ended");
        let status = json(lab, xelb, "status")?;
        ensure!(status["last_error"].is_string(), "{status}");
        Ok(())
    })
}

/// The document in a folder, beside a schema of the configuration without its last conditions, that
/// `fullnat` needs `source_nat` and that a group has a mode, its own or that of `defaults`: the generator
/// cannot make what breaks them ("Cannot generate an array").
fn document_for_generator(folder: &Path, document: &Value) -> Result<String> {
    let mut schema: Value =
        serde_json::from_str(&fs::read_to_string(checked_in("docs/xelb.schema.json"))?)?;
    let keys = schema.as_object_mut().context("a schema")?;
    for key in ["if", "then", "allOf"] {
        ensure!(keys.remove(key).is_some(), "the schema has no `{key}`");
    }
    // So it makes groups that say their mode.
    let replaced = [
        ("/$defs/defaults/properties/forwarding", Value::Bool(false)),
        (
            "/$defs/any_target_group/else/then",
            serde_json::json!({ "$ref": "#/$defs/tcp_target_group" }),
        ),
        (
            "/$defs/target_group/required",
            serde_json::json!(["name", "protocol", "port", "forwarding"]),
        ),
    ];
    for (place, value) in replaced {
        *schema.pointer_mut(place).with_context(|| format!("the schema has no {place}"))? = value;
    }
    fs::write(folder.join("xelb.schema.json"), schema.to_string())?;
    let path = folder.join("openapi.json");
    fs::write(&path, document.to_string())?;
    Ok(path.display().to_string())
}
