//! A whole lab: its hosts, what runs on them, and the end of it all.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use crate::{
    error::{Context as _, Result},
    host::Host,
    requirements,
    sandbox::{self, Sandbox},
    topology::Network,
    udp::Responder,
    web::WebServer,
};

/// Lines of each log that are shown when the body of a lab fails.
const LOG_LINES_SHOWN: usize = 15;

/// Hosts, servers and files. Everything is gone when it is dropped.
///
/// The fields are in the order in which they must be dropped.
#[derive(Debug)]
pub struct Lab {
    responders: Vec<Responder>,
    servers: Vec<Option<WebServer>>,
    network: Network,
    sandbox: Sandbox,
}

/// Builds a lab with `targets` targets, each with its servers, and runs `body` with it. When `body`
/// fails or panics, the logs of the lab are printed before it is removed.
pub fn run<T, E>(
    targets: u8,
    body: impl FnOnce(&mut Lab) -> std::result::Result<T, E> + Send + 'static,
) -> std::result::Result<T, E>
where
    T: Send + 'static,
    E: From<crate::Error> + Send + 'static,
{
    requirements::check(requirements::TOOLS)?;
    sandbox::run(move |sandbox| {
        let mut lab = Lab::build(sandbox, targets)?;
        match panic::catch_unwind(AssertUnwindSafe(|| body(&mut lab))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                lab.print_logs();
                Err(error)
            }
            Err(payload) => {
                lab.print_logs();
                panic::resume_unwind(payload)
            }
        }
    })
}

impl Lab {
    fn build(sandbox: Sandbox, targets: u8) -> Result<Self> {
        let log_dir = sandbox.directory().join("log");
        fs::create_dir_all(&log_dir).context(|| format!("creating {}", log_dir.display()))?;
        let network = Network::build(&sandbox, targets)?;
        let mut lab = Self { responders: Vec::new(), servers: Vec::new(), network, sandbox };
        for number in 1..=targets {
            let server = WebServer::start(lab.target(number), lab.directory())?;
            lab.servers.push(Some(server));
            let responder = Responder::start(lab.target(number))?;
            lab.responders.push(responder);
        }
        Ok(lab)
    }

    /// The lab's own directory: visible only to the thread that runs the lab's body, to its threads
    /// and to its processes.
    #[must_use]
    pub fn directory(&self) -> &'static Path {
        self.sandbox.directory()
    }

    /// Where what a program prints is kept.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory().join("log").join(format!("{name}.log"))
    }

    /// A client; they count from 1.
    ///
    /// # Panics
    /// When there is no such client.
    #[must_use]
    pub fn client(&self, number: u8) -> &Host {
        &self.network.clients[usize::from(number) - 1]
    }

    /// The router.
    #[must_use]
    pub fn router(&self) -> &Host {
        &self.network.router
    }

    /// The switch; its ports have the names of the hosts.
    #[must_use]
    pub fn switch(&self) -> &Host {
        &self.network.switch
    }

    /// The balancer.
    #[must_use]
    pub fn lb(&self) -> &Host {
        &self.network.lb
    }

    /// A target; they count from 1.
    ///
    /// # Panics
    /// When there is no such target.
    #[must_use]
    pub fn target(&self, number: u8) -> &Host {
        &self.network.targets[usize::from(number) - 1]
    }

    /// All targets.
    #[must_use]
    pub fn targets(&self) -> &[Host] {
        &self.network.targets
    }

    /// One more host, connected to nothing; it must end before the lab does.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(&self.sandbox, name)
    }

    /// Gives the LAN another MTU.
    pub fn set_lan_mtu(&self, mtu: u16) -> Result<()> {
        self.network.set_lan_mtu(mtu)
    }

    /// Gives the links between router and clients another MTU.
    pub fn set_client_mtu(&self, mtu: u16) -> Result<()> {
        self.network.set_client_mtu(mtu)
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        let network = &self.network;
        network
            .clients
            .iter()
            .chain([&network.router, &network.switch, &network.lb])
            .chain(&network.targets)
    }

    /// What the UDP service of a target has seen.
    ///
    /// # Panics
    /// When there is no such target.
    #[must_use]
    pub fn responder(&self, number: u8) -> &Responder {
        &self.responders[usize::from(number) - 1]
    }

    /// The web server of a target, while it runs.
    ///
    /// # Panics
    /// When there is no such target.
    #[must_use]
    pub fn web_server(&self, number: u8) -> Option<&WebServer> {
        self.servers[usize::from(number) - 1].as_ref()
    }

    /// Kills the web server of a target.
    ///
    /// # Panics
    /// When there is no such target.
    pub fn kill_web_server(&mut self, number: u8) {
        self.servers[usize::from(number) - 1] = None;
    }

    /// Starts the web server of a target again.
    ///
    /// # Panics
    /// When there is no such target.
    pub fn restart_web_server(&mut self, number: u8) -> Result<()> {
        self.kill_web_server(number);
        let server = WebServer::start(self.target(number), self.directory())?;
        self.servers[usize::from(number) - 1] = Some(server);
        Ok(())
    }

    /// Prints the end of every log, for the person who looks for a fault.
    pub fn print_logs(&self) {
        let Ok(entries) = fs::read_dir(self.directory().join("log")) else {
            return;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            if lines.is_empty() {
                continue;
            }
            eprintln!("--- {} ({} lines)", path.display(), lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)) {
                eprintln!("    {line}");
            }
        }
    }
}
