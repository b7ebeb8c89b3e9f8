//! Sessions: kept, renewed, forged, truncated, replayed elsewhere.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    Attributes, Keys, NoSession, Refused, SameSite, Scope, ScopeKind, Session, Sessions, Stickiness,
};

const NOW: Duration = Duration::from_hours(500_000);
const HOUR: Duration = Duration::from_hours(1);
const SCOPE: Scope<'static> = Scope { kind: ScopeKind::LbCookie, listener: "shop", owner: "order" };
const APP: Scope<'static> = Scope { kind: ScopeKind::AppCookie, ..SCOPE };
const MEMBERS: [(usize, &[u8]); 3] =
    [(0, b"10.0.1.1:80"), (1, b"10.0.1.2:80"), (2, b"10.0.1.3:80")];

fn keys() -> Keys {
    Keys::new([1; 32], vec![])
}

fn sessions(keys: &Keys, scope: &Scope<'_>) -> Sessions<usize> {
    let attributes = Attributes { tls: true, same_site: SameSite::Lax };
    let app_cookie = Some("sid".to_owned());
    let stickiness = Stickiness { duration: HOUR, app_cookie, attributes };
    Sessions::new(keys, scope, stickiness, &MEMBERS)
}

/// What the client sends after an answer of this target.
fn cookie(sessions: &Sessions<usize>, target: usize, now: Duration) -> String {
    let new = Session::None(NoSession::NoCookie);
    let set = sessions.set_cookie(new, target, true, now).unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn read(sessions: &Sessions<usize>, cookies: &str, now: Duration) -> Session<usize> {
    sessions.read(&[cookies.as_bytes()], now)
}

const FORGED: Session<usize> = Session::None(NoSession::Refused(Refused::Forged));
const MALFORMED: Session<usize> = Session::None(NoSession::Refused(Refused::Malformed));
const EXPIRED: Session<usize> = Session::None(NoSession::Refused(Refused::Expired));

#[test]
fn a_client_stays_with_its_target_until_the_cookie_expires() {
    let subject = sessions(&keys(), &SCOPE);
    for target in 0..3 {
        let cookie = cookie(&subject, target, NOW);
        assert_eq!(read(&subject, &cookie, NOW), Session::Kept(target));
        let last = NOW + Duration::from_secs(3599);
        assert_eq!(read(&subject, &cookie, last), Session::Kept(target));
        assert_eq!(read(&subject, &cookie, NOW + HOUR), EXPIRED);
    }
    assert_eq!(read(&subject, "a=b", NOW), Session::None(NoSession::NoCookie));
    assert_eq!(subject.read(&[], NOW), Session::None(NoSession::NoCookie));
}

#[test]
fn the_cookie_says_nothing_of_the_target_and_is_protected() {
    let subject = sessions(&keys(), &SCOPE);
    let set = subject.set_cookie(Session::Kept(0), 0, false, NOW).unwrap();
    let (value, attributes) = set.strip_prefix("AWSALB=").unwrap().split_once(';').unwrap();
    assert_eq!(attributes, " Max-Age=3600; Path=/; HttpOnly; SameSite=Lax; Secure");
    let raw = data_encoding::BASE64URL_NOPAD.decode(value.as_bytes()).unwrap();
    assert!(!raw.windows(4).any(|window| window == b"10.0" || window == [10, 0, 1, 1]));
}

#[test]
fn every_changed_character_is_refused() {
    let subject = sessions(&keys(), &SCOPE);
    let valid = cookie(&subject, 1, NOW);
    for place in "AWSALB=".len()..valid.len() {
        let mut changed = valid.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let found = read(&subject, &changed, NOW);
        assert!(found == FORGED || found == MALFORMED, "{place}: {found:?}");
    }
}

#[test]
fn truncated_and_extended_cookies_are_refused() {
    let subject = sessions(&keys(), &SCOPE);
    let valid = cookie(&subject, 1, NOW);
    for length in "AWSALB=".len()..valid.len() {
        assert_eq!(read(&subject, &valid[..length], NOW), MALFORMED, "{length}");
    }
    for text in [format!("{valid}A"), format!("{valid}=="), format!("AWSALB={}", "%".repeat(55))] {
        assert_eq!(read(&subject, &text, NOW), MALFORMED, "{text}");
    }
}

#[test]
fn a_cookie_of_another_scope_or_key_is_refused() {
    let subject = sessions(&keys(), &SCOPE);
    let others = [
        (keys(), Scope { owner: "order-v2", ..SCOPE }),
        (keys(), Scope { listener: "admin", ..SCOPE }),
        (keys(), Scope { listener: "shopo", owner: "rder", ..SCOPE }),
        (keys(), Scope { kind: ScopeKind::AppCookie, ..SCOPE }),
        (keys(), Scope { kind: ScopeKind::TargetGroup, ..SCOPE }),
        (Keys::new([2; 32], vec![[3; 32]]), SCOPE),
    ];
    for (keys, scope) in others {
        let other = cookie(&sessions(&keys, &scope), 1, NOW);
        let value = other.split_once('=').unwrap().1;
        assert_eq!(read(&subject, &format!("AWSALB={value}"), NOW), FORGED, "{scope:?}");
    }
}

#[test]
fn a_previous_key_opens_and_the_current_one_seals() {
    let old = sessions(&keys(), &SCOPE);
    let both = sessions(&Keys::new([2; 32], vec![[1; 32]]), &SCOPE);
    let new = sessions(&Keys::new([2; 32], vec![]), &SCOPE);
    assert_eq!(read(&both, &cookie(&old, 2, NOW), NOW), Session::Kept(2));
    assert_eq!(read(&new, &cookie(&both, 2, NOW), NOW), Session::Kept(2));
    assert_eq!(read(&both, &cookie(&both, 2, NOW), NOW), Session::Kept(2));
    assert_eq!(read(&new, &cookie(&old, 2, NOW), NOW), FORGED);
}

#[test]
fn the_target_of_a_valid_cookie_may_have_left() {
    let stickiness = Stickiness {
        duration: HOUR,
        app_cookie: None,
        attributes: Attributes { tls: true, same_site: SameSite::Lax },
    };
    let fewer = Sessions::new(&keys(), &SCOPE, stickiness, &MEMBERS[..1]);
    let old = cookie(&sessions(&keys(), &SCOPE), 2, NOW);
    assert_eq!(read(&fewer, &old, NOW), Session::None(NoSession::TargetGone));
    assert_eq!(fewer.set_cookie(Session::Kept(0), 2, false, NOW), None);
}

#[test]
fn of_several_cookies_a_valid_one_counts() {
    let subject = sessions(&keys(), &SCOPE);
    let valid = cookie(&subject, 1, NOW);
    let old = cookie(&subject, 2, Duration::from_hours(499_998));
    let found = read(&subject, &format!("AWSALB=x; {old}; {valid}"), NOW);
    assert_eq!(found, Session::Kept(1));
}

#[test]
fn answers_set_the_cookie_when_it_is_needed() {
    let lb = sessions(&keys(), &SCOPE);
    let app = sessions(&keys(), &APP);
    let group = sessions(&keys(), &Scope { kind: ScopeKind::TargetGroup, ..SCOPE });
    let none = Session::None;
    let cases = [
        (&lb, Session::Kept(1), false, true),
        (&lb, none(NoSession::NoCookie), false, true),
        (&lb, FORGED, false, true),
        (&group, Session::Kept(1), false, true),
        (&app, Session::Kept(1), false, false),
        (&app, Session::Kept(1), true, true),
        (&app, Session::Kept(0), false, true),
        (&app, none(NoSession::NoCookie), false, true),
        (&app, FORGED, false, true),
        (&app, none(NoSession::NoAppCookie), false, false),
        (&app, none(NoSession::NoAppCookie), true, true),
    ];
    for (subject, session, app_cookie_set, expected) in cases {
        let set = subject.set_cookie(session, 1, app_cookie_set, NOW);
        assert_eq!(set.is_some(), expected, "{subject:?} {session:?} {app_cookie_set}");
    }
    assert!(cookie(&app, 1, NOW).starts_with("AWSALBAPP="));
    assert!(cookie(&group, 1, NOW).starts_with("AWSALBTG="));
}

#[test]
fn an_application_session_ends_with_its_cookie() {
    let subject = sessions(&keys(), &APP);
    let own = cookie(&subject, 1, NOW);
    assert_eq!(read(&subject, &format!("sid=7; {own}"), NOW), Session::Kept(1));
    assert_eq!(read(&subject, &own, NOW), Session::None(NoSession::NoAppCookie));
    assert_eq!(read(&subject, "sid=7", NOW), Session::None(NoSession::NoCookie));
}

#[test]
fn durations_and_names_have_limits() {
    let attributes = Attributes { tls: true, same_site: SameSite::Lax };
    let stickiness = |seconds, name: Option<&str>| {
        let (duration, app_cookie) = (Duration::from_secs(seconds), name.map(str::to_owned));
        Stickiness { duration, app_cookie, attributes }.check().map_err(|error| error.to_string())
    };
    let too_long =
        "stickiness of 604801 s is not between 1 and 604800 s: choose a duration between";
    assert_eq!(stickiness(604_801, None), Err(too_long.to_owned()));
    assert!(stickiness(0, None).is_err());
    assert_eq!(stickiness(1, None), Ok(()));
    assert_eq!(stickiness(604_800, Some("sid")), Ok(()));
    assert!(stickiness(60, Some("AWSALBTG")).is_err());
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?}", Keys::new([0xab; 32], vec![[0xcd; 32]]));
    assert_eq!(shown, "Keys { previous: 1, .. }");
}

proptest! {
    #[test]
    fn no_random_value_is_accepted(value in "[A-Za-z0-9_-]{0,80}", bytes in any::<[u8; 41]>()) {
        let subject = sessions(&keys(), &SCOPE);
        let encoded = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        for value in [value, encoded] {
            let found = read(&subject, &format!("AWSALB={value}"), NOW);
            prop_assert!(matches!(found, Session::None(NoSession::Refused(_))), "{:?}", found);
        }
    }
}
