//! PURE: whether crates that decide, and do nothing else, are built with something that does I/O.

use super::Finding;

/// Crates that take values and give values.
pub(super) const PURE_CRATES: &[&str] = &[
    "lb-common",
    "lb-ebpf",
    "lb-config",
    "lb-import",
    "lb-plan",
    "lb-http",
    "lb-rules",
    "lb-scale",
    "lb-members",
    "lb-names",
];

/// What reaches files, the network, the kernel or a clock by itself.
const IO_CRATES: &[&str] = &[
    "aya",
    "hyper",
    "inotify",
    "mio",
    "netlink-sys",
    "nix",
    "notify",
    "redb",
    "rustix",
    "socket2",
    "tempfile",
    "tokio",
];

/// Looks at what `cargo tree --edges normal --prefix none` prints of a pure crate: a package a line, its
/// name first.
pub(super) fn check(pure: &str, manifest: &str, tree: &str) -> Vec<Finding> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<&str> = names.filter(|name| IO_CRATES.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    let message = |name: &&str| {
        let message = format!(
            "{pure} is pure, but is built with {name}, which does I/O: take values, and let a crate \
             above do it (`cargo tree -p {pure} -e normal -i {name}` shows the way)"
        );
        Finding::at(manifest, 0, message)
    };
    found.iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_with_io_are_found() {
        let tree = "lb-plan v0.1.0 (/x/plan)\nimbl v7.0.2\ntokio v1.54.1\nnix v0.31.0\ntokio v1.54.1 (*)\n";
        let found = check("lb-plan", "crates/plan/Cargo.toml", tree);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("crates/plan/Cargo.toml: lb-plan is pure, but is built with nix")
        );
        assert!(found[1].contains("built with tokio"), "{found:?}");
        assert_eq!(check("lb-plan", "", "lb-plan v0.1.0\nlb-common v0.1.0\nnixpkgs v1\n"), []);
    }
}
