//! Hostile and broken configuration files, checked by the binary within little time and memory.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

/// Processor time that a file may take, in seconds; the build of tests is slower.
const CPU_SECONDS_MAX: u32 = if cfg!(debug_assertions) { 4 } else { 1 };

/// Address space of the whole process, in KiB: the largest of these files has 16 MiB.
const MEMORY_KIB_MAX: u32 = 256 << 10;

/// Checks a file under limits: a process that exceeds one is killed, which is no exit code.
fn validate(path: &Path) -> Output {
    let script = format!(
        "ulimit -t {CPU_SECONDS_MAX}; ulimit -v {MEMORY_KIB_MAX}; exec \"$0\" validate -f \"$1\""
    );
    Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_xelb")]).arg(path).output().unwrap()
}

/// The message after the name of the file, on the first line.
fn message_of(path: &Path) -> String {
    let output = validate(path);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}: {} {stderr}", path.display(), output.status);
    assert!(stderr.len() < 100_000, "{} bytes are said", stderr.len());
    let first = stderr.lines().next().unwrap_or_default();
    let name = path.display().to_string();
    first.strip_prefix(&name).unwrap_or_else(|| panic!("{first}")).to_owned()
}

/// A name, the content of the file, and its message.
type Case = (&'static str, Vec<u8>, &'static str);

/// As much of a text as a file may have, nearly.
fn much(text: &str) -> Vec<u8> {
    text.as_bytes().repeat(16_000_000 / text.len())
}

/// The text between two others.
fn between(before: &str, text: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), text, after.as_bytes()].concat()
}

/// Each alias expands to ten or fifty times the previous one.
fn bomb(first: &str, item: impl Fn(&str) -> String) -> Vec<u8> {
    let mut text = format!("a: &a {first}\n");
    for (former, name) in ('a'..='i').zip('b'..='j') {
        writeln!(text, "{name}: &{name} {}", item(&former.to_string())).unwrap();
    }
    text.into_bytes()
}

fn numbered(count: usize, item: impl Fn(usize) -> String) -> Vec<u8> {
    (0..count).map(item).collect::<String>().into_bytes()
}

const MISSING: &str = "`interfaces` is missing; for example `interfaces: [eth0]`";
const TOO_LARGE: &str = "is too large: more than 600000 values, or too many through aliases";

fn bombs() -> Vec<Case> {
    vec![
        (
            "nested aliases",
            bomb("[x, x, x, x, x, x, x, x, x, x]", |of| {
                format!("[{}]", vec![format!("*{of}"); 10].join(", "))
            }),
            ":6:8: TOO_LARGE",
        ),
        (
            "nested merge keys",
            bomb("{ x: 1, y: 2 }", |of| {
                format!("{{ <<: [{}] }}", vec![format!("*{of}"); 50].join(", "))
            }),
            ":4:62: TOO_LARGE",
        ),
        (
            "a chain of merge keys",
            numbered(3000, |number| match number {
                0 => "a0: &a0 { x: 1 }\n".to_owned(),
                _ => format!("a{number}: &a{number} {{ <<: *a{}, k{number}: 1 }}\n", number - 1),
            }),
            ":32:17: is nested deeper than 32 levels",
        ),
        (
            "one list in many places",
            between("a: &a [1, 2, 3]\ninterfaces: [", &"*a,".repeat(200_000).into_bytes(), "]"),
            ":1:7: TOO_LARGE",
        ),
        (
            "many anchors",
            between("interfaces: [", &numbered(400_000, |n| format!("&a{n} x,")), "]"),
            ":1:488912: TOO_LARGE",
        ),
        ("brackets", much("["), ":1:256: is nested too deeply"),
        ("braces", much("{"), ":1:256: is nested too deeply"),
        ("lists in lists", much("- "), ":1:65: is nested deeper than 32 levels"),
        ("keys that are keys", much("? "), ":1:65: is nested deeper than 32 levels"),
        (
            "documents",
            much("---\n"),
            ":2:1: a second document begins here; a configuration must be a single document",
        ),
    ]
}

fn large() -> Vec<Case> {
    vec![
        ("blank lines", much("\n"), ": MISSING"),
        ("tabs", much("\t"), ": MISSING"),
        ("a comment", between("#", &much("c"), "\n"), ": MISSING"),
        ("NUL bytes", much("\0"), ":1:1: is not valid YAML: unexpected character: `\\u{0}'"),
        (
            "a huge key",
            between("", &much("k"), ": 1\n"),
            ":1:16000001: is not valid YAML: mapping values are not allowed in this context",
        ),
        (
            "a huge key in quotes",
            between("\"", &much("k"), "\": 1\n"),
            ":1:16000003: is not valid YAML: mapping values are not allowed in this context",
        ),
        ("a key in many lines", much("a:\n"), ":2:1: the key `a` occurs twice"),
        ("many keys", numbered(250_000, |n| format!("key{n}: 1\n")), ":1:1: MISSING"),
        ("many values", between("interfaces: [", &much("1,"), "]"), ":1:1200008: TOO_LARGE"),
        (
            "many doubles",
            between("interfaces: [", &"x,".repeat(400_000).into_bytes(), "]"),
            ":1:16: interfaces[1]: interface x is named twice",
        ),
        (
            "an open quote",
            between("interfaces: '", &much("x\n "), ""),
            ":1:13: is not valid YAML: unclosed quote",
        ),
        (
            "a huge text",
            between("interfaces: [eth0]\nhash_seed: ", &much("x"), "\n"),
            ":2:12: hash_seed: must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them, in quotes",
        ),
        (
            "escapes",
            between(
                "interfaces: [eth0]\nhash_seed: \"",
                &"\\u0041".repeat(2_600_000).into_bytes(),
                "\"\n",
            ),
            ":2:12: hash_seed: must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them, in quotes",
        ),
        (
            "not UTF-8 at the end",
            between("", &much("#\n"), "\u{e9}")[..16_000_001].to_vec(),
            ":8000001:1: is not UTF-8 text; save the file as UTF-8",
        ),
        (
            "UTF-16",
            "interfaces: [eth0]\n".encode_utf16().flat_map(u16::to_be_bytes).collect(),
            ":1:1: is not valid YAML: unexpected character: `\\u{0}'",
        ),
    ]
}

#[test]
fn each_ends_soon_and_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    for (name, text, expected) in bombs().into_iter().chain(large()) {
        fs::write(&path, text).unwrap();
        let expected = expected.replace("TOO_LARGE", TOO_LARGE).replace("MISSING", MISSING);
        assert_eq!(message_of(&path), expected, "{name}");
    }
}

#[test]
fn unusable_configuration_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::File::create(path("large")).unwrap().set_len(100_000_000).unwrap();
    symlink("loop", path("loop")).unwrap();
    symlink("large", path("link")).unwrap();
    for (name, expected) in [
        (
            "folder",
            ": is a directory without a configuration: no file in it has a name that ends in .yaml",
        ),
        ("pipe", ": is not a regular file"),
        ("large", ": is larger than 16 MiB"),
        ("link", ": is larger than 16 MiB"),
        ("loop", ": cannot read the file: Too many levels of symbolic links (os error 40)"),
        ("nothing", ": cannot read the file: No such file or directory (os error 2)"),
        ("nothing/more", ": cannot read the file: No such file or directory (os error 2)"),
    ] {
        assert_eq!(message_of(&path(name)), expected, "{name}");
    }
    // Files of the kernel have no size.
    assert_eq!(
        message_of(Path::new("/proc/self/mem")),
        ": cannot read the file: Input/output error (os error 5)"
    );
}
