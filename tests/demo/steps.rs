//! The steps of the demo, in their order. Each does one thing under load and says what it cost.

use std::{
    thread,
    time::{Duration, Instant},
};

use lb_tests::{
    Configuration, Forwarding, Lab, Process, Xelb,
    agent::write_configuration,
    load::{Load, Pace, Samples},
    topology::{VIP_V4, VIP_V6, VIPS, target_v4},
    wait, web,
};

use crate::{
    TARGETS, https, report,
    screen::{Screen, time},
};

/// How long each picture of the spread is measured.
const MEASURE: Duration = Duration::from_secs(3);
/// The longest that the demo waits for the agent to notice something.
const PATIENCE: Duration = Duration::from_secs(8);
/// The target that fails and comes back.
const VICTIM: u8 = 2;
/// Targets in the first configuration.
const FIRST_TARGETS: [u8; 3] = [1, 2, 3];
/// Targets in the second one.
const ALL_TARGETS: [u8; TARGETS as usize] = [1, 2, 3, 4];

const DRAWING: &str = "
   client1 (IPv4) --+                        +-- lb  xelb agent: XDP on eth0, health checks
                    |                        |
                    +-- router ---- switch --+-- t1  nginx, xelb decap
                    |     203.0.113.10       +-- t2  nginx, xelb decap
   client2 (IPv6) --+     2001:db8:10::10    +-- t3  nginx, xelb decap
                          are routed to lb   +-- t4  nginx, xelb decap (joins later)

   Requests go   client - router - lb - (IPIP) - target.
   Answers go    target - router - client: past lb (direct server return).";

/// What runs when the steps are done.
#[derive(Debug)]
pub(crate) struct Running {
    agent: Process,
    proxy: Process,
    decaps: Vec<Process>,
    started: Instant,
}

/// Runs the steps.
pub(crate) fn run(lab: &mut Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<Running> {
    let started = Instant::now();
    screen.title("xelb: a load balancer, three web servers behind it, and two clients");
    println!("{}", DRAWING.trim_start_matches('\n'));

    let (agent, decaps) = start(lab, xelb, screen)?;
    let load = clients(lab)?;
    show_spread(&load, screen);
    lose_target(lab, xelb, screen, &load)?;
    recover_target(lab, xelb, screen, &load)?;
    add_target(lab, xelb, screen, &load)?;
    let samples = load.finish();
    show_xelb(lab, xelb, screen, &samples)?;
    let proxy = https::show(lab, xelb, screen)?;
    Ok(Running { agent, proxy, decaps, started })
}

impl Running {
    /// Ends what runs, in the order in which an operator would.
    pub(crate) fn end(mut self, lab: &Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<()> {
        screen.step("The end");
        self.proxy.stop(PATIENCE)?;
        self.agent.stop(PATIENCE)?;
        xelb.detach(lab)?;
        for decap in &mut self.decaps {
            decap.stop(PATIENCE)?;
        }
        screen.line("xelb is stopped and detached; the network goes with this process.");
        screen.fact("the whole demo took", time(self.started.elapsed()));
        Ok(())
    }
}

fn start(lab: &Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<(Process, Vec<Process>)> {
    screen.step("Start `xelb decap` on the targets and `xelb agent` on lb");
    let decaps = lab
        .targets()
        .iter()
        .map(|target| xelb.decap(lab, target))
        .collect::<Result<Vec<_>, _>>()?;
    write_configuration(lab, &Configuration::web(Forwarding::Ipip, &FIRST_TARGETS))?;
    let begun = Instant::now();
    let agent = xelb.agent(lab)?;
    screen.fact("loaded, attached and answering after", time(begun.elapsed()));
    xelb.wait_healthy(lab, FIRST_TARGETS.len(), PATIENCE)?;
    screen.fact("three targets healthy after", time(begun.elapsed()));
    screen
        .line("Health checks: GET /healthz each 200 ms, time-out 150 ms; 2 failures make a target");
    screen.line("unhealthy, 2 successes healthy.");
    Ok((agent, decaps))
}

/// Load from both clients, until the end; each request on a new connection.
fn clients(lab: &Lab) -> lb_tests::Result<Load> {
    let [v4, v6] = VIPS.map(|vip| (vip, web::PORT).into());
    Load::start(&[(lab.client(1), v4), (lab.client(2), v6)], Pace::default())
}

fn show_spread(load: &Load, screen: &Screen) {
    screen.step(&format!(
        "client1 asks http://{VIP_V4}/ and client2 http://[{VIP_V6}]/, for {}",
        time(MEASURE)
    ));
    let samples = measure(load);
    report::spread(screen, &samples, 3);
    report::failures(screen, &samples);
    report::latency(screen, &samples);
}

/// What happens in the next while.
fn measure(load: &Load) -> Samples {
    let from = Instant::now();
    thread::sleep(MEASURE);
    load.samples().since(from)
}

fn lose_target(lab: &mut Lab, xelb: &Xelb, screen: &Screen, load: &Load) -> anyhow::Result<()> {
    screen.step(&format!("Kill nginx on t{VICTIM}"));
    let killed = Instant::now();
    lab.kill_web_server(VICTIM);
    xelb.wait_state(lab, target_v4(VICTIM).into(), "unhealthy", PATIENCE)?;
    let detected = killed.elapsed();
    let after = measure(load);
    let samples = load.samples().since(killed);
    screen.fact("`xelb get targets`: unhealthy after", time(detected));
    let redistributed =
        report::last_failure(&samples, killed).map_or_else(|| "no request failed".to_owned(), time);
    screen.fact("last failed request ended after", redistributed);
    report::failures(screen, &samples);
    screen.line(format!("From the detection on, for {}:", time(MEASURE)));
    report::spread(screen, &after, 3);
    report::failures(screen, &after);
    Ok(())
}

fn recover_target(lab: &mut Lab, xelb: &Xelb, screen: &Screen, load: &Load) -> anyhow::Result<()> {
    screen.step(&format!("Start nginx on t{VICTIM} again"));
    let begun = Instant::now();
    lab.restart_web_server(VICTIM)?;
    xelb.wait_state(lab, target_v4(VICTIM).into(), "healthy", PATIENCE)?;
    screen.fact("`xelb get targets`: healthy after", time(begun.elapsed()));
    let first = first_answer(load, VICTIM, begun)?;
    screen.fact("first answer to a client after", time(first));
    let after = measure(load);
    report::spread(screen, &after, 3);
    report::failures(screen, &load.samples().since(begun));
    Ok(())
}

fn add_target(lab: &Lab, xelb: &Xelb, screen: &Screen, load: &Load) -> anyhow::Result<()> {
    screen.step("Add t4: the configuration file is rewritten, the agent watches it");
    let begun = Instant::now();
    write_configuration(lab, &Configuration::web(Forwarding::Ipip, &ALL_TARGETS))?;
    xelb.wait_state(lab, target_v4(TARGETS).into(), "healthy", PATIENCE)?;
    screen.fact("`xelb get targets`: healthy after", time(begun.elapsed()));
    let first = first_answer(load, TARGETS, begun)?;
    screen.fact("first answer to a client after", time(first));
    let after = measure(load);
    report::spread(screen, &after, TARGETS);
    report::failures(screen, &load.samples().since(begun));
    Ok(())
}

/// How long after `since` a target gave its first answer.
fn first_answer(load: &Load, target: u8, since: Instant) -> lb_tests::Result<Duration> {
    let name = format!("t{target}");
    wait::until(&format!("{name} answers a client"), PATIENCE, || {
        load.samples()
            .since(since)
            .first_answer_of(&name)
            .map(|at| at - since)
            .ok_or_else(|| "no answer".to_owned())
    })
}

fn show_xelb(lab: &Lab, xelb: &Xelb, screen: &Screen, samples: &Samples) -> anyhow::Result<()> {
    screen.step("What xelb says");
    for command in [["get", "targets"].as_slice(), &["stats"]] {
        let output = xelb.command(lab, command)?.success()?;
        screen.command(&format!("xelb {}", command.join(" ")), &output);
    }
    screen.fact("requests in all", samples.len());
    report::failures(screen, samples);
    Ok(())
}
