//! The cookies of one request: which group and target the client had, and what its response must set.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use lb_http::{
    field_edits::{EditError, FieldEdits},
    head::Head,
};
use lb_rules::{
    Forward,
    sticky::{Attributes, Scope, ScopeKind, Session, Sessions, Stickiness},
    target_group,
};

use crate::{compiled::CompiledRule, group::WorkerGroup, request_context::RequestContext};

/// A session of one kind: with a target group, or with a target.
struct Kept<T> {
    sessions: Rc<Sessions<T>>,
    session: Session<T>,
}

/// What the cookies of a request say.
pub(crate) struct StickyRequest {
    /// Place of the group in the action.
    group_place: usize,
    group: Option<Kept<usize>>,
    target: Option<Kept<SocketAddr>>,
    app_cookie: Option<String>,
    now: Duration,
}

impl StickyRequest {
    /// Chooses the target group of a forward action, and reads the session with its targets. `groups` are the
    /// places of its groups in the snapshot; `now` is the time since 1970.
    pub(crate) fn choose_group(
        context: &RequestContext<'_>,
        rule: &CompiledRule,
        forward: &Forward,
        groups: &[usize],
        head: &Head,
        now: Duration,
    ) -> Option<(Self, Rc<WorkerGroup>)> {
        let group = forward.stickiness.map(|duration| {
            let sessions = group_sessions(context, rule, forward, duration);
            let session = sessions.read(&cookies(head), now);
            Kept { sessions, session }
        });
        let kept = match group.as_ref().map(|kept| kept.session) {
            Some(Session::Kept(place)) => forward.target_groups.get(place),
            _ => None,
        };
        let kept = kept.map(|group| group.name.as_str());
        let chosen = target_group(forward, kept, fastrand::u64(..))?;
        let group_place =
            forward.target_groups.iter().position(|group| group.name == chosen.name)?;
        let worker_group = Rc::clone(context.view.groups.get(*groups.get(group_place)?)?);
        let keys = &context.view.compiled.sticky_keys;
        let target = worker_group.sessions(&context.listener.listener, keys).map(|sessions| {
            let session = sessions.read(&cookies(head), now);
            Kept { sessions, session }
        });
        let config = worker_group.config();
        let app_cookie = config.stickiness.as_ref().and_then(|it| it.app_cookie.clone());
        Some((Self { group_place, group, target, app_cookie, now }, worker_group))
    }

    /// The target of the client's session.
    pub(crate) fn kept_target(&self) -> Option<SocketAddr> {
        match self.target.as_ref()?.session {
            Session::Kept(address) => Some(address),
            Session::None(_) => None,
        }
    }

    /// The changes of a response, with its cookies; `None`: those of the rule alone.
    pub(crate) fn edits(
        &self,
        of_rule: &FieldEdits,
        target: SocketAddr,
        response: &Head,
    ) -> Result<Option<FieldEdits>, EditError> {
        let group = self.group.as_ref().and_then(|kept| {
            kept.sessions.set_cookie(kept.session, self.group_place, false, self.now)
        });
        let target = self.target.as_ref().and_then(|kept| {
            let app_cookie_set = self.sets_app_cookie(response);
            kept.sessions.set_cookie(kept.session, target, app_cookie_set, self.now)
        });
        if group.is_none() && target.is_none() {
            return Ok(None);
        }
        let mut edits = of_rule.clone();
        for cookie in [group, target].into_iter().flatten() {
            edits.add("Set-Cookie", &cookie)?;
        }
        Ok(Some(edits))
    }

    fn sets_app_cookie(&self, response: &Head) -> bool {
        let Some(name) = &self.app_cookie else { return false };
        response.named("set-cookie").any(|value| {
            value.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        })
    }
}

fn cookies(head: &Head) -> Vec<&[u8]> {
    head.named("cookie").collect()
}

fn group_sessions(
    context: &RequestContext<'_>,
    rule: &CompiledRule,
    forward: &Forward,
    duration: Duration,
) -> Rc<Sessions<usize>> {
    let listener = &context.listener.listener;
    context.view.group_sessions(&listener.name, &rule.name, || {
        let scope =
            Scope { kind: ScopeKind::TargetGroup, listener: &listener.name, owner: &rule.name };
        let attributes =
            Attributes { tls: listener.config.tls.is_some(), same_site: listener.config.same_site };
        let stickiness = Stickiness { duration, app_cookie: None, attributes };
        let names = forward.target_groups.iter().map(|group| group.name.as_bytes());
        let members: Vec<(usize, &[u8])> = names.enumerate().collect();
        Sessions::new(&context.view.compiled.sticky_keys, &scope, stickiness, &members)
    })
}
