//! Rule 7: restarts, gaps, and wall clocks that jump.

use super::*;

#[test]
fn only_out_until_the_window_is_full_again() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 6);
    advance(&mut state, &total(6000.0), 0, 900);
    advance(&mut state, &total(2000.0), 915, 1785);
    state.memory.restarted();
    let decision = run(&mut state, &total(2000.0), 1800, 2685);
    assert_eq!(decision.desired, 6, "{decision}");
    let left = Duration::from_secs(15);
    assert!(is_rejected(&decision, |b| *b == Because::WindowNotFull { left }), "{decision}");
    assert_eq!(run(&mut state, &total(2000.0), 2700, 2700).desired, 2);
    state.memory.restarted();
    assert_eq!(run(&mut state, &total(5000.0), 2715, 2715).desired, 5, "out is always possible");
}

#[test]
fn a_gap_in_the_samples_empties_the_window() {
    // (length of the gap in seconds, desired 15 minutes after the first sample)
    for (gap, expected) in [(15, 2), (60, 2), (75, 6)] {
        let mut state = group(settings(vec![tracking("load", METRIC)]), 6);
        advance(&mut state, &total(2000.0), 0, 600);
        let decision = run(&mut state, &total(2000.0), 600 + gap, 900 + gap);
        assert_eq!(decision.desired, expected, "{gap} s\n{decision}");
    }
}

#[test]
fn a_reboot_keeps_needs_and_changes_nothing_else() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 8);
    advance(&mut state, &total(8000.0), 0, 900);
    state.memory.restarted();
    // The host reboots; its wall clock is a day fast.
    for seconds in (0..900).step_by(15) {
        let rebooted = Moment {
            boot_id: 2,
            boot: Duration::from_secs(20 + seconds),
            wall: at(86_400 + seconds).wall,
        };
        let decision = decide(&state, &total(1000.0), rebooted);
        state.apply(&decision);
        assert_eq!(state.desired, 8, "{decision}");
    }
}

#[test]
fn people_set_what_holds_for_the_window() {
    let mut state = group(settings(vec![tracking("load", METRIC)]), 4);
    advance(&mut state, &total(4000.0), 0, 900);
    state.set_desired(12, at(901));
    fill(&mut state, 12);
    let decision = run(&mut state, &total(4000.0), 915, 1800);
    assert_eq!(decision.desired, 12, "{decision}");
    assert_eq!(run(&mut state, &total(4000.0), 1815, 1815).desired, 4);
    state.set_desired(500, at(1816));
    assert_eq!(state.desired, 20, "within the limits");
}
