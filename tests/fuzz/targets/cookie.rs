//! Cookies of strangers: none of them names a target, except one that xelb has sealed itself.
//!
//! An input is lines of the field `Cookie`.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use lb_rules::sticky::{
    Attributes, Keys, SameSite, Scope, ScopeKind, Session, Sessions, Stickiness,
};
use libfuzzer_sys::fuzz_target;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn sessions(kind: ScopeKind, app_cookie: Option<&str>) -> Sessions<u8> {
    let keys = Keys::new([7; 32], Vec::new());
    let scope = Scope { kind, listener: "web", owner: "web" };
    let stickiness = Stickiness {
        duration: Duration::from_secs(60),
        app_cookie: app_cookie.map(str::to_owned),
        attributes: Attributes { tls: false, same_site: SameSite::Lax },
    };
    Sessions::new(&keys, &scope, stickiness, &[(1, b"10.0.0.11:80"), (2, b"10.0.0.12:80")])
}

static OWN: LazyLock<Sessions<u8>> = LazyLock::new(|| sessions(ScopeKind::LbCookie, None));
static APP: LazyLock<Sessions<u8>> = LazyLock::new(|| sessions(ScopeKind::AppCookie, Some("app")));
/// Sealed with the key of another host.
static SEALED: LazyLock<String> = LazyLock::new(|| {
    let session = OWN.read(&[], NOW);
    OWN.set_cookie(session, 1, false, NOW).expect("a cookie of a member")
});

fuzz_target!(|input: &[u8]| {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    for sessions in [&*OWN, &*APP] {
        if let Session::Kept(target) = sessions.read(&lines, NOW) {
            let value = SEALED.split(['=', ';']).nth(1).expect("a value");
            let is_own = input.windows(value.len()).any(|part| part == value.as_bytes());
            assert!(is_own, "a cookie that nobody sealed names target {target}");
        }
    }
});
