//! The prober and its conclusions, with a fake instead of the network.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use lb_common::{Mode, Target};
use lb_config::HealthProtocol;

use super::*;
use crate::ProbePaths;

const VIP: &str = "192.0.2.10:80";
/// Behind loopback, so that this host has an address towards it.
const TARGET: &str = "127.0.0.11";

fn key(number: u16) -> TargetKey {
    TargetKey { group: "web".into(), address: TARGET.parse().unwrap(), port: number }
}

fn shared(leads: impl IntoIterator<Item = ProbeRoute>) -> Arc<Shared> {
    let shared = Arc::new(Shared::new());
    let vip = VIP.parse().unwrap();
    let probe_paths = (1..).map(key).zip(leads.into_iter().map(|route| ProbePath { vip, route }));
    shared.set_table(ProbePaths { probe_paths: probe_paths.collect(), hash_seed: [1, 2] });
    shared
}

fn entry() -> ProbeRoute {
    let flags = Target::VALID | Target::RESOLVED;
    ProbeRoute::Entry(Box::new(Target { flags, mode: Mode::Ipip as u8, ..Target::default() }))
}

/// Ends as configured, and counts; it also does what the carrier would.
struct Fake {
    outcome: Outcome,
    carries: fn(&ProbeInFlight),
    probes: AtomicU32,
}

impl Prober for Fake {
    fn probe<'a>(&'a self, probe: &'a Probe, _deadline: Instant) -> ProbeFuture<'a> {
        self.probes.fetch_add(1, Relaxed);
        if let ProbeVia::TunnelProbe(tunnel_probe) = &probe.via {
            assert_eq!(probe.address, VIP.parse().unwrap());
            (self.carries)(tunnel_probe.in_flight());
        }
        Box::pin(async { self.outcome.clone() })
    }
}

async fn outcome(shared: &Arc<Shared>, fake: &Arc<Fake>, via: ProbeVia) -> Outcome {
    let inner = Arc::clone(fake) as Arc<dyn Prober>;
    let prober = TunnelProber { inner, shared: Arc::clone(shared) };
    let probe = Probe {
        group: "web".to_owned(),
        address: (key(1).address, 80).into(),
        via,
        protocol: HealthProtocol::Tcp,
        timeout: Duration::from_secs(1),
    };
    prober.probe(&probe, Instant::now()).await
}

fn fake(outcome: Outcome, carries: fn(&ProbeInFlight)) -> Arc<Fake> {
    Arc::new(Fake { outcome, carries, probes: AtomicU32::new(0) })
}

#[tokio::test]
async fn without_a_probe_path_probes_are_inconclusive() {
    let shared = shared([
        ProbeRoute::Pending("who has it?".to_owned()),
        ProbeRoute::Nowhere("no route".to_owned()),
        entry(),
    ]);
    let fake = fake(Outcome::Success, ProbeInFlight::count_sent);
    let inconclusive = |detail: &str| Outcome::Inconclusive { detail: detail.to_owned() };
    let unusable = Outcome::Failure { reason: Reason::IpUnusable, detail: "no route".to_owned() };
    for (number, expected) in [
        (1, inconclusive("who has it?")),
        (2, unusable),
        (3, inconclusive(super::super::shared::NOT_MADE)),
        (4, inconclusive("the agent has no plan for this target yet")),
    ] {
        let seen = outcome(&shared, &fake, ProbeVia::Tunnel(key(number))).await;
        assert_eq!(seen, expected, "{number}");
    }
    assert_eq!(fake.probes.load(Relaxed), 0);
    // Other checks do not care.
    assert_eq!(outcome(&shared, &fake, ProbeVia::Address).await, Outcome::Success);
}

/// The result of the prober counts only for a probe that reached the interface of probes.
#[tokio::test]
async fn outcomes_count_only_for_probes_that_reached_the_device() {
    let shared = shared([entry()]);
    shared.set_fault(None);
    let refused = || Outcome::failed("connection refused");
    let unseen: fn(&ProbeInFlight) = |_| {};
    let broken: fn(&ProbeInFlight) = |in_flight| in_flight.fail("network is down".to_owned());
    let half: fn(&ProbeInFlight) = |in_flight| {
        in_flight.count_sent();
        in_flight.fail("no buffers".to_owned());
    };
    let judged = async |outcome_of: Outcome, carries| {
        outcome(&shared, &fake(outcome_of, carries), ProbeVia::Tunnel(key(1))).await
    };
    let sent: fn(&ProbeInFlight) = ProbeInFlight::count_sent;
    assert_eq!(judged(Outcome::Success, sent).await, Outcome::Success);
    assert_eq!(judged(Outcome::Success, half).await, Outcome::Success);
    assert!(!shared.take_astray());
    let expected = format!("connection refused (sent by ipip to VIP {VIP})");
    assert_eq!(judged(refused(), sent).await, Outcome::failed(expected));
    for (outcome, carries, part) in [
        (Outcome::Success, unseen, "did not reach the interface of probes"),
        (refused(), unseen, "did not reach the interface of probes"),
        (Outcome::Success, broken, "network is down"),
        (refused(), half, "no buffers"),
    ] {
        match judged(outcome, carries).await {
            Outcome::Inconclusive { detail } => assert!(detail.contains(part), "{detail}"),
            other => panic!("{part}: {other:?}"),
        }
    }
    assert!(shared.take_astray());
    assert_eq!(shared.warnings().len(), 1);
    assert!(shared.warnings()[0].text.contains("web/127.0.0.11:1"), "{:?}", shared.warnings());
    judged(Outcome::Success, sent).await;
    assert_eq!(shared.warnings(), [""; 0]);
}

#[tokio::test]
async fn a_vip_of_this_host_cannot_be_probed() {
    let shared = Arc::new(Shared::new());
    shared.set_fault(None);
    let path = ProbePath { vip: "127.0.0.1:80".parse().unwrap(), route: entry() };
    shared.set_table(ProbePaths { probe_paths: [(key(1), path)].into(), hash_seed: [1, 2] });
    let fake = fake(Outcome::Success, ProbeInFlight::count_sent);
    let seen = outcome(&shared, &fake, ProbeVia::Tunnel(key(1))).await;
    let Outcome::Inconclusive { detail } = seen else {
        panic!("{seen:?}");
    };
    assert!(detail.contains("127.0.0.1 is an address of this host"), "{detail}");
}

#[test]
fn many_doubts_are_a_few_warnings() {
    let shared = shared((0..10).map(|_| entry()));
    shared.set_fault(None);
    for number in 1..=10 {
        let detail = "no local ports".to_owned();
        shared.note(&key(number), &Outcome::Inconclusive { detail });
    }
    // Not one of the table.
    shared.note(&key(99), &Outcome::Inconclusive { detail: String::new() });
    let warnings = shared.warnings();
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[3].text.contains("7 more targets also keep"), "{warnings:?}");
    shared.set_table(ProbePaths::default());
    assert_eq!(shared.warnings(), [""; 0]);
}
