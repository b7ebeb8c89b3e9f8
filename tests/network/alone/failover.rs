//! Targets that die, hang, drain and come back, under load.

use std::{
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab,
    load::{Load, Pace, Samples},
    requirements,
    topology::{VIPS, target_v4},
    wait,
};
use nix::sys::signal::Signal;

use crate::scene::{NOTICE_LIMIT, Scene, expect_no_failure, machine_alone, web_at};

const VICTIM: u8 = 2;
/// How long each state is watched.
const WATCH: Duration = Duration::from_millis(1500);
/// Two checks of 200 ms, the last with its time-out, jitter, and a busy machine.
const DETECTION_LIMIT: Duration = Duration::from_secs(2);
/// The longest that a request may take: short, so that those that hang at a target that does are
/// over soon after it has left.
const REQUEST_LIMIT: Duration = Duration::from_millis(400);
/// A request that was sent before the ring changed may still end after it.
const IN_FLIGHT: Duration = Duration::from_millis(500);

/// What is sent from now on, for a while.
fn watch(load: &Load) -> Samples {
    let from = Instant::now();
    thread::sleep(WATCH);
    load.samples().since(from)
}

fn expect_answers_of(samples: &Samples, names: &[&str]) -> anyhow::Result<()> {
    let answers = samples.by_target();
    let seen: Vec<&str> = answers.keys().map(String::as_str).collect();
    ensure!(seen == names, "answers by target: {answers:?}");
    Ok(())
}

/// Both modes side by side.
fn in_scene(body: fn(&mut Lab, &Scene, &Load) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let _machine = machine_alone();
    requirements::check(requirements::TEST_TOOLS)?;
    let in_mode = |forwarding: Forwarding| {
        lb_tests::lab::run(3, move |lab| {
            let mut configuration = Configuration::web(forwarding, &[1, 2, 3]);
            if forwarding == Forwarding::L2dsr {
                configuration.listeners.truncate(1);
            }
            let scene = Scene::start(lab, &configuration)?;
            let [v4, v6] = VIPS.map(web_at);
            // In mode l2dsr the group, of IPv4 targets, has a listener for IPv4 only.
            let second = if forwarding == Forwarding::Ipip { v6 } else { v4 };
            let pace = Pace { limit: REQUEST_LIMIT, ..Pace::default() };
            let load = Load::start(&[(lab.client(1), v4), (lab.client(2), second)], pace)?;
            let samples = watch(&load);
            expect_no_failure(&samples, 50);
            expect_answers_of(&samples, &["t1", "t2", "t3"])?;
            body(lab, &scene, &load)
        })
        .with_context(|| format!("in mode {forwarding}"))
    };
    thread::scope(|scope| {
        let modes = [Forwarding::Ipip, Forwarding::L2dsr];
        let labs = modes.map(|forwarding| scope.spawn(move || in_mode(forwarding)));
        let outcomes = labs.map(|lab| lab.join().unwrap_or_else(|payload| resume_unwind(payload)));
        outcomes.into_iter().collect()
    })
}

#[test]
fn a_dead_target_leaves_and_comes_back() -> anyhow::Result<()> {
    in_scene(|lab, scene, load| {
        let killed = Instant::now();
        lab.kill_web_server(VICTIM);
        expect_loss(lab, scene, load, killed)?;
        let begun = Instant::now();
        lab.restart_web_server(VICTIM)?;
        expect_return(lab, scene, load, begun)
    })
}

/// A server that accepts connections and says nothing is found by the time-out.
#[test]
fn a_hanging_target_leaves_and_comes_back() -> anyhow::Result<()> {
    in_scene(|lab, scene, load| {
        let stopped = Instant::now();
        let server = lab.web_server(VICTIM).context("the server runs")?;
        server.signal(Signal::SIGSTOP)?;
        expect_loss(lab, scene, load, stopped)?;
        let begun = Instant::now();
        let server = lab.web_server(VICTIM).context("the server runs")?;
        server.signal(Signal::SIGCONT)?;
        expect_return(lab, scene, load, begun)
    })
}

fn expect_loss(lab: &Lab, scene: &Scene, load: &Load, since: Instant) -> anyhow::Result<()> {
    let victim = target_v4(VICTIM).into();
    scene.xelb.wait_state(lab, victim, "unhealthy", NOTICE_LIMIT)?;
    let detected = since.elapsed();
    ensure!(detected < DETECTION_LIMIT, "detected after {detected:?}");
    thread::sleep(IN_FLIGHT);
    let after = watch(load);
    expect_no_failure(&after, 50);
    let met = load.samples().since(since);
    let last = met.failures().iter().map(|sample| sample.at.duration_since(since)).max();
    println!(
        "seen as unhealthy after {detected:?}; last request that met the dead target: {last:?}"
    );
    expect_answers_of(&after, &["t1", "t3"])
}

fn expect_return(lab: &Lab, scene: &Scene, load: &Load, since: Instant) -> anyhow::Result<()> {
    let victim = target_v4(VICTIM).into();
    scene.xelb.wait_state(lab, victim, "healthy", NOTICE_LIMIT)?;
    let name = format!("t{VICTIM}");
    wait::until("the target answers again", NOTICE_LIMIT, || {
        load.samples().since(since).first_answer_of(&name).ok_or_else(|| "no answer".to_owned())
    })?;
    let after = watch(load);
    expect_no_failure(&after, 50);
    expect_answers_of(&after, &["t1", "t2", "t3"])
}

#[test]
fn a_drained_target_gets_no_new_connections() -> anyhow::Result<()> {
    in_scene(|lab, scene, load| {
        let address = target_v4(VICTIM).to_string();
        scene.xelb.command(lab, &["target", "drain", "web", &address])?.success()?;
        let victim = target_v4(VICTIM).into();
        scene.xelb.wait_state(lab, victim, "draining", NOTICE_LIMIT)?;
        thread::sleep(IN_FLIGHT);
        let drained = watch(load);
        expect_no_failure(&drained, 50);
        expect_answers_of(&drained, &["t1", "t3"])?;
        scene.xelb.command(lab, &["target", "undrain", "web", &address])?.success()?;
        scene.xelb.wait_state(lab, victim, "healthy", NOTICE_LIMIT)?;
        thread::sleep(IN_FLIGHT);
        let after = watch(load);
        expect_answers_of(&after, &["t1", "t2", "t3"])
    })
}
