//! What readers of the API do not see.

use super::{
    super::{HIDDEN, validate},
    HTTP, SMALL,
};
use crate::Document;

const SEED: &str = "0123456789abcdef0123456789abcdef";

fn document(check: &str) -> Document {
    let (head, listeners) = SMALL.split_once("listeners:").unwrap();
    let text = format!(
        "hash_seed: \"{SEED}\"\n{head}    health_check: {{ {check} }}\nlisteners:{listeners}"
    );
    super::super::syntax::document(&text).unwrap_or_else(|(_, error)| panic!("{text}: {error}"))
}

#[test]
fn seeds_commands_and_payloads_are_hidden() {
    for (check, secrets) in [
        ("protocol: exec, command: [/bin/check, --token, s3cret]", vec!["/bin/check", "s3cret"]),
        ("protocol: udp, payload: s3cret, expect: answer", vec!["s3cret", "answer"]),
        ("protocol: udp, payload_hex: \"00ff\", expect_hex: \"abcd\"", vec!["00ff", "abcd"]),
    ] {
        let document = document(check);
        validate(&document).unwrap();
        let hidden = document.without_secrets();
        let text = serde_json::to_string(&hidden).unwrap();
        for secret in secrets.iter().chain(&[SEED]) {
            assert!(!text.contains(secret), "{check}: {secret} in {text}");
        }
        assert!(text.contains(HIDDEN) && text.contains("10.0.1.11"), "{text}");
        // Taken for a configuration by mistake, it is refused at each of them.
        let errors = validate(&hidden).unwrap_err();
        assert_eq!(errors.errors().len(), text.matches(HIDDEN).count(), "{errors}");
    }
}

/// Such as a password towards targets.
#[test]
fn headers_of_requests_are_hidden() {
    let text = super::with(
        HTTP,
        "set: { x-shop: \"1\" }, add: { x-b: b }",
        "set: { a: s3cret }, add: { b: s3cret2 }",
    );
    let document = super::super::syntax::document(&text).unwrap();
    validate(&document).unwrap();
    let hidden = document.without_secrets();
    let text = serde_json::to_string(&hidden).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(text.matches(HIDDEN).count(), 2, "{text}");
    assert_eq!(validate(&hidden).unwrap_err().errors().len(), 2);
}

/// The second occurrence of a key is not seen.
#[test]
fn every_place_of_a_secret_is_hidden() {
    let text = format!("{{\"hash_seed\": \"{SEED}\", \"target_groups\": [7, {{}}]}}");
    let document: Document = serde_json::from_str(&text).unwrap();
    let text = serde_json::to_string(&document.without_secrets()).unwrap();
    assert!(!text.contains(SEED), "{text}");
}

#[test]
fn a_document_without_secrets_stays_as_it_is() {
    let document = super::super::syntax::document(SMALL).unwrap();
    assert_eq!(document.without_secrets(), document);
}

/// The message goes to logs and to `status`.
#[test]
fn a_wrong_seed_is_not_repeated() {
    let text = format!("hash_seed: \"{SEED}0\"\n{SMALL}");
    let errors = super::super::parse(&text, "").unwrap_err().to_string();
    assert!(errors.starts_with("hash_seed: ") && !errors.contains(SEED), "{errors}");
}
