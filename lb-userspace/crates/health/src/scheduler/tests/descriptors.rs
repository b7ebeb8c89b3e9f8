//! Probes that find no file descriptor.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_probe_without_a_descriptor_waits_and_counts_for_nothing() {
    let fake = Fake::new(script("snnnnnnnnnns"));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    let mut hasty = spec(1);
    hasty.check.unhealthy_threshold = 1;
    hasty.check.inconclusive_timeout = Some(Duration::from_secs(1));
    scheduler.set(vec![hasty]);
    sleep(INTERVAL * 2).await;
    // Ten attempts of the second probe, a quarter of a second apart, are one probe that is late.
    assert_eq!(states(&mut events), [TargetState::Healthy]);
    assert_eq!(scheduler.health(&key(1)).unwrap().state, TargetState::Healthy);
    let calls = fake.calls(1);
    assert!(calls.len() >= 12, "{calls:?}");
    for pair in calls[1..11].windows(2) {
        assert!(pair[1] - pair[0] < Duration::from_millis(300), "{calls:?}");
    }
    let waits = scheduler.descriptors().take_waits();
    assert_eq!((waits.probes, waits.refused_by_host), (1, 10));
    assert!(waits.longest >= Duration::from_secs(2), "{waits:?}");
    let stats = scheduler.stats().snapshot();
    assert_eq!((stats.probes_failed, stats.probes_inconclusive), (0, 0), "{stats:?}");
}
