//! What is wrong with a file before anything is read from it.

use std::{fs, path::Path, time::Duration};

use super::{super::load, SMALL};

fn told(path: &Path) -> String {
    let name = path.display().to_string();
    let told = load(path).unwrap_err().to_string();
    told.strip_prefix(&name).unwrap_or(&told).to_owned()
}

#[test]
fn a_good_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    fs::write(&path, SMALL).unwrap();
    let (document, config, warnings) = load(&path).unwrap();
    assert_eq!(super::super::validate(&document).unwrap().0, config);
    assert_eq!(warnings, []);
}

#[test]
fn the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    assert_eq!(
        told(&path),
        ": cannot read the file: No such file or directory (os error 2)",
        "missing"
    );
    assert_eq!(told(dir.path()), ": is a directory; name a file in it");
    assert_eq!(told(Path::new("/dev/zero")), ": is not a regular file");

    fs::write(&path, b"interfaces: [eth0]\n# caf\xe9\n").unwrap();
    assert_eq!(told(&path), ":2:6: is not UTF-8 text; save the file as UTF-8");
    fs::write(&path, [0xff, 0xfe, b'a', 0]).unwrap();
    assert_eq!(told(&path), ":1:1: is not UTF-8 text; save the file as UTF-8");

    fs::write(&path, "listeners: [").unwrap();
    assert!(told(&path).starts_with(":1:12: is not valid YAML"), "{}", told(&path));
}

#[test]
fn a_file_of_16_mib_is_read_and_no_larger_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    let mut text = SMALL.to_owned();
    let line = format!("#{}\n", "-".repeat(1022));
    text.push_str(&line.repeat((16 << 20) / 1024));
    text.truncate(16 << 20);
    fs::write(&path, &text).unwrap();
    load(&path).unwrap();
    text.push('-');
    fs::write(&path, &text).unwrap();
    assert_eq!(told(&path), ": is larger than 16 MiB");
}

/// The opening of a named pipe waits for a writer, unless it is told not to.
#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(told(&path)));
    let told = receiver.recv_timeout(Duration::from_secs(10));
    assert_eq!(told.as_deref(), Ok(": is not a regular file"));
}
