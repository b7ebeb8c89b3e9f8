//! Noise: whatever bytes come, there is an answer.

use proptest::prelude::*;

use super::{BASE, read};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_read_or_refused(
        edits in prop::collection::vec((0..BASE.len(), any::<u8>(), 0_usize..4), 1..12)
    ) {
        let mut bytes = BASE.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at % bytes.len();
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => bytes[at] = b" \n:-[]{}\"'#&*!0"[usize::from(byte) % 15],
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().count() + 1;
        if let Err(errors) = read(&text) {
            for error in errors.errors() {
                prop_assert!(error.line().is_none_or(|line| line <= lines), "{error}");
                prop_assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
}
