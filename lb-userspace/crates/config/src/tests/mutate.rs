//! Any text gives a configuration or messages that point into it; never a panic.

use proptest::{prelude::*, sample::Index};

use super::{EXAMPLE, HTTP, MODES, SMALL, parse};

/// What one mutation does at a byte.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(u8),
    Insert(u8),
    Remove,
    /// Says the bytes that follow once more.
    Repeat(usize),
}

fn mutations() -> impl Strategy<Value = Vec<(Index, Mutation)>> {
    // Mostly bytes that mean something in YAML.
    let byte = prop_oneof![
        3 => proptest::sample::select(b" \n\t:-[]{},\"'#&*!|>%@~?0159.aez/".to_vec()),
        1 => any::<u8>(),
    ];
    let mutation = prop_oneof![
        byte.clone().prop_map(Mutation::Replace),
        byte.prop_map(Mutation::Insert),
        Just(Mutation::Remove),
        (1_usize..40).prop_map(Mutation::Repeat),
    ];
    proptest::collection::vec((any::<Index>(), mutation), 1..6)
}

fn mutate(text: &str, mutations: &[(Index, Mutation)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (index, mutation) in mutations {
        let at = index.index(bytes.len());
        match mutation {
            Mutation::Replace(byte) => bytes[at] = *byte,
            Mutation::Insert(byte) => bytes.insert(at, *byte),
            Mutation::Remove => {
                bytes.remove(at);
            }
            Mutation::Repeat(count) => {
                let again: Vec<u8> = bytes.iter().skip(at).take(*count).copied().collect();
                bytes.splice(at..at, again);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn errors_point_into_the_text(
        text in proptest::sample::select(&[EXAMPLE, MODES, SMALL, HTTP, HTTP][..]),
        mutations in mutations(),
    ) {
        let text = mutate(text, &mutations);
        // A parser may see the end of the text on the line after the last.
        let lines: Vec<&str> = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).collect();
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let (lines, columns) = (u32::try_from(lines.len()).unwrap(), u32::try_from(widest + 2).unwrap());
        if let Err(errors) = parse(&text, "xelb.yaml") {
            prop_assert!(!errors.errors().is_empty());
            for error in errors.errors() {
                prop_assert!(error.line().unwrap_or(0) <= lines, "{errors}\n{text}");
                prop_assert!(error.column().unwrap_or(0) <= columns, "{errors}\n{text}");
            }
            let messages = errors.to_string();
            prop_assert_eq!(messages.lines().count(), errors.errors().len(), "{}", messages);
            prop_assert!(!messages.contains(|c: char| c.is_control() && c != '\n'), "{:?}", messages);
        }
    }
}
