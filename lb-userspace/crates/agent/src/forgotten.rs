//! Groups that were removed from the configuration while no agent ran, or before a restart, and
//! whose targets still finish their flows. The history has their health checks and deregistration
//! delays.

use std::sync::Arc;

use lb_config::{self as config, Config, Limits, TargetGroup};
use lb_plan::{Tables, is_transition};
use lb_store::Store;

/// So many revisions back a group is looked for: each may hold thousands of targets.
const REVISIONS_MAX: usize = 20;

/// Names of the groups in the maps that are not configured and have targets with flows.
pub(super) fn names(config: &Config, tables: &Tables) -> Vec<Arc<str>> {
    let is_configured = |name: &str| config.target_groups.iter().any(|group| &*group.name == name);
    let has_flows =
        |id: u16| tables.targets.values().any(|target| target.group == id && target.is_routable());
    let groups = tables.groups.iter().filter(|(id, group)| {
        !is_transition(&group.name) && !is_configured(&group.name) && has_flows(**id)
    });
    groups.map(|(_, group)| Arc::clone(&group.name)).collect()
}

/// These groups as they were when they were last configured. What cannot be read is left out: its targets
/// finish their flows unchecked, for the usual delay.
pub(super) fn restore_removed(store: &mut dyn Store, names: &[Arc<str>]) -> Vec<Arc<TargetGroup>> {
    let mut found: Vec<Arc<TargetGroup>> = Vec::new();
    if names.is_empty() {
        return found;
    }
    for head in store.revisions(u64::MAX, REVISIONS_MAX).unwrap_or_default() {
        if found.len() == names.len() {
            break;
        }
        let Ok(Some(revision)) = store.revision(head.number) else { continue };
        // Limits of this agent may be others, and files that are named may be gone.
        let Ok((config, _)) = config::validate_within(&revision.document, &Limits::MOST) else {
            continue;
        };
        for group in config.target_groups {
            let known = found.iter().any(|one| one.name == group.name);
            if names.contains(&group.name) && !known {
                found.push(group);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use lb_common::{Family, RingRef, Target};
    use lb_config::parse;
    use lb_plan::GroupTable;
    use lb_store::{Commit, Embedded};

    use super::*;

    fn text(groups: &[(&str, u32)]) -> String {
        let group = |(name, delay): &(&str, u32)| {
            format!(
                "  - {{ name: {name}, protocol: tcp, port: 80, forwarding: ipip, targets: [{{ address: \
                 10.0.1.11 }}], attributes: {{ deregistration_delay: {delay}s }} }}\n"
            )
        };
        let groups: String = groups.iter().map(group).collect();
        format!("interfaces: [eth0]\ntarget_groups:\n{groups}")
    }

    #[test]
    fn removed_groups_are_restored_in_their_last_state() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Embedded::open(folder.path()).unwrap();
        let revisions =
            [text(&[("blue", 7)]), text(&[("blue", 9), ("green", 5)]), text(&[("green", 5)])];
        for (base, text) in (0..).zip(&revisions) {
            let document = parse(text, "x.yaml").unwrap().0;
            let (who, what) = ("test".to_owned(), "apply".to_owned());
            store
                .commit(Commit { base, who, what, message: String::new(), document, edit: None })
                .unwrap();
        }
        let config = parse(&revisions[2], "x.yaml").unwrap().1;
        let mut tables = Tables::default();
        for (id, name, routable) in
            [(1, "blue", true), (2, "green", true), (3, ">3", true), (4, "gone", false)]
        {
            let (name, ring) = (name.into(), RingRef::NONE);
            tables.groups.insert(id, GroupTable { name, ring, slots: [].into() });
            let flags = if routable { Target::VALID | Target::ROUTABLE } else { Target::VALID };
            let family = Family::V4 as u8;
            tables.targets.insert(id, Target { group: id, flags, family, ..Target::default() });
        }
        let names = names(&config, &tables);
        assert_eq!(names, ["blue".into()]);
        let recalled = restore_removed(&mut store, &names);
        let delays: Vec<u64> =
            recalled.iter().map(|group| group.life.deregistration_delay.as_secs()).collect();
        assert_eq!(delays, [9]);
        assert!(restore_removed(&mut store, &["other".into()]).is_empty());
    }
}
