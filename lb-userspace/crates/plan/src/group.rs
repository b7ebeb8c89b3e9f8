//! PURE: the plan of one group: its targets, and its ring.

use lb_common::{Mode, RingRef, Slot, Target, limits::GROUPS_MAX};
use lb_config::{Protocol, TargetGroup};

use super::{
    GroupTable, PlanError,
    cache::{Cause, GroupPlan},
    compile::{Compiler, table_full},
    ring_membership::Membership,
    rings::{Facts, Ring},
    slot_allocator,
    targets::PlannedTarget,
};
use crate::{
    consistency::{self, Change},
    maglev::{self, Member},
};

impl Compiler<'_, '_> {
    /// Plans a group.
    pub(super) fn group(&mut self, cause: Cause) -> Result<GroupPlan, PlanError> {
        let Cause { group, used, .. } = &cause;
        let (used, gone) = (*used, self.gone.len());
        self.next_change = None;
        let renamed = self.renamed.iter().find(|renamed| renamed.to == group.name);
        let renamed = renamed.map(|renamed| renamed.id);
        let known = renamed.or_else(|| self.known_groups.get(&*group.name).copied());
        let taken = || self.inputs.previous.groups.keys().copied();
        let id = known
            .or_else(|| self.group_ids.take(taken))
            .ok_or_else(|| table_full("target groups", GROUPS_MAX))?;
        let mut previous = self.previous.remove(&id).unwrap_or_default();
        let (mut drafts, verdicts) = self.targets(id, group, used, &mut previous)?;
        let membership = Membership::new(group, &verdicts);
        let warnings = if used { membership.warnings() } else { Vec::new() };
        self.leaving(id, group, previous, &mut drafts);
        let mut table =
            GroupTable { name: group.name.clone(), ring: RingRef::NONE, slots: [].into() };
        let mut ring = None;
        if used && !drafts.is_empty() {
            let in_ring = membership.in_ring();
            for (draft, target) in drafts.iter_mut().zip(&group.targets) {
                draft.note_backup(target, group);
            }
            let members = self.members(group, &mut drafts, &in_ring);
            ring = Some(self.ring(id, &mut table, members, &mut drafts, group)?);
        }
        let is_stable = self.inputs.previous.groups.get(&id) == Some(&table)
            && drafts.iter().all(PlannedTarget::is_as_before)
            && self.gone.len() == gone;
        let resolved = drafts.iter().map(|draft| draft.entry).filter(Target::is_resolved);
        Ok(GroupPlan {
            id,
            table,
            ring,
            interfaces: resolved.map(|entry| entry.interface).collect(),
            targets: drafts.iter().map(|draft| (draft.report.id, draft.entry)).collect(),
            reports: drafts.into_iter().map(|draft| draft.report).collect(),
            warnings,
            next_change: self.next_change,
            is_down: used && membership.is_down(),
            is_stable,
            cause,
        })
    }

    /// Places a group's ring: in its present space if the size is the same, otherwise in free
    /// space.
    fn ring(
        &mut self,
        id: u16,
        table: &mut GroupTable,
        members: Vec<Member>,
        drafts: &mut [PlannedTarget<'_>],
        group: &TargetGroup,
    ) -> Result<Ring, PlanError> {
        let previous = self.inputs.previous.groups.get(&id).filter(|group| {
            slot_allocator::is_sound(group.ring) && group.slots.len() == group.ring.len()
        });
        let bits = maglev::ring_bits(group.targets.len(), previous.map(|group| group.ring.bits()));
        let place = previous.map(|group| group.ring).filter(|ring| ring.bits() == bits);
        table.ring = place.or_else(|| self.space.take(bits)).ok_or_else(|| {
            PlanError::NoRoomForRing { group: table.name.to_string(), slots: 1 << bits }
        })?;
        for draft in &*drafts {
            self.routable[usize::from(draft.report.id)] = draft.entry.is_routable();
        }
        let (routable, inputs) = (&self.routable, self.inputs);
        let base = previous.map_or(0, |group| group.ring.base() as usize);
        let last = base + previous.map_or(0, |group| group.slots.len());
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let kept = drafts.iter().filter(|draft| draft.entry.is_routable());
        let facts = Facts {
            arms: arms(group),
            resets: resets(group),
            routable: kept.map(|draft| draft.report.id).collect(),
            idle_slots: inputs.idle_slots.range(number(base)..number(last)).next().is_some(),
        };
        let change = Change {
            arms: facts.arms,
            resets: facts.resets,
            routable: &|id| routable.get(usize::from(id)).is_some_and(|routable| *routable),
            idle_slots: &|number| {
                u32::try_from(base + number).is_ok_and(|index| inputs.idle_slots.contains(&index))
            },
            epoch: consistency::epoch(inputs.now),
        };
        let ring = if members.is_empty() && previous.is_none() {
            let blank = || [Slot::unarmed(0)].repeat(1 << bits).into();
            Ring::blank(bits, self.blank.entry(bits).or_insert_with(blank).clone(), facts)
        } else {
            let last = inputs.cache.group(&group.name).and_then(|last| last.ring.as_ref());
            Ring::of(last, members, bits, previous, facts, &change)
        };
        table.slots = ring.slots();
        let members = drafts.iter_mut().map(|draft| &mut draft.report);
        let members = members.filter(|report| report.in_ring);
        for (report, (_, share)) in members.zip(ring.shares()) {
            report.share = share;
        }
        Ok(ring)
    }
}

/// Whether flows of a group's targets are kept by arming slots. In modes nat and fullnat every flow
/// has a binding; UDP flows are remembered from their first packet on, or never.
pub(super) const fn arms(group: &TargetGroup) -> bool {
    let direct = !matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    direct && !matches!(group.protocol, Protocol::Udp)
}

/// Whether TCP flows of a removed target are to be reset.
pub(super) fn resets(group: &TargetGroup) -> bool {
    group.life.connection_termination && group.protocol == Protocol::Tcp
}
