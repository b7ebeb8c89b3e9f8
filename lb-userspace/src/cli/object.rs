//! PURE: objects as they are named on the command line (`listener web`, `target web/10.0.1.11:80`), and
//! where they are in the configuration.

use std::ffi::OsString;

use lb_config::PartPath;

/// Kinds of objects, with their short names and what people type from habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Listener,
    TargetGroup,
    Rule,
    Target,
    /// The whole configuration.
    Config,
}

const KINDS: &[(Kind, &[&str])] = &[
    (Kind::Listener, &["listener", "listeners", "lb", "l"]),
    (Kind::TargetGroup, &["target-group", "target-groups", "tg", "group", "groups"]),
    (Kind::Rule, &["rule", "rules"]),
    (Kind::Target, &["target", "targets", "t"]),
    (Kind::Config, &["config", "configuration"]),
];

/// A kind, and the name where both stand in one word (`listener/web`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KindWord {
    kind: Kind,
    name: Option<String>,
}

impl KindWord {
    /// A kind alone.
    pub(super) const fn of(kind: Kind) -> Self {
        Self { kind, name: None }
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The name behind it in the same word.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The kind of this name.
pub(super) fn kind(word: &str) -> Option<Kind> {
    KINDS.iter().find(|(_, names)| names.contains(&word)).map(|(kind, _)| *kind)
}

/// Reads the word of a kind.
pub(super) fn parse_kind(text: &str) -> Result<KindWord, String> {
    let (word, name) = match text.split_once('/') {
        Some((word, name)) => (word, Some(name.to_owned())),
        None => (text, None),
    };
    let kind = kind(word)
        .ok_or_else(|| "use listener, target-group (tg), rule, target or config".to_owned())?;
    Ok(KindWord { kind, name })
}

/// An object of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) path: PartPath,
}

/// Reads the names of objects of one kind, and what stands behind the first of them, if `one` is
/// wanted. A target and a rule may be two words: `web 10.0.1.11`.
pub(super) fn objects(
    KindWord { kind, name }: &KindWord,
    words: &[String],
    one: bool,
) -> Result<(Vec<Object>, Vec<String>), String> {
    let mut words: Vec<String> = name.iter().chain(words).cloned().collect();
    if *kind == Kind::Config {
        let whole = Object { kind: *kind, path: PartPath::default() };
        return Ok((vec![whole], words));
    }
    let is_pair = matches!(kind, Kind::Target | Kind::Rule);
    if let (true, [first, second, ..]) = (is_pair, words.as_slice())
        && !first.contains('/')
        && !second.contains(['/', '='])
    {
        let joined = format!("{first}/{second}");
        words.splice(..2, [joined]);
    }
    if words.is_empty() {
        return Err(format!("name the object: {}", example(*kind)));
    }
    let rest = if one { words.split_off(1) } else { Vec::new() };
    let named = words.iter().map(|name| object(*kind, name)).collect::<Result<_, _>>()?;
    Ok((named, rest))
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Target => "GROUP/ADDRESS, for example web/10.0.1.11",
        Kind::Rule => "LISTENER/RULE, for example shop/orders",
        _ => "for example web",
    }
}

/// A name without the kind in front of it, as `xelb get -o name` prints it (`target/web/10.0.1.11:80`).
/// A group may be called `target`, too.
fn bare(kind: Kind, name: &str) -> &str {
    let Some((word, rest)) = name.split_once('/') else { return name };
    let is_kind = KINDS.iter().any(|(one, words)| *one == kind && words.contains(&word));
    let is_pair = matches!(kind, Kind::Target | Kind::Rule);
    if is_kind && (!is_pair || rest.contains('/')) { rest } else { name }
}

/// The word `KIND/NAME` behind `xelb get` in two.
pub(super) fn kind_split(mut words: Vec<OsString>) -> Vec<OsString> {
    let named = match words.as_slice() {
        [_, command, word, ..] if command == "get" => {
            word.to_str().and_then(|word| word.split_once('/'))
        }
        _ => None,
    };
    let named = named.filter(|(kind, name)| !kind.starts_with('-') && !name.is_empty());
    if let Some([kind, name]) = named.map(|(kind, name)| [kind, name].map(OsString::from)) {
        words.splice(2..=2, [kind, name]);
    }
    words
}

/// The object of this kind and name.
pub(super) fn object(kind: Kind, name: &str) -> Result<Object, String> {
    let name = bare(kind, name);
    let pair = || {
        let parts =
            name.split_once('/').filter(|(one, other)| !one.is_empty() && !other.is_empty());
        parts.ok_or_else(|| format!("`{name}` is not {}", example(kind)))
    };
    let path = match kind {
        Kind::Listener => PartPath::of(&[("listeners", name)]),
        Kind::TargetGroup => PartPath::of(&[("target_groups", name)]),
        Kind::Rule => {
            let (listener, rule) = pair()?;
            PartPath::of(&[("listeners", listener), ("rules", rule)])
        }
        Kind::Target => {
            let (group, address) = pair()?;
            PartPath::of(&[("target_groups", group), ("targets", address)])
        }
        Kind::Config => PartPath::default(),
    };
    Ok(Object { kind, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths of the objects, and what stands behind them.
    fn read(line: &str, one: bool) -> Result<String, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (first, words) = words.split_first().ok_or("no words")?;
        let (objects, rest) = objects(&parse_kind(first)?, words, one)?;
        let paths: Vec<String> = objects.iter().map(|object| object.path.to_string()).collect();
        Ok(format!("{} {}", paths.join(" "), rest.join(" ")).trim().to_owned())
    }

    #[test]
    fn objects_are_read() {
        for (line, expected) in [
            ("listener web", "listeners[web]"),
            ("lb/web a=1", "listeners[web] a=1"),
            ("tg web a=1 b=2", "target_groups[web] a=1 b=2"),
            (
                "target web/10.0.1.11:80 weight=5",
                "target_groups[web].targets[10.0.1.11:80] weight=5",
            ),
            ("target web 10.0.1.11 weight=5", "target_groups[web].targets[10.0.1.11] weight=5"),
            (
                "target web/[2001:db8::1]:80 weight=5",
                "target_groups[web].targets[[2001:db8::1]:80] weight=5",
            ),
            ("target/web/10.0.1.11", "target_groups[web].targets[10.0.1.11]"),
            ("rule shop/a x=1", "listeners[shop].rules[a] x=1"),
            ("rule shop a x=1", "listeners[shop].rules[a] x=1"),
            ("config icmp.echo=true", "icmp.echo=true"),
        ] {
            assert_eq!(read(line, true), Ok(expected.to_owned()), "{line}");
        }
        let names = "target target/web/10.0.1.11:80 web/10.0.1.12:80 target/10.0.1.13";
        assert_eq!(
            read(names, false).unwrap(),
            "target_groups[web].targets[10.0.1.11:80] target_groups[web].targets[10.0.1.12:80] \
             target_groups[target].targets[10.0.1.13]"
        );
        assert_eq!(
            read("tg target-group/web rule", false),
            Ok("target_groups[web] target_groups[rule]".to_owned())
        );
        assert_eq!(read("rule rule/shop/20", false), Ok("listeners[shop].rules[20]".to_owned()));
        assert_eq!(read("listener a b", false), Ok("listeners[a] listeners[b]".to_owned()));
    }

    #[test]
    fn a_kind_and_a_name_in_one_word_are_two_for_get() {
        for (line, expected) in [
            ("xelb get tg/web -o name", "xelb get tg web -o name"),
            ("xelb get target/web/10.0.1.11:80", "xelb get target web/10.0.1.11:80"),
            ("xelb get targets web/10.0.1.11", "xelb get targets web/10.0.1.11"),
            ("xelb get --socket=a/b targets", "xelb get --socket=a/b targets"),
            ("xelb describe tg/web", "xelb describe tg/web"),
        ] {
            let words = kind_split(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), expected);
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for (line, why) in [
            ("pod web", "use listener, target-group"),
            ("target web", "is not GROUP/ADDRESS"),
            ("rule shop x=1", "is not LISTENER/RULE"),
            ("target /10.0.1.11", "is not GROUP/ADDRESS"),
        ] {
            let error = read(line, true).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        let kind = parse_kind("tg").unwrap();
        assert!(objects(&kind, &[], true).unwrap_err().starts_with("name the object"));
    }
}
