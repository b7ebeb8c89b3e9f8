//! Changes that the API asks for: checked, kept, then put into the maps.

use std::time::Instant;

use lb_config::{Document, Edit, TargetAddress, TargetKey};
use lb_dataplane::interfaces_exist;
use lb_scaling::ScaleCommand;
use lb_store::{Commit, Drain};

use super::{
    Action, Done, Outcome, Refusal, Request,
    actor::Actor,
    balancer::Prepared,
    host::seconds_since_1970,
    left_out, named_target, names,
    request::{failed, invalid},
    run::Agent,
};

/// Who wants a change, on which conditions.
struct Terms {
    who: String,
    base: Option<u64>,
    force: bool,
    /// Whether objects in service may be left out.
    prune: bool,
    message: String,
}

impl Agent {
    pub(super) fn on_request(&mut self, request: Request) -> Outcome {
        let actor = Actor { who: request.who.clone(), message: request.message.clone() };
        self.actor = Some(actor);
        // Values of metrics come again and again, and change no state.
        let is_logged = !matches!(
            &request.action,
            Action::Scale { command: ScaleCommand::PostMetric { .. }, .. }
        );
        let outcome = self.carry_out(request);
        if let (Some(Actor { who, message }), Ok(done)) = (self.actor.take(), &outcome)
            && is_logged
        {
            self.change_lines.done(&who, &done.said, &message, Instant::now());
        }
        outcome
    }

    fn carry_out(&mut self, request: Request) -> Outcome {
        let Request { who, base, force, prune, message, action } = request;
        // Whoever names a revision or an object knows what goes.
        let prune = prune || !matches!(action, Action::Apply(_));
        let terms = Terms { who, base, force, prune, message };
        match action {
            Action::Apply(document) => self.change(terms, *document, "apply".to_owned(), None),
            Action::Rollback(number) => {
                let document = self.revision(number)?.document;
                self.change(terms, document, format!("roll back to revision {number}"), None)
            }
            Action::Edit(edit) => self.edit(terms, edit),
            Action::TargetRemove { group, address, port, now } => {
                self.remove(terms, (&group, &address, port), now)
            }
            Action::TargetDrain { group, address, port, drain } => {
                let target = (group.as_str(), &address, port);
                self.drain(target, drain, terms)
            }
            Action::Scale { group, command } => self.scale_command(&group, &command),
        }
    }

    /// Makes a document the desired state.
    fn change(
        &mut self,
        terms: Terms,
        document: Document,
        what: String,
        edit: Option<Edit>,
    ) -> Outcome {
        let store = self.source.editable()?;
        let current = store.current().map_or(0, |current| current.head.number);
        let Terms { who, base, force, prune, message } = terms;
        let base = base.unwrap_or(current);
        let commit = Commit { base, who, what, message, document, edit };
        if commit.base != current {
            // The store says who was faster, and keeps nothing.
            return self.source.commit(commit);
        }
        let (config, warnings) = self.source.check(&commit.document).map_err(invalid)?;
        self.refuse_own_address(&config)?;
        if self.balancer.is_none() {
            // Somebody types: a slip is refused, and leaves no trace. At a start it is waited for.
            interfaces_exist(&config.interfaces).map_err(failed)?;
        }
        if let (false, Some(balancer)) = (prune, &mut self.balancer) {
            left_out::permit(&balancer.left_out(&config).map_err(failed)?)?;
        }
        let Prepared { plan, remarks } = self.prepare(&config, force)?;
        let who = commit.who.clone();
        let done = self.source.commit(commit)?;
        self.change_lines.warn(&who, &warnings, Instant::now());
        self.adopt_planned(config, plan)?;
        let remarks = remarks.into_iter().chain(self.names.remarks());
        let remarks = remarks.map(|remark| format!("\nwarning: {remark}"));
        let said = remarks.fold(done.said, |said, remark| said + &remark);
        Ok(Done { said, ..done })
    }

    fn edit(&mut self, terms: Terms, edit: Edit) -> Outcome {
        self.source.editable()?;
        self.refuse_edit_of_name(&edit)?;
        let mut document = self.source.document();
        edit.apply(&mut document).map_err(invalid)?;
        self.change(terms, document, edit.to_string(), Some(edit))
    }

    fn remove(
        &mut self,
        terms: Terms,
        (group, address, port): (&str, &TargetAddress, Option<u16>),
        now: bool,
    ) -> Outcome {
        let leaving = self.leaving(group, address, port);
        if let (true, Some(target)) = (now, leaving) {
            let said = format!("{target} is removed, and its flows have ended");
            self.cut(target);
            return Ok(said.into());
        }
        let edit = Edit::RemoveTarget { group: group.to_owned(), address: address.clone(), port };
        let done = self.edit(terms, edit)?;
        let leaving = self.leaving(group, address, port);
        if let (true, Some(target)) = (now, leaving) {
            self.cut(target);
        }
        Ok(done)
    }

    /// The target with this address that is leaving.
    fn leaving(
        &self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
    ) -> Option<TargetKey> {
        match address {
            TargetAddress::Ip(address) => self.balancer.as_ref()?.leaving(group, *address, port),
            TargetAddress::Name(_) => None,
        }
    }

    /// Ends the flows of a target that is leaving.
    fn cut(&mut self, target: TargetKey) {
        if let Some(balancer) = &mut self.balancer {
            balancer.cut(target);
        }
        self.reconcile(None);
    }

    fn drain(
        &mut self,
        (group, address, port): (&str, &TargetAddress, Option<u16>),
        drain: bool,
        terms: Terms,
    ) -> Outcome {
        let Terms { who, message, force, .. } = terms;
        let Some(balancer) = &mut self.balancer else {
            return Err(Refusal::Invalid("there is no configuration yet".to_owned()));
        };
        let address = names::address_to_drain(group, address, balancer.origins())?;
        let target = named_target::target(&balancer.config, group, address, port)?;
        if self.scaling.is_member(&target) {
            return Err(Refusal::Invalid(format!(
                "{target} is a member of a scaled group: `xelb scale standby {group} {}` takes it out \
                 of service",
                target.place()
            )));
        }
        let before = balancer.drains();
        let note =
            || Drain { target: target.clone(), who, reason: message, at: seconds_since_1970() };
        let changed = balancer.set_drained(&target, drain.then(note), force)?;
        if let Err(error) = self.keep_runtime() {
            if let Some(balancer) = &mut self.balancer {
                balancer.restore_drains(before);
            }
            return Err(error.into());
        }
        self.reconcile(None);
        let proxied = self.balancer.as_ref().is_some_and(|one| one.http.has_group(&target));
        let taken = if proxied { "requests" } else { "flows" };
        let said = match (drain, changed) {
            (true, true) => format!("{target} is draining: it takes no new {taken}"),
            (true, false) => format!("{target} is draining already"),
            (false, true) => format!("{target} takes {taken} again"),
            (false, false) => format!("{target} was not draining"),
        };
        Ok(said.into())
    }
}
