//! What the API may ask of the running agent.

use std::net::IpAddr;

use super::{
    Outcome, Refusal, Request, lookup,
    run::{Agent, invalid},
};
use crate::config::TargetKey;

impl Agent {
    pub(super) fn on_request(&mut self, request: Request) -> Outcome {
        match request {
            Request::Apply(document) => {
                self.source.editable()?;
                self.change(&document, "apply")
            }
            Request::TargetAdd { group, address, port, weight } => {
                let mut document = self.source.editable()?;
                document.add_target(&group, address, port, weight).map_err(invalid)?;
                self.change(&document, &format!("add target {address} to {group}"))
            }
            Request::TargetRemove { group, address, port, now } => {
                self.remove(&group, address, port, now)
            }
            Request::TargetWeight { group, address, port, weight } => {
                let mut document = self.source.editable()?;
                document.weigh_target(&group, address, port, weight).map_err(invalid)?;
                self.change(&document, &format!("weight of {address} in {group}: {weight}"))
            }
            Request::TargetDrain { group, address, port, drain } => {
                self.drain(&group, address, port, drain)
            }
        }
    }

    fn remove(&mut self, group: &str, address: IpAddr, port: Option<u16>, now: bool) -> Outcome {
        let leaving = self.balancer.as_ref().and_then(|one| one.leaving(group, address, port));
        if let (true, Some(target)) = (now, leaving) {
            let said = format!("{target} is gone, and its flows with it");
            self.cut(target);
            return Ok(said);
        }
        let mut document = self.source.editable()?;
        document.remove_target(group, address, port).map_err(invalid)?;
        let said = self.change(&document, &format!("remove target {address} from {group}"))?;
        let leaving = self.balancer.as_ref().and_then(|one| one.leaving(group, address, port));
        if let (true, Some(target)) = (now, leaving) {
            self.cut(target);
        }
        Ok(said)
    }

    /// Ends the flows of a target that is leaving.
    fn cut(&mut self, target: TargetKey) {
        if let Some(balancer) = &mut self.balancer {
            balancer.cut(target);
        }
        self.reconcile(None);
    }

    fn drain(&mut self, group: &str, address: IpAddr, port: Option<u16>, drain: bool) -> Outcome {
        let Some(balancer) = &mut self.balancer else {
            return Err(Refusal::Invalid("there is no configuration yet".to_owned()));
        };
        let target = lookup::target(&balancer.config, group, address, port)?;
        let changed = if drain {
            balancer.drained.insert(target.clone())
        } else {
            balancer.drained.remove(&target)
        };
        self.reconcile(None);
        Ok(match (drain, changed) {
            (true, true) => format!("{target} is draining: it takes no new flows"),
            (true, false) => format!("{target} is draining already"),
            (false, true) => format!("{target} takes flows again"),
            (false, false) => format!("{target} was not draining"),
        })
    }
}
