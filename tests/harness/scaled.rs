//! A scaled group whose members are real HTTP servers: processes that the example driver
//! `local-processes` starts in the network namespace of the first target.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    Lab, Process, Xelb,
    agent::{SOCKET, configuration_path},
    error::{Context as _, Error, Result},
    process::{Finished, Task},
    topology::{VIP_V4, target_v4},
    wait,
};

/// The number of the next group of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The port that clients ask.
pub const PORT: u16 = 8080;
/// The group.
pub const GROUP: &str = "web";
/// Address of the balancer, for mode fullnat.
const LOCAL: &str = "10.0.0.3";

/// A server that names itself by its port, behind what its third argument says. It reports what the file
/// `load` beside it has.
const SERVER: &str = r#"
import http.server, os.path, sys
LOAD = os.path.join(os.path.dirname(sys.argv[0]), "load")
NAME = "".join(sys.argv[3:]) + sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = NAME.encode()
        self.send_response(200)
        self.send_header("x-target", NAME)
        if os.path.exists(LOAD):
            self.send_header("x-load", open(LOAD).read())
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

/// A group in a lab, before and while an agent runs. Servers that are left are killed when it is
/// dropped.
#[derive(Debug)]
pub struct ScaledGroup {
    directory: &'static Path,
    /// Tells it from others of this process.
    number: u32,
    /// The longest that members drain.
    pub deregistration_delay: &'static str,
    /// Whether members get requests of a proxy; else they get packets.
    pub by_requests: bool,
}

/// A member, as `xelb get members` shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its lifecycle state.
    pub state: String,
    /// The digest of its template.
    pub template: String,
}

impl ScaledGroup {
    /// Puts driver and server into a lab with one target.
    pub fn prepare(lab: &Lab) -> Result<Self> {
        lab.target(1).ip("address flush dev lo scope global")?;
        lab.lb().ip(&format!("address add {LOCAL}/32 dev eth0"))?;
        let group = Self {
            directory: lab.directory(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            deregistration_delay: "60s",
            by_requests: false,
        };
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/drivers/local-processes");
        let driver =
            fs::read_to_string(&example).context(|| format!("reading {}", example.display()))?;
        group.add_program("local-processes", &driver)?;
        let server = group.server();
        fs::write(&server, SERVER).context(|| format!("writing {}", server.display()))?;
        Ok(group)
    }

    /// Adds a program that the agent may run; returns its path.
    pub fn add_program(&self, name: &str, text: &str) -> Result<PathBuf> {
        let (folder, program) = (self.programs(), self.programs().join(name));
        let add = || {
            fs::create_dir_all(&folder)?;
            fs::write(&program, text)?;
            [&folder, &program]
                .into_iter()
                .try_for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        };
        add().context(|| format!("writing {}", program.display()))?;
        Ok(program)
    }

    /// Lets all servers report this of themselves.
    pub fn report(&self, load: &str) -> Result<()> {
        let (file, draft) = (self.directory.join("load"), self.directory.join("load.draft"));
        let written = fs::write(&draft, load).and_then(|()| fs::rename(&draft, &file));
        written.context(|| format!("writing {}", file.display()))
    }

    fn programs(&self) -> PathBuf {
        self.directory.join("drivers")
    }

    fn server(&self) -> PathBuf {
        self.directory.join("server.py")
    }

    /// Where the driver keeps ports. Every lab has the same paths, and all see the processes of the
    /// others: the process and the number of this one tell them apart.
    fn ports(&self) -> PathBuf {
        self.directory.join(format!("members-{}-{}", std::process::id(), self.number))
    }

    /// Writes the configuration: `scaling` has the keys besides `driver`, one a line, and servers put
    /// `revision` before their name.
    pub fn configure(&self, lab: &Lab, revision: &str, scaling: &[&str]) -> Result<()> {
        let keys: String = scaling.iter().flat_map(|line| ["      ", line, "\n"]).collect();
        let text = format!(
            "interfaces: [eth0]
source_nat: {{ addresses: [{LOCAL}] }}
target_groups:
  - name: {GROUP}
    protocol: {protocol}
    port: 9000
    {forwarding}
    health_check: {{ protocol: http, path: /, interval: 500ms, timeout: 450ms, healthy_threshold: 2 }}
    attributes: {{ deregistration_delay: {delay} }}
    scaling:
      driver:
        exec:
          program: {driver}
          parameters:
            command: [ip, netns, exec, t1, python3, {server}, \"{{address}}\", \"{{port}}\", \"{revision}\"]
            address: {address}
            ports: [9000, 9099]
            directory: {ports}
{keys}listeners:
  - name: {GROUP}
    address: {VIP_V4}
    port: {PORT}
    protocol: {protocol}
    default_action: {{ forward: {{ target_group: {GROUP} }} }}
",
            protocol = if self.by_requests { "http" } else { "tcp" },
            forwarding = if self.by_requests { "" } else { "forwarding: fullnat" },
            delay = self.deregistration_delay,
            driver = self.programs().join("local-processes").display(),
            server = self.server().display(),
            address = target_v4(1),
            ports = self.ports().display(),
        );
        let path = configuration_path(lab);
        let draft = path.with_extension("draft");
        fs::write(&draft, text).context(|| format!("writing {}", draft.display()))?;
        fs::rename(&draft, &path).context(|| format!("renaming to {}", path.display()))
    }

    /// Starts an agent that runs the group.
    pub fn agent(&self, lab: &Lab, xelb: &Xelb) -> Result<Process> {
        let state = self.directory.join("state").display().to_string();
        let programs = self.programs().display().to_string();
        let options = ["--state-dir", &state, "--exec-checks", &programs, "--driver-user", "root"];
        xelb.agent_with(lab, &options)
    }

    /// Starts a proxy that follows the agent.
    pub fn proxy(&self, lab: &Lab, xelb: &Xelb) -> Result<Process> {
        let state = self.directory.join("proxy").display().to_string();
        let arguments = ["proxy", "--socket", SOCKET, "--state-dir", &state, "--workers", "2"];
        let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("proxy"))?;
        lab.lb().spawn(task)
    }

    /// Members with a process, and their processes.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, Pid)> {
        let mark = format!("XELB_MEMBER={}/{GROUP}/", self.ports().display());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of = |entry: fs::DirEntry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let text = String::from_utf8_lossy(&environment).into_owned();
            let name = text.split('\0').find_map(|one| one.strip_prefix(&mark))?;
            Some((name.to_owned(), Pid::from_raw(pid)))
        };
        entries.filter_map(of).collect()
    }
}

impl Drop for ScaledGroup {
    fn drop(&mut self) {
        for (_, pid) in self.processes() {
            kill(pid, Signal::SIGKILL).ok();
        }
    }
}

/// What a command of `xelb` prints with `-o json`.
pub fn json(lab: &Lab, xelb: &Xelb, arguments: &[&str]) -> Result<Value> {
    let text = xelb.command(lab, arguments).and_then(Finished::success)?;
    serde_json::from_str(&text).map_err(|error| Error::Answer { what: error.to_string(), text })
}

/// All members.
pub fn members(lab: &Lab, xelb: &Xelb) -> Result<Vec<Member>> {
    let answer = json(lab, xelb, &["get", "members", "-o", "json"])?;
    let of = |member: &Value| {
        let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
        Member { name: text("name"), state: text("state"), template: text("template") }
    };
    Ok(answer.as_array().into_iter().flatten().map(of).collect())
}

/// Waits until members are as `done` wants them.
pub fn wait_members<T>(
    lab: &Lab,
    xelb: &Xelb,
    what: &str,
    limit: Duration,
    mut done: impl FnMut(&[Member]) -> Option<T>,
) -> Result<T> {
    wait::until(what, limit, || {
        let all = members(lab, xelb).map_err(|error| error.to_string())?;
        done(&all).ok_or_else(|| {
            let explained = xelb.command(lab, &["scale", "explain", GROUP]);
            format!("{all:?}; {explained:?}")
        })
    })
}

/// The names of all members in service, if there are so many and, besides warm ones, no others.
#[must_use]
pub fn in_service(members: &[Member], count: usize) -> Option<BTreeSet<String>> {
    let capacity = members.iter().filter(|member| member.state != "warm");
    let all = capacity.clone().all(|member| member.state == "in-service");
    (all && capacity.clone().count() == count)
        .then(|| capacity.map(|member| member.name.clone()).collect())
}
