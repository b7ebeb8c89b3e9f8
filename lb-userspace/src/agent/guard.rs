//! The one guard of all ways of change: what takes something from clients has to be forced. What a
//! change takes from them is found out elsewhere (`plan::left_without_targets`, `plan::broken_connections`).

use super::Refusal;

/// Refuses a change that leaves listeners without targets, or breaks connections, unless it is forced.
/// Both come in words.
pub(super) fn permit(left: Vec<String>, broken: Vec<String>, force: bool) -> Result<(), Refusal> {
    if force {
        if !left.is_empty() {
            tracing::warn!(
                "this leaves listeners without usable targets:\n  {}",
                left.join("\n  ")
            );
        }
        for text in broken {
            tracing::warn!("{text}");
        }
        return Ok(());
    }
    let harms = [("leave listeners without targets", left), ("break open connections", broken)];
    let harms = harms.into_iter().filter(|(_, items)| !items.is_empty());
    let harms: Vec<String> =
        harms.map(|(what, items)| format!("{what}:\n  {}", items.join("\n  "))).collect();
    if harms.is_empty() {
        return Ok(());
    }
    Err(Refusal::Harmful(format!(
        "this would {}\nnothing was changed; `--force` applies it all the same",
        harms.join("\nand ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_harms_clients_has_to_be_forced() {
        let items = |text: &str| vec![text.to_owned()];
        assert!(permit(Vec::new(), Vec::new(), false).is_ok());
        for (left, broken) in [(items("a"), Vec::new()), (Vec::new(), items("b"))] {
            assert!(permit(left.clone(), broken.clone(), false).is_err());
            assert!(permit(left, broken, true).is_ok());
        }
        let Err(Refusal::Harmful(message)) = permit(items("a"), items("b"), false) else {
            panic!("it is refused");
        };
        assert_eq!(
            message,
            "this would leave listeners without targets:\n  a\nand break open connections:\n  b\n\
             nothing was changed; `--force` applies it all the same"
        );
    }
}
