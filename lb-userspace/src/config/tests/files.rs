//! Files that are none, or too much.

use std::{fs, time::Instant};

use super::read;
use crate::config::load;

fn said(path: &std::path::Path) -> String {
    let text = load(path).unwrap_err().to_string();
    text.replace(&path.display().to_string(), "FILE")
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(
        said(&at("none.yaml")),
        "FILE: cannot read the file: No such file or directory (os error 2)"
    );
    assert_eq!(said(folder.path()), "FILE: is not a file");
    fs::write(at("binary"), b"interfaces: [eth0]\nname: \xff\xfe\n").unwrap();
    assert_eq!(said(&at("binary")), "FILE: is not UTF-8 text (line 2)");
    fs::write(at("large"), vec![b'#'; (16 << 20) + 1]).unwrap();
    assert_eq!(said(&at("large")), "FILE: is larger than 16 MiB");
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(said(&at("pipe")), "FILE: is not a file");
    fs::write(at("empty"), "").unwrap();
    assert_eq!(
        said(&at("empty")),
        "FILE: `interfaces` is missing; for example `interfaces: [eth0]`"
    );
}

#[test]
fn bombs_are_bounded() {
    let level = |level: usize| {
        let former = format!("*a{}", level - 1);
        format!("b{level}: &a{level} [{}]", vec![former; 10].join(", "))
    };
    let first = "a: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned();
    let aliases = std::iter::once(first).chain((1..12).map(level)).collect::<Vec<_>>().join("\n");
    let deep = "[".repeat(100_000);
    let keys: Vec<String> = (0..60_000).map(|number| format!("k{number}: 1")).collect();
    let wide = keys.join("\n");
    for (name, text) in [("aliases", aliases), ("depth", deep), ("width", wide)] {
        let started = Instant::now();
        let errors = read(&text).unwrap_err();
        assert!(!errors.errors().is_empty());
        // A bound against hanging, not a measurement: unbounded, these take hours.
        assert!(started.elapsed().as_secs() < 30, "{name}: {:?}", started.elapsed());
    }
}
