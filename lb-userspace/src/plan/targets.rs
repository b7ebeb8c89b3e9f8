//! PURE: the targets of a group: their ids, entries and reports, and the members of its ring.

use std::collections::BTreeMap;

use lb_common::{
    Address, Be16, Family, Target,
    limits::{TARGETS_MAX, WEIGHT_MAX},
};

use super::{
    PlanError, TargetReport,
    compile::{Compiler, no_room},
    entry,
    life::{self, Case, RAMP_STEPS, Verdict},
};
use crate::{
    config::{self, TargetGroup, TargetKey},
    maglev::{self, Member},
};

/// Seconds that the id of a former target rests: as long as a flow of the most patient listener is
/// remembered (100 minutes, and an eighth more).
const ID_REST: u32 = 6000 + 6000 / 8 + 1;

impl<'inputs> Compiler<'_, 'inputs> {
    /// Plans the entries of a group's targets, and their reports but for the ring.
    pub(super) fn targets(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        used: bool,
    ) -> Result<Vec<Verdict<'inputs>>, PlanError> {
        let mut verdicts = Vec::with_capacity(group.targets.len());
        for target in &group.targets {
            let key =
                TargetKey { group: group.name.clone(), address: target.address, port: target.port };
            let family = Family::from(&target.address) as u8;
            let address: Address = target.address.into();
            let place = (group_id, family, address, Be16::new(target.port));
            let known = self.known_targets.get(&place).copied();
            let previous = known.and_then(|id| self.inputs.previous.targets.get(&id));
            let verdict =
                Case { inputs: self.inputs, group, target, key: &key, previous }.judge(used);
            let id = match known {
                Some(id) => id,
                None => self.target_id()?,
            };
            self.put(group_id, group, target, id, key, &verdict);
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// Plans targets that have left the configuration of a group and finish their flows. Says
    /// whether there is any.
    pub(super) fn leaving(&mut self, group_id: u16, group: &TargetGroup) -> bool {
        let mut any = false;
        for id in self.former.remove(&group_id).unwrap_or_default() {
            if self.plan.tables.targets.contains_key(&id) {
                continue;
            }
            let previous = self.inputs.previous.targets.get(&id);
            let Some(target) = previous.and_then(without_weight) else {
                continue;
            };
            let (name, address, port) = (group.name.clone(), target.address, target.port);
            let key = TargetKey { group: name, address, port };
            let case = Case { inputs: self.inputs, group, target: &target, key: &key, previous };
            if let Some(verdict) = case.judge_leaving() {
                self.put(group_id, group, &target, id, key, &verdict);
                if let Some(report) = self.plan.targets.last_mut() {
                    report.leaving = true;
                }
                if let Some(entry) = self.plan.tables.targets.get_mut(&id) {
                    entry.flags |= Target::LEAVING;
                }
                any = true;
            }
        }
        any
    }

    /// Writes entry and report of a target.
    fn put(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        target: &config::Target,
        id: u16,
        key: TargetKey,
        verdict: &Verdict<'inputs>,
    ) {
        let state = life::kept_state(verdict);
        let tunnel = &self.inputs.config.tunnel;
        let mut entry = entry::target(target, group, group_id, state, verdict.hop, tunnel);
        if verdict.keeps {
            entry.flags |= Target::ROUTABLE;
        }
        entry.until = verdict.until;
        self.plan.tables.targets.insert(id, entry);
        let until = Some(verdict.until).filter(|until| life::is_ahead(*until, self.inputs.now));
        self.changes_at(until);
        self.plan.targets.push(TargetReport {
            key,
            id,
            weight: target.weight,
            state: verdict.state,
            reason: verdict.reason,
            detail: verdict.detail.clone(),
            in_ring: false,
            leaving: false,
            until,
            share: 0.0,
        });
    }

    /// Notes that the plan changes in this second.
    fn changes_at(&mut self, second: Option<u32>) {
        let now = self.inputs.now;
        let both = self.plan.next_change.into_iter().chain(second);
        self.plan.next_change = both.min_by_key(|second| second.wrapping_sub(now));
    }

    /// An id for a new target: a free one, else the one that has rested the longest.
    fn target_id(&mut self) -> Result<u16, PlanError> {
        let age = |until: &u32| self.inputs.now.wrapping_sub(*until).cast_signed();
        let oldest = || {
            let resting = self.resting.iter();
            resting.max_by_key(|(_, until)| age(until)).map(|(id, _)| *id)
        };
        let id = self.target_ids.take().or_else(oldest);
        let id = id.ok_or_else(|| no_room("targets", TARGETS_MAX))?;
        self.resting.remove(&id);
        Ok(id)
    }

    /// Lets the ids of targets that go rest: remembered flows may still name them.
    pub(super) fn rest(&mut self) {
        let Self { inputs, plan, resting, .. } = self;
        let gone =
            inputs.previous.targets.keys().filter(|id| !plan.tables.targets.contains_key(id));
        // 0 would be no rest.
        let until = inputs.now.wrapping_add(ID_REST).max(1);
        resting.extend(gone.map(|id| (*id, until)));
        plan.tables.resting = std::mem::take(resting);
    }

    /// The members of a ring, from the reports of its group, which start at `first`.
    pub(super) fn members(
        &mut self,
        group: &TargetGroup,
        first: usize,
        in_ring: &[bool],
    ) -> Vec<Member> {
        let (now, slow_start) = (self.inputs.now, group.life.slow_start.as_secs());
        let mut steps = BTreeMap::new();
        let mut members = Vec::with_capacity(in_ring.len());
        let reports = self.plan.targets.iter_mut().skip(first);
        for (report, _) in reports.zip(in_ring).filter(|(_, in_ring)| **in_ring) {
            report.in_ring = true;
            report.until = None;
            if let Some(entry) = self.plan.tables.targets.get_mut(&report.id) {
                entry.flags |= Target::ROUTABLE | Target::ACCEPTING;
                let before = self.inputs.previous.targets.get(&report.id);
                let since =
                    before.filter(|before| before.is_accepting()).map(|before| before.since);
                entry.since = since.unwrap_or(now).max(1);
                if let Some((step, next)) = life::ramp(entry.since, now, slow_start) {
                    report.detail =
                        format!("slow start: {} % of its weight", step * 100 / RAMP_STEPS);
                    steps.insert(report.id, (step, next));
                }
            }
            members.push(Member {
                id: report.id,
                identity: maglev::identity(report.key.address, report.key.port),
                weight: report.weight,
            });
        }
        if !steps.is_empty() {
            raise(&mut members, |id| steps.get(&id).map(|(step, _)| *step));
        }
        for (_, next) in steps.into_values() {
            self.changes_at(Some(next));
        }
        members
    }
}

/// Gives those members their part of their weight that are in a step of slow start. All weights are
/// made as large as a ring allows before, so that a small one can rise, too.
fn raise(members: &mut [Member], step_of: impl Fn(u16) -> Option<u32>) {
    let heaviest = members.iter().map(|member| member.weight).max().unwrap_or(1).max(1);
    let factor = (WEIGHT_MAX / heaviest).clamp(1, RAMP_STEPS);
    for member in members {
        let step = step_of(member.id).unwrap_or(RAMP_STEPS);
        member.weight = (member.weight * factor * step / RAMP_STEPS).max(1);
    }
}

/// A former target, from its entry; it takes nothing new.
fn without_weight(entry: &Target) -> Option<config::Target> {
    let family = Family::try_from(entry.family).ok()?;
    let address = entry.address.to_ip(family);
    Some(config::Target { address, port: entry.port.get(), weight: 0 })
}
