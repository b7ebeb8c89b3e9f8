//! Warnings as people and programs see them: `xelb status`, the metrics, `xelb doctor`.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    http,
    process::Task,
    wait,
};
use serde_json::Value;

use crate::scene::{NOTICE_LIMIT, REQUEST_LIMIT};

const METRICS: &str = "127.0.0.1:9900";

/// Starts an agent with metrics, and waits until it answers. Its interfaces need not exist.
pub(crate) fn agent(lab: &Lab, xelb: &Xelb, mode: &str) -> anyhow::Result<Process> {
    let path = configuration_path(lab).display().to_string();
    fs::create_dir_all(Path::new(SOCKET).parent().context("the socket has a folder")?)?;
    let words = ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let options = ["--metrics", METRICS, "--xdp-mode", mode];
    let arguments: Vec<&str> = words.into_iter().chain(options).collect();
    let agent = lab.lb().spawn(Task::new(xelb.program(), &arguments).log_to(&lab.log("agent"))?)?;
    wait::until("the agent answers", NOTICE_LIMIT, || {
        xelb.targets(lab).map(drop).map_err(|error| error.to_string())
    })?;
    Ok(agent)
}

/// What `xelb status -o json` says.
pub(crate) fn status(lab: &Lab, xelb: &Xelb) -> anyhow::Result<Value> {
    let text = xelb.command(lab, &["status", "-o", "json"])?.success()?;
    Ok(serde_json::from_str(&text)?)
}

/// Texts of the warnings of this kind about this subject; an empty one is any.
fn texts(lab: &Lab, xelb: &Xelb, kind: &str, subject: &str) -> anyhow::Result<Vec<String>> {
    let status = status(lab, xelb)?;
    let details = status["warning_details"].as_array().context("there are no details")?;
    let wanted = details
        .iter()
        .filter(|one| one["kind"] == kind && (subject.is_empty() || one["subject"] == subject));
    Ok(wanted.filter_map(|one| one["text"].as_str()).map(str::to_owned).collect())
}

fn metric(lab: &Lab, kind: &str) -> anyhow::Result<f64> {
    let server: SocketAddr = METRICS.parse()?;
    let answer = lab.lb().run(move || http::get(server, "/metrics", REQUEST_LIMIT))?;
    let text = String::from_utf8(answer.body)?;
    let series = format!("xelb_warnings{{kind=\"{kind}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series));
    Ok(value.map_or(Ok(0.0), str::parse)?)
}

/// Waits for a warning of this kind about this subject, in `status`; the metric and `doctor` say the same.
/// Gives its text.
pub(crate) fn expect(
    lab: &Lab,
    xelb: &Xelb,
    (kind, subject): (&str, &str),
    limit: Duration,
) -> anyhow::Result<String> {
    let text = wait::until(&format!("status warns: {kind} {subject}"), limit, || {
        let texts = texts(lab, xelb, kind, subject).map_err(|error| error.to_string())?;
        texts.into_iter().next().ok_or_else(|| "it does not".to_owned())
    })?;
    wait::until(&format!("the metric has {kind}"), NOTICE_LIMIT, || match metric(lab, kind) {
        Ok(count) if count >= 1.0 => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let doctor = xelb.command(lab, &["doctor", "-o", "json"])?;
    let findings: Value =
        serde_json::from_str(&doctor.stdout).with_context(|| format!("{doctor:?}"))?;
    let found = findings.as_array().into_iter().flatten().any(|one| one["check"] == kind);
    anyhow::ensure!(found, "doctor has no finding {kind}: {findings}");
    Ok(text)
}

/// Waits until there is no warning of this kind any more.
pub(crate) fn expect_end(
    lab: &Lab,
    xelb: &Xelb,
    kind: &str,
    limit: Duration,
) -> anyhow::Result<()> {
    wait::until(&format!("{kind} has ended"), limit, || {
        let texts = texts(lab, xelb, kind, "").map_err(|error| error.to_string())?;
        if texts.is_empty() { Ok(()) } else { Err(texts.join("; ")) }
    })?;
    Ok(())
}
