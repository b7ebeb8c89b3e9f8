//! Target groups that the proxy reaches, for themselves.

use super::doubles;
use crate::{model::Config, positions::Positions, section::Findings};

pub(super) fn check(config: &Config, places: &Positions, findings: &Findings) {
    for (group, place) in config.http_target_groups.iter().zip(&places.http_groups) {
        let name = &group.name;
        let keys = group.targets.iter().map(|target| (&target.address, target.port));
        doubles(keys.zip(group.targets.iter().zip(&place.targets)), |_, (target, at), _| {
            findings.error(at, format!("target {target} is in the group {name} twice"));
        });
        if group.scaling.is_some() || !group.names.is_empty() {
            // Its members are not known here, nor are the addresses of names.
            continue;
        }
        let (least, has) = (group.minimum_healthy.count, group.targets.len());
        if least > 1 && usize::try_from(least).is_ok_and(|least| least > has) {
            let message = format!(
                "minimum_healthy_targets of {name} is {least}, and it has {has} targets: unhealthy \
                 targets are always used"
            );
            findings.warn(&place.at, message);
        }
        let harm = group.unserved();
        if group.targets.is_empty() {
            findings.warn(&place.at, format!("target group {name} has no targets: {harm}"));
        } else if group.targets.iter().all(|target| target.weight == 0) {
            findings.warn(&place.at, format!("all targets of {name} have weight 0: {harm}"));
        }
    }
}
