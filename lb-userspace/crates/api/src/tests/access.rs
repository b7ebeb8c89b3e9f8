//! The permission matrix: every route and method, over every listener socket, with every role.

use std::{collections::BTreeSet, sync::Arc};

use http::Method;
use lb_agent::AgentHandle;
use lb_dataplane::StatsSource;
use tokio::sync::{mpsc, watch};

use super::{
    fake::{Answer, Fake, ROOMY, Response, exchange_at, exchange_over, request, snapshot},
    pki::Pki,
};
use crate::{
    HostDoctor,
    access::{Role, needed},
    router::routes,
};

/// The paths of the router, which shows them to those who debug it only.
fn paths() -> BTreeSet<String> {
    let (ask, _requests) = mpsc::channel(1);
    let (_snapshots, snapshot) = watch::channel(Arc::new(snapshot()));
    let handle = AgentHandle::new(ask, snapshot, Arc::default());
    let router = format!(
        "{:?}",
        routes(handle, StatsSource::new("/nowhere".as_ref()), HostDoctor::absent())
    );
    let quoted = router.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with("/v1")).map(str::to_owned).collect()
}

/// Every route with every method that it has.
pub(super) async fn all_routes(fake: &Fake) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in paths() {
        // A method that no route has is answered with those that it has.
        let answer = fake.http("OPTIONS", &path_of(&path), "").await;
        assert_eq!(answer.status, 405, "{path}");
        let head = answer.head.to_lowercase();
        let allow = head.lines().find_map(|line| line.strip_prefix("allow: ")).expect("methods");
        all.extend(allow.split(',').map(|method| (method.trim().to_uppercase(), path.clone())));
    }
    all
}

/// A path of this route.
fn path_of(route: &str) -> String {
    let part = |part: &str| match part {
        "{group}" => "web".to_owned(),
        "{address}" => "10.0.1.13".to_owned(),
        part if part.starts_with('{') => "1".to_owned(),
        part => part.to_owned(),
    };
    route.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_needs_a_role() {
    let fake = Fake::start(Answer::Done);
    let all = all_routes(&fake).await;
    assert!(all.len() > 11, "{all:?}");
    for (method, route) in &all {
        let of_table = needed(&Method::from_bytes(method.as_bytes()).unwrap(), route);
        assert!(of_table.is_some(), "{method} {route} has no line in api/access/routes.rs");
    }
    for line in crate::access::table() {
        assert!(all.contains(&line), "{line:?} is in api/access/routes.rs, and no route");
    }
}

/// Ways to come, and the roles that they give.
#[derive(Clone, Copy, Debug)]
enum By {
    MainSocket,
    ReadSocket,
    Token(Role),
    Certificate(Role),
}

impl By {
    fn all() -> impl Iterator<Item = Self> {
        let remote =
            Role::ALL.into_iter().flat_map(|role| [Self::Token(role), Self::Certificate(role)]);
        [Self::MainSocket, Self::ReadSocket].into_iter().chain(remote)
    }

    fn role(self) -> Role {
        match self {
            Self::MainSocket => Role::Configure,
            Self::ReadSocket => Role::Read,
            Self::Token(role) | Self::Certificate(role) => role,
        }
    }

    fn name(self) -> String {
        match self {
            Self::MainSocket | Self::ReadSocket => "(uid ".to_owned(),
            Self::Token(role) => format!("token-{role}"),
            Self::Certificate(role) => format!("cert-{role}"),
        }
    }

    async fn http(self, pki: &Pki, fake: &Fake, method: &str, path: &str, body: &str) -> Vec<u8> {
        let plain = request(method, path, "", body);
        match self {
            Self::MainSocket => exchange_at(&fake.socket, &plain).await,
            Self::ReadSocket => exchange_at(&pki.path("read.sock"), &plain).await,
            Self::Token(role) => {
                let stream = pki.connect(fake.remote.unwrap(), None).await.unwrap();
                let sent = request(method, path, &pki.bearer(role), body);
                exchange_over(stream, &sent).await
            }
            Self::Certificate(role) => {
                let pair = pki.certificate(role);
                let stream = pki.connect(fake.remote.unwrap(), Some(&pair)).await.unwrap();
                exchange_over(stream, &plain).await
            }
        }
    }
}

#[tokio::test]
async fn a_role_may_do_what_it_is_for_and_nothing_else() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let all = all_routes(&fake).await;
    for by in By::all() {
        // A stream has no end that could be waited for; watch.rs and proxies.rs look at them.
        let has_end = |route: &str| !["/v1/watch", "/v1/proxies/feed"].contains(&route);
        for (method, route) in all.iter().filter(|(_, route)| has_end(route)) {
            let needed = needed(&Method::from_bytes(method.as_bytes()).unwrap(), route).unwrap();
            let asked = fake.asked().len();
            let answer = by.http(&pki, &fake, method, &path_of(route), "").await;
            let case = format!("{method} {route} by {by:?}: {}", String::from_utf8_lossy(&answer));
            if by.role().permits(needed) {
                // The body is missing where there should be one, and the query of explain.
                let status = answer.get(9..12).expect("a status");
                assert!([b"200", b"400"].iter().any(|good| status == *good), "{case}");
                continue;
            }
            let answer = Response::parse(&answer);
            assert_eq!(answer.status, 403, "{case}");
            let wanted = format!("this needs the role `{needed}`, and ");
            assert!(answer.error().starts_with(&wanted), "{case}");
            let has = format!("has `{}`", by.role());
            assert!(
                answer.error().contains(&by.name()) && answer.error().ends_with(&has),
                "{case}"
            );
            assert_eq!(fake.asked().len(), asked, "{case}");
        }
    }
}

#[tokio::test]
async fn changes_reach_the_agent_from_whom_they_may() {
    let target = "/v1/target-groups/web/targets/10.0.1.13";
    let changes = [
        (Role::Operate, "PATCH", target, r#"{"weight": 1}"#),
        (Role::Operate, "PATCH", target, r#"{"drain": true}"#),
        (Role::Configure, "PUT", "/v1/config", "{}"),
        (Role::Configure, "POST", "/v1/target-groups/web/targets", r#"{"address": "10.0.1.13"}"#),
        (Role::Configure, "DELETE", target, ""),
        (
            Role::Configure,
            "POST",
            "/v1/config/changes",
            r#"{"changes": [{"op": "delete", "path": "listeners[web]"}]}"#,
        ),
        (Role::Configure, "PUT", "/v1/config?prune=true&message=why", "{}"),
    ];
    let pki = Pki::new();
    for by in By::all() {
        let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
        let mut done = 0;
        for (needed, method, path, body) in changes {
            let answer = Response::parse(&by.http(&pki, &fake, method, path, body).await);
            let wanted = if by.role().permits(needed) { 200 } else { 403 };
            assert_eq!(answer.status, wanted, "{method} {path} {body} by {by:?}: {answer:?}");
            done += usize::from(wanted == 200);
        }
        assert_eq!(fake.asked().len(), done, "{by:?}");
    }
}

/// Whoever may only drain and weigh does not overrule what keeps listeners from losing their targets.
#[tokio::test]
async fn only_configurators_may_force() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let path = "/v1/target-groups/web/targets/10.0.1.13?force=true";
    for by in By::all().filter(|by| by.role() >= Role::Operate) {
        for body in [r#"{"weight": 0}"#, r#"{"drain": true}"#] {
            let asked = fake.asked().len();
            let answer = Response::parse(&by.http(&pki, &fake, "PATCH", path, body).await);
            if by.role() == Role::Configure {
                assert_eq!(answer.status, 200, "{by:?}: {answer:?}");
                continue;
            }
            assert_eq!(answer.status, 403, "{by:?}: {answer:?}");
            assert!(answer.error().starts_with("`force` needs the role `configure`"), "{answer:?}");
            assert_eq!(fake.asked().len(), asked, "{by:?}");
        }
    }
}

/// A reader's body is small, and refused before it is here.
#[tokio::test]
async fn bodies_of_readers_are_small() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let body = format!("{{{}}}", " ".repeat(1 << 20));
    for by in By::all() {
        let sent = by.http(&pki, &fake, "POST", "/v1/config/preview", &body).await;
        let answer = Response::parse(&sent);
        let wanted = if by.role() == Role::Configure { 200 } else { 413 };
        assert_eq!(answer.status, wanted, "{by:?}: {answer:?}");
    }
}

#[tokio::test]
async fn readers_may_not_use_methods_that_no_route_has() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    for (path, method, status) in
        [("/v1/status", "POST", 403), ("/v1/status", "OPTIONS", 403), ("/v2/x", "POST", 404)]
    {
        let answer = By::ReadSocket.http(&pki, &fake, method, path, "").await;
        assert_eq!(Response::parse(&answer).status, status, "{method} {path}");
    }
}
