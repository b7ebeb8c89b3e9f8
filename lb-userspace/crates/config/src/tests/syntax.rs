//! Texts that are no YAML: one clear line each, soon.

use std::{fmt::Write as _, time::Duration};

use super::errors;

const MISSING: &str = "`interfaces` is missing; for example `interfaces: [eth0]`";

/// Texts and their messages, after the name of the file.
const NO_YAML: &[(&str, &str)] = &[
    (
        "interfaces:\n\t- eth0\n",
        "2:2: is not valid YAML: tabs disallowed within this context (block indentation)",
    ),
    (
        "interfaces: [eth0\nlisteners: []\n",
        "2:10: is not valid YAML: illegal placement of ':' indicator",
    ),
    ("interfaces: \"eth0\nlisteners: []\n", "1:13: is not valid YAML: unclosed quote"),
    ("interfaces: ['eth0]", "1:14: is not valid YAML: unclosed quote"),
    (
        "interfaces: [eth0]\nlisteners: []\ninterfaces: [eth1]\n",
        "3:1: the key `interfaces` occurs twice",
    ),
    ("{\"listeners\": [],\n \"listeners\": []}", "2:2: the key `listeners` occurs twice"),
    (
        "interfaces: eth0: eth1\n",
        "1:17: is not valid YAML: mapping values are not allowed in this context",
    ),
    ("interfaces: *all\n", "1:13: the alias has no anchor above it"),
    ("interfaces: &a [*a]\n", "1:17: the alias is inside its own anchor"),
    ("interfaces: [eth0]\n\0\n", "2:1: is not valid YAML: unexpected character: `\\u{0}'"),
    ("interfaces: [eth\u{7}]\n", "1:14: is not valid YAML: unexpected character: `\\u{7}'"),
    ("interfaces: [eth0]\n? [a]\n: 1\n", "2:3: a key is a list; keys are texts"),
    ("interfaces: [eth0]\n? {a: b}\n: 1\n", "2:3: a key is a section; keys are texts"),
    ("interfaces: [eth0]\n~: 1\n", "2:1: a key is empty; keys are texts"),
    (
        "interfaces: [eth0]\n---\ninterfaces: [eth1]\n",
        "2:1: a second document begins here; a configuration must be a single document",
    ),
    (
        "interfaces: [eth0]\nhash_seed: 18446744073709551615\n",
        "2:12: the number 18446744073709551615 is too large",
    ),
    ("interfaces: [.nan]\n", "1:14: is not a finite number"),
    (
        "interfaces:\n  - eth0\n listeners: []\n",
        "3:2: is not valid YAML: while parsing a block mapping, did not find expected key",
    ),
    ("interfaces: @eth0\n", "1:13: is not valid YAML: unexpected character: `@'"),
    ("{interfaces: [eth0]", "1:1: is not valid YAML: unclosed bracket '{'"),
    ("}", "1:1: is not valid YAML: misplaced bracket"),
    (
        "interfaces: [\"\\q\"]\n",
        "1:14: is not valid YAML: while parsing a quoted scalar, found unknown escape character",
    ),
    (
        "interfaces: [eth0]\n  listeners: []\n",
        "2:3: is not valid YAML: while parsing a block mapping, did not find expected key",
    ),
    (
        "interfaces: [eth0]\n<<: 1\n",
        "2:5: is not valid YAML: YAML merge value must be mapping or sequence of mappings",
    ),
    ("interfaces: [!!binary x]\n", "1:23: is not valid YAML: invalid !!binary base64"),
];

#[test]
fn syntax_errors_are_one_line_with_position() {
    for (text, expected) in NO_YAML {
        assert_eq!(errors(text), format!("xelb.yaml:{expected}"), "{text:?}");
    }
}

#[test]
fn a_value_that_is_not_a_section_is_refused() {
    for (text, expected) in [
        ("", format!(" {MISSING}")),
        ("# nothing yet\n", format!(" {MISSING}")),
        ("~", format!(" {MISSING}")),
        ("{}", format!("1:1: {MISSING}")),
        ("\n- a\n", "2:1: must be a section with keys, not a list".to_owned()),
        ("a text", "1:1: must be a section with keys, not a text".to_owned()),
        ("42", "1:1: must be a section with keys, not a number".to_owned()),
        ("true", "1:1: must be a section with keys, not a truth value".to_owned()),
    ] {
        assert_eq!(errors(text), format!("xelb.yaml:{expected}"), "{text:?}");
    }
}

/// Texts that are small and mean very much, or are large and mean nothing.
/// What this thread has taken of a CPU: others may keep a busy machine from it.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    Duration::from(nix::time::clock_gettime(clock).unwrap())
}

#[test]
fn a_hostile_text_ends_soon() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (former, name) in ('a'..='i').zip('b'..='j') {
        let aliases = vec![format!("*{former}"); 10].join(", ");
        writeln!(bomb, "{name}: &{name} [{aliases}]").unwrap();
    }
    let steps: String = (0..100).fold(String::new(), |mut text, depth| {
        writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
        text
    });
    let keys: String = (0..200_000).fold(String::new(), |mut text, number| {
        writeln!(text, "key{number}: 1").unwrap();
        text
    });
    let json = format!("{{\"a\": {}{}}}", "[".repeat(40), "]".repeat(40));
    for (name, text, first) in [
        (
            "alias bomb",
            bomb,
            "6:8: is too large: more than 600000 values, or too many through aliases",
        ),
        ("deep sections", steps, "33:33: is nested deeper than 32 levels"),
        ("deep lists", "[".repeat(100_000), "1:256: is nested too deeply"),
        ("deep JSON", json, "1:38: is nested deeper than 32 levels"),
        (
            "many values",
            format!("a: [{}]", "1,".repeat(1_100_000)),
            "1:1199999: is too large: more than 600000 values, or too many through aliases",
        ),
        ("many keys", keys, "1:1: `interfaces` is missing; for example `interfaces: [eth0]`"),
        (
            "long key",
            format!("{}: 1", "k".repeat(1_000)),
            "1:1: `interfaces` is missing; for example `interfaces: [eth0]`",
        ),
        (
            "long text",
            format!("interfaces: [{}]", "é".repeat(1_000_000)),
            "1:14: interfaces[0]: `éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé...` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
        ),
    ] {
        let start = cpu_time();
        let messages = errors(&text);
        let elapsed = cpu_time().saturating_sub(start);
        let messages = messages.lines().next().unwrap_or_default();
        assert_eq!(messages, format!("xelb.yaml:{first}"), "{name}");
        assert!(elapsed < Duration::from_secs(10), "{name} took {elapsed:?}");
    }
}

#[test]
fn a_document_may_have_any_number_of_comments_before_an_item() {
    let comments = "  # a remark\n".repeat(5000);
    let text = format!(
        "{comments}interfaces: [eth0]\ntarget_groups:\n{comments}  - name: web\n{comments}    \
         protocol: tcp\n    port: 80\n    forwarding: ipip\n    targets:\n{comments}      - address: \
         10.0.1.11\n{comments}"
    );
    assert_eq!(crate::parse(&text, "x.yaml").unwrap().1.target_groups.len(), 1);
}
