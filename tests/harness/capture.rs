//! What passes an interface, as tcpdump prints it.

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    error::{Context as _, Result},
    host::Host,
    lab::Lab,
    process::{Process, Task},
    wait,
};

const START_LIMIT: Duration = Duration::from_secs(5);

/// A running tcpdump; ends when dropped.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    output: PathBuf,
}

impl Capture {
    /// Starts it on an interface of a host, with a filter of tcpdump's language.
    pub fn start(lab: &Lab, host: &Host, interface: &str, filter: &str) -> Result<Self> {
        Self::start_at(
            lab.log(&format!("tcpdump-{}-{interface}", host.name())),
            host,
            interface,
            filter,
        )
    }

    /// The same without a lab; what it prints goes to a file.
    pub fn start_at(output: PathBuf, host: &Host, interface: &str, filter: &str) -> Result<Self> {
        let label = format!("tcpdump-{}-{interface}", host.name());
        // Logs are appended to; packets of a previous capture do not count.
        if output.exists() {
            fs::remove_file(&output).context(|| format!("removing {}", output.display()))?;
        }
        // Without -Z it would change its user, and then forget to die with the lab.
        let arguments =
            ["-n", "-l", "-e", "-t", "-Z", "root", "-i", interface, "--immediate-mode", filter];
        let process = host.spawn(Task::new("tcpdump", &arguments).log_to(&output)?)?;
        let capture = Self { process, output };
        wait::until(&format!("{label} listens"), START_LIMIT, || {
            match fs::read_to_string(&capture.output) {
                Ok(text) if text.contains("listening on") => Ok(()),
                Ok(text) => Err(text),
                Err(error) => Err(error.to_string()),
            }
        })?;
        Ok(capture)
    }

    /// Waits until it has printed `count` packets, ends it and returns a line for each.
    pub fn finish_with(self, count: usize) -> Result<Vec<String>> {
        wait::until(&format!("tcpdump shows {count} packets"), START_LIMIT, || {
            match self.packets().map_err(|error| error.to_string())?.len() {
                enough if enough >= count => Ok(()),
                fewer => Err(format!("{fewer}")),
            }
        })?;
        self.finish()
    }

    /// Ends it and returns a line for each packet.
    pub fn finish(mut self) -> Result<Vec<String>> {
        self.process.stop(START_LIMIT)?;
        self.packets()
    }

    /// A line for each packet that it has printed.
    fn packets(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.output)
            .context(|| format!("reading {}", self.output.display()))?;
        Ok(text.lines().filter(|line| line.contains("ethertype")).map(str::to_owned).collect())
    }
}
