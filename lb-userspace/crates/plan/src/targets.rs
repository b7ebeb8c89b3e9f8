//! PURE: the targets of a group: their ids, entries and reports, and the members of its ring.

use std::{collections::BTreeMap, mem};

use lb_common::{
    Address, Be16, Family, RingRef, Target,
    limits::{TARGETS_MAX, WEIGHT_MAX},
    target::TargetState,
};
use lb_config::{self as config, Life, TargetGroup, TargetKey};

use super::{
    GroupTable, Inputs, PlanError, TargetReport,
    compile::{Compiler, sooner, table_full},
    is_transition, map_entry,
    previous_targets::PreviousTargets,
    target_lifecycle::{self, Case, RAMP_STEPS, Verdict},
};
use crate::{
    Reason,
    maglev::{self, Member},
};

/// Seconds that the id of a removed target must not be reused: as long as a flow is remembered with
/// the longest idle timeout (100 minutes, and an eighth more).
const ID_REST: u32 = 6000 + 6000 / 8 + 1;

/// What the detail of a healthy backup begins with.
const BACKUP: &str = "backup: ";

/// A target of the group that is being planned.
pub(super) struct PlannedTarget<'inputs> {
    pub(super) report: TargetReport,
    pub(super) entry: Target,
    /// Its entry so far.
    previous: Option<&'inputs Target>,
}

impl PlannedTarget<'_> {
    /// Says of a healthy backup why it takes no flows. That of one in the ring is another matter.
    pub(super) fn note_backup(&mut self, target: &config::Target, group: &TargetGroup) {
        let report = &mut self.report;
        if target.backup && report.state == TargetState::Healthy && report.detail.is_empty() {
            let least = group.life.backup_threshold;
            report.detail = format!(
                "{BACKUP}takes new flows while fewer than {least} other targets are healthy"
            );
        }
    }

    /// Whether its entry is the one that it had.
    pub(super) fn is_as_before(&self) -> bool {
        self.previous == Some(&self.entry)
    }
}

impl<'inputs> Compiler<'_, 'inputs> {
    /// Drafts the entries of a group's targets, and their reports but for the ring.
    pub(super) fn targets(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        used: bool,
        previous: &mut PreviousTargets<'inputs>,
    ) -> Result<(Vec<PlannedTarget<'inputs>>, Vec<Verdict<'inputs>>), PlanError> {
        let mut verdicts = Vec::with_capacity(group.targets.len());
        let mut drafts = Vec::with_capacity(group.targets.len());
        let healths = self.inputs.health.group(&group.name);
        for target in &group.targets {
            let key =
                TargetKey { group: group.name.clone(), address: target.address, port: target.port };
            let family = Family::from(&target.address) as u8;
            let address: Address = target.address.into();
            let known = previous.find((family, address, Be16::new(target.port)));
            let previous = known.map(|(_, previous)| previous);
            let health = healths.and_then(|healths| healths.get(&(target.address, target.port)));
            let inputs = self.inputs;
            let case = Case { inputs, group, target, key: &key, health, previous };
            let verdict = case.judge(used);
            let id = match known {
                Some((id, _)) => id,
                None => self.target_id()?,
            };
            let is_asked_for = inputs.drained.contains(&key);
            let mut draft = self.draft(group_id, group, target, (id, previous), key, &verdict);
            if !used && verdict.keeps && !is_asked_for {
                // It was not drained by a command: a new agent must not restore it as such.
                draft.entry.flags |= Target::LEAVING;
            }
            drafts.push(draft);
            verdicts.push(verdict);
        }
        Ok((drafts, verdicts))
    }

    /// Drafts targets that have left the configuration of a group and finish their flows; the others
    /// go.
    pub(super) fn leaving(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        previous: PreviousTargets<'inputs>,
        drafts: &mut Vec<PlannedTarget<'inputs>>,
    ) {
        for (id, entry) in previous.left() {
            let draft = without_weight(entry).and_then(|target| {
                let (name, address, port) = (group.name.clone(), target.address, target.port);
                let key = TargetKey { group: name, address, port };
                let (previous, inputs) = (Some(entry), self.inputs);
                let health = inputs.health.get(&key);
                let case = Case { inputs, group, target: &target, key: &key, health, previous };
                let verdict = case.judge_leaving()?;
                Some(self.draft(group_id, group, &target, (id, previous), key, &verdict))
            });
            match draft {
                Some(mut draft) => {
                    draft.report.leaving = true;
                    draft.entry.flags |= Target::LEAVING;
                    drafts.push(draft);
                }
                None => self.gone.push(id),
            }
        }
    }

    /// Entry and report of a target; `known` is its id and its entry so far.
    fn draft(
        &mut self,
        group_id: u16,
        group: &TargetGroup,
        target: &config::Target,
        known: (u16, Option<&'inputs Target>),
        key: TargetKey,
        verdict: &Verdict<'inputs>,
    ) -> PlannedTarget<'inputs> {
        let (id, previous) = known;
        let state = target_lifecycle::kept_state(verdict);
        let tunnel = &self.inputs.config.tunnel;
        let mut entry = map_entry::target(target, group, group_id, state, verdict.next_hop, tunnel);
        if verdict.keeps {
            entry.flags |= Target::ROUTABLE;
        }
        entry.until = verdict.until;
        let until =
            Some(verdict.until).filter(|until| target_lifecycle::is_ahead(*until, self.inputs.now));
        self.changes_at(until);
        let report = TargetReport {
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
        };
        PlannedTarget { report, entry, previous }
    }

    /// Notes that the group changes in this second.
    fn changes_at(&mut self, second: Option<u32>) {
        self.next_change = sooner(self.next_change, second, self.inputs.now);
    }

    /// An id for a new target: a free one, else the one that has rested the longest.
    fn target_id(&mut self) -> Result<u16, PlanError> {
        let age = |until: &u32| self.inputs.now.wrapping_sub(*until).cast_signed();
        let oldest = || {
            let resting = self.resting.iter();
            resting.max_by_key(|(_, until)| age(until)).map(|(id, _)| *id)
        };
        let used = || {
            let previous = self.inputs.previous.targets.keys();
            previous.chain(self.resting.keys()).copied()
        };
        let id = self.target_ids.take(used).or_else(oldest);
        let id = id.ok_or_else(|| table_full("targets", TARGETS_MAX))?;
        self.resting.remove(&id);
        Ok(id)
    }

    /// Lets the ids of targets that go rest: remembered flows may still name them.
    pub(super) fn rest(&mut self) {
        let Self { inputs, tables, resting, gone, previous, .. } = self;
        // Those of groups that are no more.
        let left = mem::take(previous).into_values().flat_map(PreviousTargets::left);
        // 0 would be no rest.
        let until = inputs.now.wrapping_add(ID_REST).max(1);
        resting.extend(gone.drain(..).chain(left.map(|(id, _)| id)).map(|id| (id, until)));
        tables.resting = mem::take(resting);
    }

    /// Plans the groups that have left the configuration while their targets finish their flows: they
    /// have no ring, and entries that stay as they are.
    pub(super) fn removed_groups(&mut self) {
        let (inputs, now) = (self.inputs, self.inputs.now);
        for (group_id, group) in &inputs.previous.groups {
            if self.tables.groups.contains_key(group_id) || is_transition(&group.name) {
                continue;
            }
            let known = inputs.cache.group(&group.name).map(|known| &known.cause.group);
            let config = known.or_else(|| inputs.removed.iter().find(|one| one.name == group.name));
            let delay = config.map_or_else(Life::default, |config| config.life);
            let delay = delay.deregistration_delay.as_secs();
            let mut reports = Vec::new();
            let previous = self.previous.remove(group_id).unwrap_or_default();
            for (id, before) in previous.left() {
                let Some(report) = leaving_report(id, before, group, delay, inputs) else {
                    self.gone.push(id);
                    continue;
                };
                let kept = (before.flags | Target::LEAVING) & !Target::ACCEPTING;
                let until = report.until.unwrap_or(now);
                let state = TargetState::Draining as u8;
                let entry = Target { flags: kept, state, since: 0, until, ..*before };
                self.tables.targets.insert(id, entry);
                if entry.is_resolved() {
                    self.tables.devices.insert(entry.interface);
                }
                self.plan.next_change = sooner(self.plan.next_change, Some(until), now);
                reports.push(report);
            }
            if !reports.is_empty() {
                let (name, ring) = (group.name.clone(), RingRef::NONE);
                let table = GroupTable { name, ring, slots: [].into() };
                self.tables.groups.insert(*group_id, table);
                self.plan.targets.push(reports.into());
            }
        }
    }

    /// The members of a ring, from the drafts of its group.
    pub(super) fn members(
        &mut self,
        group: &TargetGroup,
        drafts: &mut [PlannedTarget<'inputs>],
        in_ring: &[bool],
    ) -> Vec<Member> {
        let (now, slow_start) = (self.inputs.now, group.life.slow_start.as_secs());
        let mut steps = BTreeMap::new();
        let mut members = Vec::with_capacity(in_ring.len());
        let drafts = drafts.iter_mut().zip(in_ring).filter(|(_, in_ring)| **in_ring);
        for (PlannedTarget { report, entry, previous }, _) in drafts {
            report.in_ring = true;
            if report.detail.starts_with(BACKUP) {
                "backup in use".clone_into(&mut report.detail);
            }
            report.until = None;
            entry.flags |= Target::ROUTABLE | Target::ACCEPTING;
            let since = previous.filter(|before| before.is_accepting()).map(|before| before.since);
            entry.since = since.unwrap_or(now).max(1);
            if let Some((step, next)) = target_lifecycle::ramp(entry.since, now, slow_start) {
                report.detail = format!("slow start: {} % of its weight", step * 100 / RAMP_STEPS);
                steps.insert(report.id, (step, next));
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

/// The report on a target of a group that is no more; `None` when nothing keeps it.
fn leaving_report(
    id: u16,
    before: &Target,
    group: &GroupTable,
    delay_s: u64,
    inputs: &Inputs<'_>,
) -> Option<TargetReport> {
    let target = without_weight(before).filter(|_| before.is_routable())?;
    let key = TargetKey { group: group.name.clone(), address: target.address, port: target.port };
    let dead = inputs.health.get(&key).is_some_and(|one| one.state == TargetState::Unhealthy);
    let until = if target_lifecycle::is_draining(before) && before.until != 0 {
        target_lifecycle::extended(before, inputs)
    } else {
        target_lifecycle::later(inputs.now, delay_s)
    };
    if dead || inputs.cut.contains(&key) || !target_lifecycle::is_ahead(until, inputs.now) {
        return None;
    }
    Some(TargetReport {
        key,
        id,
        weight: 0,
        state: TargetState::Draining,
        reason: Some(Reason::DeregistrationInProgress),
        detail: String::new(),
        in_ring: false,
        leaving: true,
        until: Some(until),
        share: 0.0,
    })
}

/// A removed target, from its entry; it takes no new flows.
fn without_weight(entry: &Target) -> Option<config::Target> {
    let family = Family::try_from(entry.family).ok()?;
    let address = entry.address.to_ip(family);
    Some(config::Target { address, port: entry.port.get(), weight: 0, backup: false })
}
