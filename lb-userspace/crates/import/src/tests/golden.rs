//! Whole inputs and their whole results. `XELB_BLESS=1 cargo test -p lb-import` writes the results.

use std::{fs, net::Ipv4Addr, path::Path};

use super::imported;
use crate::{Fate, Format};

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

/// A line that no remark names, and that names a server or VIP, is really in the result.
#[test]
fn addresses_of_lines_without_a_remark_are_in_the_result() {
    let inputs = [
        (Format::Ipvs, include_str!("golden/ipvs-dump.txt")),
        (Format::Ipvs, include_str!("golden/ipvs-table.txt")),
        (Format::Keepalived, include_str!("golden/keepalived.txt")),
        (Format::Haproxy, include_str!("golden/haproxy.txt")),
    ];
    let mut seen = 0;
    for (format, text) in inputs {
        let imported = imported(format, text);
        let document: Vec<&str> =
            imported.text().lines().filter(|line| !line.trim().starts_with('#')).collect();
        let document = document.join("\n");
        for (number, line) in (1..).zip(text.lines()) {
            if imported.fate(number) != Some(Fate::Mapped) {
                continue;
            }
            for word in line.split(|c: char| !(c.is_ascii_digit() || c == '.')) {
                if let Ok(address) = word.parse::<Ipv4Addr>() {
                    assert!(document.contains(&format!("\"{address}\"")), "line {number}: {line}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "{seen}");
}
