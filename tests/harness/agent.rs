//! `xelb` in a lab: the agent on the balancer, decapsulators on targets, and its command line.
//!
//! The sandbox has a bpffs and a `/run` of its own, so the defaults of `--bpffs` and `--socket`
//! would work; they are set to test them.

use std::{
    env, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{
    configuration::Configuration,
    error::{Context as _, Error, Result},
    host::Host,
    lab::Lab,
    process::{Finished, Process, Task},
    topology::LB_INTERFACE,
    wait,
};

/// Where the agent pins.
pub const PIN_DIR: &str = "/sys/fs/bpf/xelb";
/// Where the agent listens.
pub const SOCKET: &str = "/run/xelb/xelb.sock";

const START_LIMIT: Duration = Duration::from_secs(20);
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The binary under test.
#[derive(Clone, Debug)]
pub struct Xelb {
    program: PathBuf,
}

/// A target as `xelb get targets` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStatus {
    /// Name of its group.
    pub group: String,
    /// Its address.
    pub address: IpAddr,
    /// Its state, in ELB's words.
    pub state: String,
}

impl Xelb {
    /// The binary at `program`, else at `$XELB`, else next to the running one (in the directory of
    /// the build).
    pub fn find(program: Option<&Path>) -> Result<Self> {
        let program = match (program, env::var_os("XELB")) {
            (Some(program), _) => program.to_owned(),
            (None, Some(program)) => program.into(),
            (None, None) => {
                let own = env::current_exe().context(|| "finding the own binary".to_owned())?;
                let mut directory = own.parent().unwrap_or(Path::new("/")).to_owned();
                // Cargo puts tests one level below.
                if directory.ends_with("deps") {
                    directory.pop();
                }
                directory.join("xelb")
            }
        };
        if program.is_file() {
            let program = fs::canonicalize(&program)
                .context(|| format!("resolving {}", program.display()))?;
            Ok(Self { program })
        } else {
            Err(Error::XelbMissing(program.display().to_string()))
        }
    }

    /// Its path.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the agent on the balancer and waits until its program is attached and it answers.
    /// [`write_configuration`] comes before.
    pub fn agent(&self, lab: &Lab) -> Result<Process> {
        self.agent_in_mode(lab, "native")
    }

    /// The same with another XDP mode than native.
    pub fn agent_in_mode(&self, lab: &Lab, mode: &str) -> Result<Process> {
        self.agent_with(lab, &["--xdp-mode", mode])
    }

    /// The same with more options.
    pub fn agent_with(&self, lab: &Lab, options: &[&str]) -> Result<Process> {
        let configuration = configuration_path(lab).display().to_string();
        if let Some(directory) = Path::new(SOCKET).parent() {
            fs::create_dir_all(directory)
                .context(|| format!("creating {}", directory.display()))?;
        }
        let fixed = ["agent", "--config", &configuration, "--bpffs", PIN_DIR, "--socket", SOCKET];
        let arguments = [&fixed, options].concat();
        let task = Task::new(&self.program, &arguments).log_to(&lab.log("agent"))?;
        let mut agent = lab.lb().spawn(task)?;
        wait::until("the agent is up", START_LIMIT, || {
            let ended = agent.ended().map_err(|error| error.to_string())?;
            if let Some(status) = ended {
                // Waiting longer is no use, but this is rare: the limit may pass.
                return Err(format!("it ended: {status}, see its log"));
            }
            if !lab.lb().has_xdp(LB_INTERFACE).map_err(|error| error.to_string())? {
                return Err(format!("no XDP program on {LB_INTERFACE}"));
            }
            self.targets(lab).map_err(|error| error.to_string())
        })?;
        Ok(agent)
    }

    /// Starts the decapsulator on a target and waits until it is attached.
    pub fn decap(&self, lab: &Lab, target: &Host) -> Result<Process> {
        self.decap_at(lab, target, "eth0", &[])
    }

    /// The same at one of its interfaces, with more options.
    pub fn decap_at(
        &self,
        lab: &Lab,
        target: &Host,
        interface: &str,
        options: &[&str],
    ) -> Result<Process> {
        let log = decap_log(lab, target, interface);
        let arguments = [&["decap", "--interface", interface], options].concat();
        let task = Task::new(&self.program, &arguments).log_to(&log)?;
        let mut decap = target.spawn(task)?;
        let what = format!("xelb decap is attached on {} at {interface}", target.name());
        wait::until(&what, START_LIMIT, || {
            if let Some(status) = decap.ended().map_err(|error| error.to_string())? {
                return Err(format!("it ended: {status}, see its log"));
            }
            match target.has_xdp(interface) {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("no XDP program on {interface}")),
                Err(error) => Err(error.to_string()),
            }
        })?;
        Ok(decap)
    }

    /// Starts `xelb pass` at an interface of a host and waits until it is attached.
    pub fn pass(&self, lab: &Lab, host: &Host, interface: &str) -> Result<Process> {
        let log = lab.log(&format!("{}-pass-{interface}", host.name()));
        let arguments = ["pass", "--interface", interface];
        let pass = host.spawn(Task::new(&self.program, &arguments).log_to(&log)?)?;
        wait::until("xelb pass is attached", START_LIMIT, || match host.has_xdp(interface) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("no XDP program on {interface}")),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(pass)
    }

    /// Runs a command that talks to the agent.
    pub fn command(&self, lab: &Lab, arguments: &[&str]) -> Result<Finished> {
        let mut all = arguments.to_vec();
        all.extend(["--socket", SOCKET]);
        lab.lb().finish(Task::new(&self.program, &all), COMMAND_LIMIT)
    }

    /// Removes the data path.
    pub fn detach(&self, lab: &Lab) -> Result<()> {
        let task = Task::new(&self.program, &["detach", "--bpffs", PIN_DIR]);
        lab.lb().finish(task, COMMAND_LIMIT)?.success().map(drop)
    }

    /// What `xelb get targets -o json` says.
    pub fn targets(&self, lab: &Lab) -> Result<Vec<TargetStatus>> {
        let text = self.command(lab, &["get", "targets", "-o", "json"])?.success()?;
        let mut targets = Vec::new();
        let answer: Value = serde_json::from_str(&text).map_err(|error| Error::Answer {
            what: format!("`xelb get targets -o json` is no JSON ({error})"),
            text: text.clone(),
        })?;
        collect_targets(&answer, &mut targets);
        Ok(targets)
    }

    /// A counter of `xelb stats`, or the packets dropped for a reason.
    pub fn counter(&self, lab: &Lab, name: &str) -> Result<u64> {
        let text = self.command(lab, &["stats", "-o", "json"])?.success()?;
        let found = serde_json::from_str::<Value>(&text).ok().and_then(|answer| {
            let of = |list: &str, key: &str, value: &str| {
                let mut all = answer[list].as_array()?.iter();
                all.find(|one| one[key] == name)?[value].as_u64()
            };
            of("counters", "name", "value").or_else(|| of("drops", "reason", "packets"))
        });
        found.ok_or_else(|| Error::Answer {
            what: format!("`xelb stats -o json` has no counter {name}"),
            text,
        })
    }

    /// Waits until the agent shows `count` targets, all of them healthy.
    pub fn wait_healthy(&self, lab: &Lab, count: usize, limit: Duration) -> Result<()> {
        wait::until(&format!("{count} targets are healthy"), limit, || {
            let targets = self.targets(lab).map_err(|error| error.to_string())?;
            let all = targets.iter().all(|target| target.state == "healthy");
            if all && targets.len() == count { Ok(()) } else { Err(format!("{targets:?}")) }
        })
    }

    /// Waits until the target with this address is in a state, in every group that has it.
    pub fn wait_state(
        &self,
        lab: &Lab,
        address: IpAddr,
        state: &str,
        limit: Duration,
    ) -> Result<()> {
        wait::until(&format!("{address} is {state}"), limit, || {
            let mut targets = self.targets(lab).map_err(|error| error.to_string())?;
            targets.retain(|target| target.address == address);
            if !targets.is_empty() && targets.iter().all(|target| target.state == state) {
                Ok(())
            } else {
                Err(format!("{targets:?}"))
            }
        })
    }
}

/// Writes the agent's configuration as an editor does: whole, then renamed into place.
pub fn write_configuration(lab: &Lab, configuration: &Configuration) -> Result<()> {
    let path = configuration_path(lab);
    let draft = path.with_extension("draft");
    fs::write(&draft, configuration.to_yaml())
        .context(|| format!("writing {}", draft.display()))?;
    fs::rename(&draft, &path).context(|| format!("renaming to {}", path.display()))
}

/// The agent's configuration file.
#[must_use]
pub fn configuration_path(lab: &Lab) -> PathBuf {
    // A directory of its own: the agent watches it.
    lab.directory().join("xelb.yaml")
}

/// What the decapsulator of a target prints.
#[must_use]
pub fn decap_log(lab: &Lab, target: &Host, interface: &str) -> PathBuf {
    lab.log(&format!("{}-decap-{interface}", target.name()))
}

/// Every object with an address and a state is a target, at any position.
fn collect_targets(value: &Value, targets: &mut Vec<TargetStatus>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_targets(value, targets)),
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Value::as_str);
            let address = text("address").and_then(|text| text.parse().ok());
            if let (Some(address), Some(state)) = (address, text("state")) {
                let group = text("target_group").or(text("group")).unwrap_or_default();
                targets.push(TargetStatus {
                    group: group.to_owned(),
                    address,
                    state: state.to_owned(),
                });
            } else {
                object.values().for_each(|value| collect_targets(value, targets));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_in_a_list_or_below_a_key() {
        let target = r#"{"target_group":"web","address":"10.0.0.11","port":80,"state":"healthy"}"#;
        for text in [format!("[{target}]"), format!("{{\"targets\":[{target}]}}")] {
            let mut targets = Vec::new();
            collect_targets(&serde_json::from_str(&text).unwrap(), &mut targets);
            assert_eq!(targets.len(), 1, "{text}");
            assert_eq!(targets[0].group, "web");
            assert_eq!(targets[0].state, "healthy");
        }
    }
}
