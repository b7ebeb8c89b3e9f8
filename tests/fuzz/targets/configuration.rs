//! Configurations of strangers: read or refused, each error with a message. What was read can be written, and
//! is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match lb_config::parse(text, "fuzz.yaml") {
        Ok((_, config, _)) => {
            let (_, again, _) = lb_config::parse(text, "fuzz.yaml").expect("read once already");
            assert_eq!(config, again, "the same text is read in two ways");
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty(), "refused without an error");
            for error in errors.errors() {
                assert!(!error.message().is_empty(), "an error without a message");
            }
        }
    }
});
