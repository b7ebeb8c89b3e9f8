//! A scaled group whose members follow what a program prints, what they report of themselves with the
//! answers to health checks, and what somebody sends. What is no number moves nothing.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Xelb,
    scaled::{self, ScaledGroup},
    wait,
};

use crate::scene::in_lab;

const LIMIT: Duration = Duration::from_mins(1);

struct Scenario<'lab> {
    lab: &'lab Lab,
    xelb: Xelb,
    group: ScaledGroup,
    /// What the program prints.
    printed: PathBuf,
}

impl Scenario<'_> {
    /// One metric, and a policy that follows it.
    fn configure(&self, metric: &str, value: &str) -> Result<()> {
        let keys = [
            "min: 1",
            "max: 3",
            "warmup: 0s",
            "sample_interval: 1s",
            "scale_in_window: 2s",
            &format!("metrics: [{{ name: work, {metric} }}]"),
            &format!(
                "policies: [{{ name: load, target_tracking: {{ metric: work, value: {value} }} }}]"
            ),
        ];
        Ok(self.group.configure(self.lab, "", &keys)?)
    }

    /// Waits until so many members serve; others may be on their way out.
    fn wait_in_service(&self, count: usize) -> Result<BTreeSet<String>> {
        let what = format!("{count} members are in service");
        let done = |members: &[scaled::Member]| {
            let serve = members.iter().filter(|member| member.state == "in-service");
            let names: BTreeSet<String> = serve.map(|member| member.name.clone()).collect();
            Some(names).filter(|names| names.len() == count)
        };
        Ok(scaled::wait_members(self.lab, &self.xelb, &what, LIMIT, done)?)
    }

    fn explained(&self, expected: &str) -> Result<()> {
        wait::until(&format!("explained: {expected}"), LIMIT, || {
            let command = self.xelb.command(self.lab, &["scale", "explain", "web"]);
            let text = command.map(|done| done.stdout).map_err(|error| error.to_string())?;
            if text.contains(expected) { Ok(()) } else { Err(text) }
        })
        .map_err(Into::into)
    }

    fn by_program(&self) -> Result<()> {
        fs::write(&self.printed, "25\n")?;
        let three = self.wait_in_service(3)?;
        self.explained("load sees work = 25")?;
        fs::write(&self.printed, "none\n")?;
        self.explained("the program prints `none`, and no number")?;
        let status = self.xelb.command(self.lab, &["status"])?.stdout;
        ensure!(status.contains("the program prints `none`"), "{status}");
        ensure!(self.wait_in_service(3)? == three, "members left");
        Ok(())
    }

    fn by_report(&self) -> Result<()> {
        // Be they three or two, two are needed: 0.9 / 0.5, and 0.6 / 0.5.
        self.group.report("0.3")?;
        self.configure("report: { header: X-Load, max_age: 5s }", "0.5")?;
        self.wait_in_service(2)?;
        self.group.report("0.9")?;
        self.wait_in_service(3)?;
        self.group.report("much")?;
        self.explained("reports `much`, and no number from 0 to 1")?;
        let targets = scaled::json(self.lab, &self.xelb, &["get", "targets", "-o", "json"])?;
        let target = targets[0]["port"].to_string();
        let address = targets[0]["address"].as_str().unwrap_or_default();
        let name = format!("web/{address}:{target}");
        let page = self.xelb.command(self.lab, &["describe", "target", &name])?.success()?;
        ensure!(page.contains("reports work = much"), "{page}");
        Ok(())
    }

    fn by_post(&self) -> Result<()> {
        self.configure("post: { max_age: 1m }", "10")?;
        let post = |metric: &str, value: &str| {
            let arguments = ["scale", "post-metric", "web", metric, value, "--ttl", "30s"];
            self.xelb.command(self.lab, &arguments)
        };
        // The file is read a moment later.
        wait::until("a value is taken", LIMIT, || {
            let done = post("work", "5").map_err(|error| error.to_string())?;
            if done.stdout.contains("group web: work is 5") { Ok(()) } else { Err(done.stderr) }
        })?;
        self.wait_in_service(1)?;
        let unknown = post("jobs", "5")?;
        ensure!(unknown.status.code() == Some(2), "{unknown:?}");
        ensure!(unknown.stderr.contains("has no metric jobs with `post` (work)"), "{unknown:?}");
        ensure!(post("work", "-1")?.status.code() == Some(2), "a negative number is no work");
        Ok(())
    }
}

#[test]
fn members_follow_a_program_reports_and_sent_values() -> Result<()> {
    in_lab(1, |lab| {
        let mut group = ScaledGroup::prepare(lab)?;
        group.deregistration_delay = "1s";
        let printed = lab.directory().join("work.txt");
        fs::write(&printed, "5\n")?;
        let program = format!("#!/bin/sh\nexec cat {}\n", printed.display());
        let program = group.add_program("print", &program)?;
        let scenario = Scenario { lab, xelb: Xelb::find(None)?, group, printed };
        let exec = format!("exec: {{ command: [{}], timeout: 5s }}", program.display());
        scenario.configure(&exec, "10")?;
        let _agent = scenario.group.agent(lab, &scenario.xelb)?;
        scenario.wait_in_service(1)?;
        scenario.by_program()?;
        scenario.by_report()?;
        scenario.by_post()
    })
}
