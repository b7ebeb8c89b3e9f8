//! PURE: readings of `list` against the ledger: members that are lost, ended, adopted, or created
//! after their end. A single reading removes nothing: drivers may be late, partial or wrong.

use std::{collections::HashMap, net::SocketAddr};

use lb_scale::Moment;

use crate::{
    call::{CallId, MemberState, Reported},
    group::Group,
    output::{Action, EventKind},
    record::{Cause, Phase, Presence, Record},
};

/// The most members of a ledger; further ones are not adopted.
const MEMBERS_MAX: usize = 4 * lb_scale::CAPACITY_MAX as usize;

/// What a reading says of a member of the ledger.
enum Seen {
    Present,
    /// It is missing, or reported as ended or failed.
    Absent,
}

impl Group {
    /// A reading whose call has this number.
    pub(crate) fn listed(&mut self, id: CallId, members: Vec<Reported>, now: Moment) {
        let mut reported: HashMap<String, Reported> = HashMap::new();
        for member in members {
            reported.entry(member.name.clone()).or_insert(member);
        }
        for name in self.names(|_| true) {
            let known = self.known_mut(&name);
            if known.calling || id.0 <= known.listed_from {
                continue;
            }
            match reported.get(&name) {
                Some(member) if member.state != MemberState::Ended => {
                    self.listed_member(&name, member, now);
                }
                _ => self.note(&name, &Seen::Absent, now),
            }
        }
        let mut unknown: Vec<Reported> = reported
            .into_values()
            .filter(|member| member.state != MemberState::Ended)
            .filter(|member| !self.ledger.members.contains_key(&member.name))
            .collect();
        unknown.sort_by(|a, b| a.name.cmp(&b.name));
        self.strangers(unknown, now);
    }

    fn listed_member(&mut self, name: &str, member: &Reported, now: Moment) {
        let Some(record) = self.ledger.members.get(name) else { return };
        let (phase, presence, known_address) = (record.phase, record.presence, record.address);
        if phase.is_ending() {
            // It was to be ended, and is still there, or again.
            self.known_mut(name).absent = None;
            if let Some(record) = self.record_mut(name).filter(|record| record.end_confirmed) {
                record.end_confirmed = false;
            }
            return;
        }
        if member.state == MemberState::Failed {
            return self.note(name, &Seen::Absent, now);
        }
        self.note(name, &Seen::Present, now);
        if presence == Presence::Possible
            && let Some(record) = self.record_mut(name)
        {
            record.presence = Presence::Exists;
            record.launched = now;
        }
        let address = member.address.zip(member.port).map(SocketAddr::from);
        let moved = address.filter(|address| known_address.is_some_and(|known| known != *address));
        if let Some(address) = moved.filter(|_| phase == Phase::InService) {
            self.event(name, EventKind::AddressChanged(address), now);
            self.act(Action::Deregister { name: name.to_owned() });
            if let Some(record) = self.record_mut(name) {
                record.address = Some(address);
            }
            self.register(name, now);
        }
    }

    /// Notes whether a reading has a member. The second absence is believed.
    fn note(&mut self, name: &str, seen: &Seen, now: Moment) {
        let confirm = self.settings.confirm_interval;
        let known = self.known_mut(name);
        if matches!(seen, Seen::Present) {
            known.absent = None;
            return;
        }
        match known.absent {
            None => known.absent = Some(now),
            Some(since) if now.since(&since) >= confirm => {
                known.absent = None;
                self.absent(name, now);
            }
            Some(_) => {}
        }
    }

    /// Two readings do not have a member.
    fn absent(&mut self, name: &str, now: Moment) {
        let health = self.known_mut(name).healthy;
        let Some(record) = self.ledger.members.get(name) else { return };
        match record.phase {
            Phase::Ending | Phase::Failed if record.end_confirmed => self.forget(name, now),
            // `end` is repeated until the driver confirms it.
            Phase::Ending | Phase::Failed => {}
            Phase::Launching | Phase::WarmLaunching => {
                if record.presence.is_certain()
                    && let Some(record) = self.record_mut(name)
                {
                    // `ensure` creates it again.
                    record.presence = Presence::Possible;
                    record.retry = None;
                }
            }
            // Health checks are a witness of their own.
            _ if health == Some(true) => self.event(name, EventKind::ListDoubted, now),
            Phase::InService if health.is_none() => {
                self.event(name, EventKind::ListDoubted, now);
            }
            // If the list is wrong, `end` sees to it that nothing is left.
            _ => self.abort(name, Phase::Ending, Cause::Lost, now),
        }
    }

    /// Members that the ledger does not have.
    fn strangers(&mut self, unknown: Vec<Reported>, now: Moment) {
        let before = std::mem::take(&mut self.strangers);
        for member in unknown {
            let name = member.name.clone();
            if !is_name_of_group(&self.settings.group, &name) {
                // Another group's, or nobody's.
                continue;
            }
            let number = self.ledger.number_of(&self.settings.group, &name);
            if number.is_some_and(|number| number < self.ledger.next_member) {
                self.end_straggler(name, now);
            } else if !before.contains(&name) {
                self.strangers.push(name);
            } else if self.ledger.members.len() < MEMBERS_MAX {
                if let Some(number) = number {
                    self.ledger.next_member = number.saturating_add(1);
                }
                self.adopt(member, now);
            }
        }
    }

    /// This ledger has ended it, and a call that was under way created it afterwards.
    fn end_straggler(&mut self, name: String, now: Moment) {
        let template = self.launch_template().to_owned();
        let record = Record {
            presence: Presence::Exists,
            ends: Some((Cause::Straggler, now)),
            ..Record::new(Phase::Ending, template, now)
        };
        self.event(&name, EventKind::Ends(Cause::Straggler), now);
        self.ledger.members.insert(name, record);
        self.outputs.store = true;
    }

    /// A ledger that is lost has created it. It may carry connections: it becomes a member, and if
    /// there are too many, it drains like any other.
    fn adopt(&mut self, member: Reported, now: Moment) {
        let (phase, presence) = match member.state {
            MemberState::Stopped => (Phase::Warm, Presence::Stopped),
            _ => (Phase::Launching, Presence::Exists),
        };
        let record =
            Record { presence, ..Record::new(phase, member.template.unwrap_or_default(), now) };
        self.event(&member.name, EventKind::Adopted, now);
        self.ledger.members.insert(member.name, record);
        self.outputs.store = true;
    }
}

/// Whether some ledger of this group could have chosen a name: `GROUP-EPOCH-NUMBER`.
fn is_name_of_group(group: &str, name: &str) -> bool {
    let rest = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('-'));
    let Some((epoch, number)) = rest.and_then(|rest| rest.split_once('-')) else { return false };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    epoch.len() == 4 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_number
}
