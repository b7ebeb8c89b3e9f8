//! Podman itself, with an image that is made of this host's shell. It has a network, a store and a
//! socket of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Nothing is downloaded, and nothing is left on the host. `runc` runs with cgroups of both versions
/// mounted, and limits are those that a process without CAP_SYS_RESOURCE may have.
const SETTINGS: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
    [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";

/// Runs the rest of its arguments in a network and with networks of containers of its own.
const ALONE: &str = "for folder in /var/lib/cni /run/containers /run/libpod; do \
    mkdir -p $folder; mount -t tmpfs tmpfs $folder; done; ip link set lo up; exec \"$@\"";

/// An engine, ended when this is dropped.
pub(crate) struct Podman {
    process: Child,
    folder: tempfile::TempDir,
}

fn podman(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    ["podman", "--root", &at("store"), "--runroot", &at("run"), "--storage-driver", "vfs"]
        .map(ToOwned::to_owned)
        .into()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(said).unwrap()
}

/// The shell, `sleep`, and the libraries that they load.
fn root_file_system(root: &Path) {
    let programs = ["/bin/sh", "/bin/sleep"];
    let libraries = run(Command::new("ldd").args(programs));
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    let libraries = libraries.filter(|word| !word.ends_with(':'));
    for file in libraries.chain(programs) {
        let copy = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
}

impl Podman {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("xelb-podman-").tempdir().unwrap();
        let path = folder.path();
        let settings = path.join("containers.conf");
        fs::write(&settings, SETTINGS).unwrap();
        root_file_system(&path.join("image"));
        let tar = path.join("image.tar");
        run(Command::new("tar").arg("-C").arg(path.join("image")).arg("-cf").arg(&tar).arg("."));
        let words = podman(path);
        let import = Command::new(&words[0])
            .args(&words[1..])
            .arg("import")
            .arg(&tar)
            .arg("xelb-test:1")
            .env("CONTAINERS_CONF", &settings)
            .output()
            .expect("podman is needed: `cargo xtask setup`");
        assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
        let socket = path.join("socket");
        let process = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", ALONE, "sh"])
            .args(&words)
            .args(["system", "service", "--time", "0"])
            .arg(format!("unix://{}", socket.display()))
            .env("CONTAINERS_CONF", &settings)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let podman = Self { process, folder };
        let end = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < end, "podman does not serve its socket");
            std::thread::sleep(Duration::from_millis(50));
        }
        podman
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
        // The store may have mounts of containers that a failed test has left.
        let _removed = Command::new("umount")
            .args(["--recursive", "--lazy"])
            .arg(self.folder.path())
            .stderr(Stdio::null())
            .status();
    }
}
