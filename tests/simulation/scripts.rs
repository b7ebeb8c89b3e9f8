//! Agent scripts (`tests/scripts`) on maps in memory; `tests/agent/scripts.rs` plays them on the kernel's.

use std::fs;

use lb_tests::script::{self, Fake};

#[test]
fn scripts_give_the_tables_that_they_expect() {
    let mut differing = Vec::new();
    let all = script::all().expect("the folder of scripts can be read");
    assert!(all.len() >= 8, "{} scripts", all.len());
    for path in all {
        let name = path.file_name().expect("a file has a name").display();
        let expected = fs::read_to_string(&path).expect("a script can be read");
        let found = script::play(&expected, Fake::default());
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!found.contains("  HAZARD") && !found.contains("  FAULT"), "{name}:\n{found}");
        if let Some(difference) = script::difference(&expected, &found) {
            if script::blesses() {
                fs::write(&path, &found).expect("a script can be written");
            }
            differing.push(format!("{name}:\n{difference}"));
        }
    }
    assert!(
        differing.is_empty(),
        "what scripts expect (-) and what came out (+); `XELB_BLESS=1 cargo test -p lb-tests --test \
         simulation scripts` writes it into them\n{}",
        differing.join("\n")
    );
}
