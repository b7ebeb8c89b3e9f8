//! Objects of the configuration that a selector means, for commands that change all of them in one revision.

use clap::Args;
use lb_api::{Client, ConfigurationView};
use lb_config::{PartPath, Selector, TaggedKind};

use super::{
    object::{Kind, KindWord},
    part_change::wrong,
};

/// The option.
#[derive(Debug, Args)]
pub(super) struct Selecting {
    /// All objects of this kind whose tags fit, such as env=prod,tier in (web,api),!old. NAME is then
    /// left out, or a group of the targets, or a listener of the rules
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub(super) selector: Option<Selector>,
}

/// Objects, and the configuration that they were found in.
pub(super) struct Selected {
    pub(super) kind: Kind,
    /// Not empty.
    pub(super) paths: Vec<PartPath>,
    pub(super) present: ConfigurationView,
}

/// Finds the objects; `words` stand behind the kind, and at most name who owns them.
pub(super) async fn selected(
    client: &Client,
    kind: &KindWord,
    words: &[String],
    selector: &Selector,
) -> anyhow::Result<Selected> {
    let (tagged, owner) = owner(kind, words).map_err(wrong)?;
    let present = client.configuration().await?;
    if let Some(owner) = owner {
        let list = if tagged == TaggedKind::Rule { "listeners" } else { "target_groups" };
        let owner = present.document.part(&PartPath::of(&[(list, owner)]));
        owner.map_err(|error| wrong(error.to_string()))?;
    }
    let paths = present.document.selected(tagged, owner, selector);
    if paths.is_empty() {
        return Err(wrong(nothing(tagged, owner, selector)));
    }
    Ok(Selected { kind: kind.kind(), paths, present })
}

/// What no object fits.
pub(super) fn nothing(kind: TaggedKind, owner: Option<&str>, selector: &Selector) -> String {
    let (one, list, of) = match kind {
        TaggedKind::Listener => ("listener", "listeners", "listener"),
        TaggedKind::TargetGroup => ("target group", "target-groups", "group"),
        TaggedKind::Rule => ("rule", "rules", "listener"),
        TaggedKind::Target => ("target", "targets", "group"),
    };
    let owner = owner.map_or_else(String::new, |owner| format!(" of {of} {owner}"));
    format!("no {one}{owner} has tags that fit `{selector}`; `xelb get {list} -o wide` shows tags")
}

/// What kind of objects it is, and the group or listener that has them, if one is named.
pub(super) fn owner<'word>(
    word: &'word KindWord,
    words: &'word [String],
) -> Result<(TaggedKind, Option<&'word str>), String> {
    let tagged = match word.kind() {
        Kind::Listener => TaggedKind::Listener,
        Kind::TargetGroup => TaggedKind::TargetGroup,
        Kind::Rule => TaggedKind::Rule,
        Kind::Target => TaggedKind::Target,
        Kind::Config => {
            return Err("the configuration has no tags: leave --selector out".to_owned());
        }
    };
    let mut names = word.name().into_iter().chain(words.iter().map(String::as_str));
    match (tagged, names.next(), names.next()) {
        (_, None, _) => Ok((tagged, None)),
        (TaggedKind::Target, Some(group), None) if !group.contains('/') => {
            Ok((tagged, Some(group)))
        }
        (TaggedKind::Rule, Some(listener), None) if !listener.contains('/') => {
            Ok((tagged, Some(listener)))
        }
        (TaggedKind::Target, ..) => {
            Err("with --selector, at most the group of the targets is named".to_owned())
        }
        (TaggedKind::Rule, ..) => {
            Err("with --selector, at most the listener of the rules is named".to_owned())
        }
        _ => Err("give names or --selector, not both".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::object::parse_kind, *};

    #[test]
    fn a_selector_stands_in_the_place_of_names() {
        use TaggedKind::{Listener, Rule, Target, TargetGroup};
        for (kind, words, expected) in [
            ("target", vec![], Ok((Target, None))),
            ("target", vec!["web"], Ok((Target, Some("web")))),
            ("t/web", vec![], Ok((Target, Some("web")))),
            ("rule", vec!["shop"], Ok((Rule, Some("shop")))),
            ("tg", vec![], Ok((TargetGroup, None))),
            ("lb", vec![], Ok((Listener, None))),
            ("lb", vec!["web"], Err("not both")),
            ("tg/web", vec![], Err("not both")),
            ("target", vec!["web/10.0.1.11"], Err("at most the group")),
            ("target", vec!["web", "api"], Err("at most the group")),
            ("rule", vec!["shop/10"], Err("at most the listener")),
            ("config", vec![], Err("has no tags")),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            let kind = parse_kind(kind).unwrap();
            match (owner(&kind, &words), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(why)) => assert!(error.contains(why), "{error}"),
                (found, expected) => panic!("{kind:?} {words:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn an_empty_selection_names_the_selector() {
        let selector = "rack=13".parse().unwrap();
        assert_eq!(
            nothing(TaggedKind::Target, Some("web"), &selector),
            "no target of group web has tags that fit `rack=13`; `xelb get targets -o wide` shows tags"
        );
        assert_eq!(
            nothing(TaggedKind::Rule, Some("shop"), &selector),
            "no rule of listener shop has tags that fit `rack=13`; `xelb get rules -o wide` shows tags"
        );
    }
}
