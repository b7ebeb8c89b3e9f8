//! Many targets at a time.

use super::*;

/// Ten thousand targets die at once: every verdict comes, once, in the time that two probes take,
/// and there are no more probes than ever.
#[tokio::test(start_paused = true)]
async fn ten_thousand_targets_die_at_once() {
    const TARGETS: u16 = 10_000;
    let dead = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = Arc::clone(&dead);
    let fake = Fake::new(move |_address, _count| {
        if told.load(std::sync::atomic::Ordering::Relaxed) {
            (TIMEOUT, Outcome::timeout("no connection within 2s"))
        } else {
            (QUICK, Outcome::Success)
        }
    });
    let (mut scheduler, mut events) = scheduler(fake);
    scheduler.set(specs(1..TARGETS + 1));
    sleep(FIRST_ONLY).await;
    assert_eq!(states(&mut events).len(), usize::from(TARGETS));
    let before = scheduler.stats().snapshot().probes_started;
    dead.store(true, std::sync::atomic::Ordering::Relaxed);
    sleep(INTERVAL * 2 + TIMEOUT + INTERVAL / 10).await;
    let mut unhealthy = std::collections::BTreeSet::new();
    let mut last = None;
    while let Ok(event) = events.try_recv() {
        assert_eq!(event.health.state, TargetState::Unhealthy);
        assert!(unhealthy.insert(event.target), "a second verdict");
        assert!(last.is_none_or(|last| last <= event.decided_at), "events come in their order");
        last = Some(event.decided_at);
    }
    assert_eq!(unhealthy.len(), usize::from(TARGETS));
    let probes = scheduler.stats().snapshot().probes_started - before;
    assert!(probes <= 3 * u64::from(TARGETS), "{probes} probes");
}
