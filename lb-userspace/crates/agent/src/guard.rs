//! The guard of all changes: a change that harms clients needs `--force`. What a change takes from
//! them is found out elsewhere (`plan::unserved`, `plan::broken_connections`,
//! `plan::broken_listeners`).

use lb_config::Config;
use lb_dataplane::StatsSource;
use lb_plan::{self as plan, Reports};

use super::Refusal;

/// Refuses a change that leaves listeners without targets, or breaks connections, unless it is
/// forced. Both are texts; forced ones are logged, and returned to the caller.
pub(super) fn permit(
    left: Vec<String>,
    broken: Vec<String>,
    force: bool,
) -> Result<Vec<String>, Refusal> {
    if force {
        if !left.is_empty() {
            tracing::warn!(
                "this leaves listeners without usable targets:\n  {}",
                left.join("\n  ")
            );
        }
        for text in &broken {
            tracing::warn!("{text}");
        }
        return Ok(left.into_iter().chain(broken).collect());
    }
    let harms = [("leave listeners without targets", left), ("break open connections", broken)];
    let harms = harms.into_iter().filter(|(_, items)| !items.is_empty());
    let harms: Vec<String> =
        harms.map(|(what, items)| format!("{what}:\n  {}", items.join("\n  "))).collect();
    if harms.is_empty() {
        return Ok(Vec::new());
    }
    Err(Refusal::Harmful(format!(
        "this would {}\nnothing was changed; `--force` applies the change anyway",
        harms.join("\nand ")
    )))
}

/// Listeners whose open connections break, as [`plan::broken_listeners`] has them, with the number
/// of connections where bindings tell; `targets` are those of the previous configuration.
pub(super) fn broken_listeners(
    before: &Config,
    after: &Config,
    targets: &Reports,
    stats: &StatsSource,
) -> Vec<String> {
    let broken = plan::broken_listeners(before, after);
    // It reads all bindings, so it is used only if listeners with bindings are affected.
    let counted = broken.iter().any(|one| one.bindings_of.is_some()).then(|| stats.answered().ok());
    let counted = counted.flatten();
    let connections = |group: &String| {
        let counted = counted.as_ref()?;
        let ids = targets.iter().filter(|report| *report.key.group == **group);
        Some(ids.filter_map(|report| counted.get(&report.id)).map(|one| one.bindings).sum())
    };
    let text =
        |one: &plan::BrokenListener| one.text(one.bindings_of.as_ref().and_then(connections));
    broken.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_changes_need_force() {
        let items = |text: &str| vec![text.to_owned()];
        assert!(permit(Vec::new(), Vec::new(), false).is_ok());
        for (left, broken) in [(items("a"), Vec::new()), (Vec::new(), items("b"))] {
            assert!(permit(left.clone(), broken.clone(), false).is_err());
            assert_eq!(permit(left, broken, true).unwrap().len(), 1, "the forced harm is returned");
        }
        let Err(Refusal::Harmful(message)) = permit(items("a"), items("b"), false) else {
            panic!("it is refused");
        };
        assert_eq!(
            message,
            "this would leave listeners without targets:\n  a\nand break open connections:\n  b\n\
             nothing was changed; `--force` applies the change anyway"
        );
    }
}
