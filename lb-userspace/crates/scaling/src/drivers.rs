//! Where a driver of the configuration becomes one that can be called: one match, an arm for each
//! kind.

use std::{fs, path::PathBuf, sync::Arc};

use lb_config::{Containers, Driver as Configured, Units, Verify};
use lb_drivers::{
    DockerDriver, DockerSettings, Driver, ExecDriver, StaticDriver, SystemdDriver, SystemdSettings,
    User, WebhookDriver,
};
use lb_health::{ExecUser, Programs, tls};

use crate::clock::random;

/// What drivers may use on this host.
#[derive(Clone, Debug)]
pub struct DriverContext {
    /// Where programs may be.
    pub programs: Programs,
    /// Who runs them.
    pub user: ExecUser,
    /// Where drivers of xelb itself keep their files.
    pub state_dir: PathBuf,
    /// Reads the key of a webhook's signatures.
    pub read_secret: fn(&std::path::Path) -> Result<Vec<u8>, String>,
}

impl DriverContext {
    /// The driver of a group; an error says why there is none, for people.
    pub(crate) fn driver(
        &self,
        group: &str,
        configured: &Configured,
    ) -> Result<Arc<dyn Driver>, String> {
        Ok(match configured {
            Configured::Exec { program, .. } => Arc::new(self.program(program)?),
            Configured::Static { targets } => {
                let folder = self.state_dir.join("static-targets");
                fs::create_dir_all(&folder)
                    .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
                let file = folder.join(format!("{group}.json"));
                Arc::new(StaticDriver::new(targets.clone(), file))
            }
            Configured::Webhook { url, secret_file, ca, .. } => {
                let secret = (self.read_secret)(secret_file)?;
                let verify = ca.clone().map_or(Verify::System, Verify::File);
                let tls = Arc::new(tls::client_builder(&verify)?.with_no_client_auth());
                let url = url.parse().map_err(|error| format!("{url}: {error}"))?;
                let driver = WebhookDriver::new(&url, secret, tls, random());
                Arc::new(driver.map_err(|error| error.to_string())?)
            }
            Configured::Systemd(units) => {
                let driver = SystemdDriver::new(self.systemd(units));
                Arc::new(driver.map_err(|error| error.to_string())?)
            }
            Configured::Docker(containers) => {
                let driver = DockerDriver::new(docker(containers));
                Arc::new(driver.map_err(|error| error.to_string())?)
            }
        })
    }

    /// Environment files of all groups are in one directory: units name it.
    fn systemd(&self, units: &Units) -> SystemdSettings {
        SystemdSettings {
            unit: units.unit.clone(),
            addresses: units.addresses.clone(),
            ports: units.ports,
            directory: self.state_dir.join("members"),
        }
    }

    /// A program that only root can change, run by a user without rights unless options say
    /// otherwise: whoever may change the configuration chooses its parameters.
    pub fn program(&self, program: &std::path::Path) -> Result<ExecDriver, String> {
        let program = self.programs.find(program).map_err(|error| error.to_string())?;
        let driver = ExecDriver::new(program);
        Ok(match self.user.numbers() {
            Some((uid, gid)) => driver.run_by(User { uid, gid }),
            None => driver,
        })
    }
}

fn docker(containers: &Containers) -> DockerSettings {
    let Containers { image, port, socket, network, command, environment, .. } = containers.clone();
    DockerSettings {
        image,
        port,
        socket,
        network,
        command,
        environment,
        memory_bytes: containers.memory_bytes,
        stop_seconds: u32::try_from(containers.stop_timeout.as_secs()).unwrap_or(u32::MAX),
    }
}
