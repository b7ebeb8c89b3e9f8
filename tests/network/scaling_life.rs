//! The life of the members of a scaled group, under requests that must not fail: hooks, the warm
//! pool, an instance refresh, suspended processes, and a schedule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Xelb,
    load::{Load, Pace},
    scaled::{self, Member, PORT, ScaledGroup},
    topology::VIP_V4,
};
use serde_json::Value;

use crate::scene::{expect_no_failure, in_lab};

const LIMIT: Duration = Duration::from_secs(90);
/// Longer than the agent takes to end a member that nobody uses.
const NOTHING_HAPPENS: Duration = Duration::from_secs(4);

/// A hook that notes what it is told.
struct Hooks {
    program: PathBuf,
    notes: PathBuf,
}

impl Hooks {
    fn install(group: &ScaledGroup, folder: &Path) -> Result<Self> {
        let notes = folder.join("hooks.txt");
        // The input has no line end, at which `read` fails.
        let text = format!(
            "#!/bin/sh\nread -r told || true\nsleep 0.2\necho \"$told\" >> {}\n",
            notes.display()
        );
        Ok(Self { program: group.add_program("note", &text)?, notes })
    }

    /// The names of members that a hook has run for.
    fn names(&self, hook: &str) -> Result<BTreeSet<String>> {
        let text = fs::read_to_string(&self.notes).unwrap_or_default();
        let mut names = BTreeSet::new();
        for line in text.lines() {
            let told: Value = serde_json::from_str(line)?;
            ensure!(told["group"] == "web" && told["port"].is_number(), "{line}");
            if told["hook"] == hook {
                names.extend(told["name"].as_str().map(ToOwned::to_owned));
            }
        }
        Ok(names)
    }

    fn keys(&self) -> String {
        let program = self.program.display();
        format!(
            "hooks: {{ launch: {{ program: {program} }}, terminate: {{ program: {program} }} }}"
        )
    }
}

struct Scenario<'lab> {
    lab: &'lab Lab,
    xelb: Xelb,
    group: ScaledGroup,
    hooks: Hooks,
}

impl Scenario<'_> {
    fn configure(&self, revision: &str, more: &[&str]) -> Result<()> {
        let hooks = self.hooks.keys();
        let mut keys = vec![
            "min: 1",
            "max: 4",
            "initial: 1",
            "sample_interval: 1s",
            "scale_in_window: 2s",
            "replacement: { max_at_once: 100%, min_healthy: 50% }",
            "warm_pool: { size: 1, state: stopped }",
            &hooks,
        ];
        keys.extend(more);
        Ok(self.group.configure(self.lab, revision, &keys)?)
    }

    fn scale(&self, arguments: &[&str]) -> Result<()> {
        let command = [&["scale"], arguments].concat();
        self.xelb.command(self.lab, &command)?.success()?;
        Ok(())
    }

    fn wait<T>(&self, what: &str, done: impl FnMut(&[Member]) -> Option<T>) -> Result<T> {
        Ok(scaled::wait_members(self.lab, &self.xelb, what, LIMIT, done)?)
    }

    /// Waits until so many members serve; others may be on their way out.
    fn wait_in_service(&self, count: usize) -> Result<BTreeSet<String>> {
        let what = format!("{count} members are in service");
        self.wait(&what, |members| Some(serving(members)).filter(|names| names.len() == count))
    }

    fn wait_warm(&self) -> Result<String> {
        let warm = |member: &&Member| member.state == "warm";
        self.wait("a member is warm and stopped", |members| {
            let name = members.iter().find(warm)?.name.clone();
            let runs = self.group.processes().iter().any(|(other, _)| *other == name);
            (!runs).then_some(name)
        })
    }

    /// A warm member is taken before another is launched.
    fn warm_pool(&self) -> Result<()> {
        let first = self.wait_in_service(1)?;
        let warm = self.wait_warm()?;
        let asked = Instant::now();
        self.scale(&["set-desired", "web", "2"])?;
        let both = self.wait_in_service(2)?;
        eprintln!("a warm member is in service after {:?}", asked.elapsed());
        ensure!(both.contains(&warm), "{warm} of the warm pool is not in {both:?}");
        ensure!(both.is_superset(&first), "{first:?} {both:?}");
        let launched = self.hooks.names("launch")?;
        ensure!(launched.is_superset(&both), "hooks of {launched:?}, members {both:?}");
        Ok(())
    }

    /// What is suspended does not happen, is said, and happens afterwards.
    fn suspend(&self) -> Result<()> {
        self.scale(&["suspend", "web", "terminate"])?;
        self.scale(&["set-desired", "web", "1"])?;
        thread::sleep(NOTHING_HAPPENS);
        let members = scaled::members(self.lab, &self.xelb)?;
        ensure!(scaled::in_service(&members, 2).is_some(), "{members:?}");
        let status = self.xelb.command(self.lab, &["status"])?.stdout;
        ensure!(status.contains("suspended: terminate"), "{status}");
        self.scale(&["resume", "web"])?;
        self.wait_in_service(1)?;
        self.scale(&["set-desired", "web", "2"])?;
        self.wait_in_service(2)?;
        Ok(())
    }

    /// All members are replaced by those of another template.
    fn refresh(&self) -> Result<()> {
        let before = scaled::members(self.lab, &self.xelb)?;
        let old = serving(&before);
        let is_new = |member: &Member| before.iter().all(|one| one.template != member.template);
        self.configure("second-", &[])?;
        // Warm members of the old template are replaced at once.
        self.wait("a warm member has the new template", |members| {
            members.iter().any(|one| one.state == "warm" && is_new(one)).then_some(())
        })?;
        let begun = Instant::now();
        self.scale(&["refresh", "web"])?;
        let new = self.wait("all members are new", |members| {
            let names = serving(members);
            (names.len() == 2 && names.is_disjoint(&old)).then_some(names)
        })?;
        eprintln!("a refresh of {} members takes {:?}", new.len(), begun.elapsed());
        self.wait("terminate hooks have run for all old members", |_| {
            let ended = self.hooks.names("terminate").ok()?;
            ended.is_superset(&old).then_some(())
        })
    }

    /// The next minute sets another capacity.
    fn schedule(&self) -> Result<()> {
        let schedule = "policies: [{ name: often, schedule: { cron: \"* * * * *\", desired: 3 } }]";
        self.configure("second-", &[schedule])?;
        self.wait_in_service(3)?;
        let said = self.xelb.command(self.lab, &["get", "activities", "web"])?.success()?;
        ensure!(said.contains("often"), "{said}");
        Ok(())
    }
}

/// The names of members in service.
fn serving(members: &[Member]) -> BTreeSet<String> {
    let serve = members.iter().filter(|member| member.state == "in-service");
    serve.map(|member| member.name.clone()).collect()
}

#[test]
fn hooks_warm_pool_refresh_suspension_and_schedule_without_a_failed_request() -> Result<()> {
    in_lab(1, |lab| {
        // A closed connection is remembered for longer, and no request takes so long.
        let mut group = ScaledGroup::prepare(lab)?;
        group.deregistration_delay = "2s";
        let hooks = Hooks::install(&group, lab.directory())?;
        let scenario = Scenario { lab, xelb: Xelb::find(None)?, group, hooks };
        scenario.configure("first-", &[])?;
        let _agent = scenario.group.agent(lab, &scenario.xelb)?;
        scenario.wait_in_service(1)?;
        let pace = Pace { workers: 2, pause: Duration::from_millis(20), limit: LIMIT };
        let load = Load::start(&[(lab.client(1), (VIP_V4, PORT).into())], pace)?;
        scenario.warm_pool()?;
        scenario.suspend()?;
        scenario.refresh()?;
        scenario.schedule()?;
        let samples = load.finish();
        expect_no_failure(&samples, 300);
        let answers = samples.by_target();
        for revision in ["first-", "second-"] {
            let some = answers.keys().any(|target| target.starts_with(revision));
            ensure!(some, "no answer of {revision}: {answers:?}");
        }
        let activities = scenario.xelb.command(lab, &["get", "activities", "web"])?.success()?;
        ensure!(!activities.contains("failed"), "{activities}");
        Ok(())
    })
}
