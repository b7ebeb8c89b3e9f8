//! Whole inputs and their whole results. `XELB_BLESS=1 cargo test -p lb-import` writes the results.

use std::{fs, path::Path};

use super::imported;
use crate::Format;

#[test]
fn whole_inputs_give_the_results_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/golden");
    let cases = [
        ("ipvs-dump", Format::Ipvs),
        ("ipvs-table", Format::Ipvs),
        ("keepalived", Format::Keepalived),
        ("haproxy", Format::Haproxy),
    ];
    for (name, format) in cases {
        let text = fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
        let imported = imported(format, &text);
        let path = folder.join(name).with_extension("yaml");
        if std::env::var_os("XELB_BLESS").is_some() {
            fs::write(&path, imported.text()).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(imported.text(), expected, "{name}");
    }
}
