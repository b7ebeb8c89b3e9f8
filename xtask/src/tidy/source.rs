//! Checks of Rust sources: their head, their length, and words that belong in few places.

use super::{Finding, code};

/// Files longer than this are two files.
const LINES_MAX: usize = 400;

/// Where `unsafe` may be, and why. A path that ends with `/` means everything below.
///
/// Elsewhere there is always a safe way. Each block also says why it is sound: clippy's
/// `undocumented_unsafe_blocks` is denied.
const UNSAFE_PLACES: &[(&str, &str)] = &[
    ("lb-common/src/shared.rs", "aya::Pod, for types of which bytemuck proves that they are plain"),
    ("lb-ebpf/src/kernel/", "maps and helpers of the kernel"),
    ("lb-ebpf/src/main.rs", "entry points by the kernel's calling convention"),
    ("lb-ebpf/src/decap_main.rs", "entry point by the kernel's calling convention, maps"),
    ("lb-ebpf/src/generate_main.rs", "the licence that the kernel looks for"),
    ("lb-ebpf/src/generate/", "entry points by the kernel's calling convention, maps, packets"),
    ("lb-ebpf/src/traffic_main.rs", "settings, which are volatile"),
    ("lb-ebpf/src/traffic/", "packets, maps and helpers of the kernel"),
    (
        "lb-userspace/crates/dataplane/build.rs",
        "environment of the compiler that it starts, set before any thread",
    ),
    (
        "lb-userspace/crates/dataplane/src/",
        "system calls and memory-mapped maps that aya does not wrap",
    ),
    (
        "lb-userspace/crates/health/src/tunnel/tun_device.rs",
        "making a TUN device, and waiting for its packets",
    ),
    ("lb-userspace/crates/health/src/exec.rs", "what a program must do between fork and exec"),
    ("lb-userspace/crates/health/src/exec/confine.rs", "system calls between fork and exec"),
    (
        "lb-userspace/crates/health/src/icmp.rs",
        "receiving into memory that is not written yet, and waiting for it",
    ),
    ("lb-userspace/crates/health/src/tunnel/frame_socket.rs", "sendto(2) on a packet socket"),
    ("tests/", "network namespaces, raw sockets and test runs of BPF programs"),
];

/// Where programs write to the terminal; all else returns values or writes to the log.
const PRINTING_PLACES: &[&str] = &[
    "lb-userspace/crates/dataplane/build.rs",
    "lb-userspace/src/cli/",
    "lb-userspace/crates/health/src/scheduler/cost.rs",
    "lb-userspace/crates/plan/src/maglev/measure.rs",
    "lb-userspace/src/main.rs",
    "lb-userspace/crates/plan/src/tests/",
    "lb-userspace/crates/netlink/tests/",
    "lb-userspace/crates/scale/tests/",
    "lb-userspace/tests/",
    "tests/",
    "xtask/",
];

const PRINTING: &[&str] = &["println", "eprintln", "print", "eprint"];

/// Macros that mark unfinished work or debugging.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Names that say nothing: such a file collects what belongs elsewhere.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "misc", "common", "info", "stuff"];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let code = code::only(text);
    let mut findings = Vec::new();
    let mut find = |line, message: String| findings.push(Finding::at(path, line, message));

    if !text.starts_with("//! ") {
        find(1, "begin with `//!`: what this module is, and what it is not".to_owned());
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        find(0, format!("{lines} lines; split it, {LINES_MAX} are the limit"));
    }
    if let Some(name) = EMPTY_NAMES.iter().find(|name| stem(path) == **name) {
        find(0, format!("`{name}` says nothing; name the file as the one idea in it"));
    }
    for word in UNFINISHED {
        for line in macro_lines(&code, word) {
            find(line, format!("`{word}!`: finish it"));
        }
    }
    if !UNSAFE_PLACES.iter().any(|(place, _)| is_at(path, place)) {
        for line in code::lines_with(&code, "unsafe") {
            find(line, "`unsafe`: its places are listed in xtask/src/tidy/source.rs".to_owned());
        }
    }
    if !PRINTING_PLACES.iter().any(|place| is_at(path, place)) {
        for word in PRINTING {
            for line in macro_lines(&code, word) {
                find(line, format!("`{word}!`: only the command line prints; use tracing"));
            }
        }
    }
    findings
}

/// The lines that call the macro `name`.
fn macro_lines(code: &str, name: &str) -> Vec<usize> {
    let call = format!("{name}!");
    let lines: Vec<&str> = code.lines().collect();
    code::lines_with(code, name)
        .filter(|number| lines.get(number - 1).is_some_and(|line| line.contains(&call)))
        .collect()
}

/// Whether a file is at, or below, one of those places.
fn is_at(path: &str, place: &str) -> bool {
    path == place || (place.ends_with('/') && path.starts_with(place))
}

/// The name of a file without its folder and extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".rs").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_rule_finds_what_it_forbids() {
        let agent = "lb-userspace/crates/agent/src/lib.rs";
        let cases: [(&str, &str, &[usize]); 12] = [
            (agent, "//! Fine.\nfn a() {}\n", &[]),
            (agent, "fn a() {}\n", &[1]),
            (agent, "//! a\nfn a() { todo!() }\n", &[2]),
            (agent, "//! a\nfn a() { dbg!(1); }\n", &[2]),
            (agent, "//! a\n// todo!()\nfn todo() {}\n", &[]),
            (agent, "//! a\nfn a() { println!(\"x\"); }\n", &[2]),
            ("lb-userspace/src/cli/get.rs", "//! a\nfn a() { println!(\"x\"); }\n", &[]),
            (agent, "//! a\n\nfn a() { unsafe { b() } }\n", &[3]),
            (agent, "//! a\nconst A: &str = \"unsafe println!\";\n", &[]),
            ("lb-ebpf/src/main.rs", "//! a\nunsafe fn a() {}\n", &[]),
            ("lb-ebpf/src/kernel/maps.rs", "//! a\nunsafe fn a() {}\n", &[]),
            ("lb-ebpf/src/packet.rs", "//! a\nunsafe fn a() {}\n", &[2]),
        ];
        for (path, text, expected) in cases {
            let lines: Vec<usize> = check(path, text).iter().map(|finding| finding.line).collect();
            assert_eq!(lines, expected, "{path}: {text:?}");
        }
    }

    #[test]
    fn long_files_are_found() {
        let path = "lb-common/src/ring.rs";
        let text = |lines: usize| format!("//! a\n{}", "\n".repeat(lines - 1));
        assert!(messages(path, &text(LINES_MAX)).is_empty());
        let expected = "lb-common/src/ring.rs: 401 lines; split it, 400 are the limit";
        assert_eq!(messages(path, &text(LINES_MAX + 1)), [expected]);
    }

    #[test]
    fn empty_names_are_found() {
        assert_eq!(messages("tests/src/utils.rs", "//! a\n").len(), 1);
        assert!(messages("lb-common/src/utilisation.rs", "//! a\n").is_empty());
    }
}
