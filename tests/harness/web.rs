//! The web server of a target: a real nginx that says whose it is.
//!
//! `/` and `/healthz` answer with the target's name, `/random` with [`RANDOM_BYTES`] random bytes,
//! and `PUT /upload/NAME` keeps what it gets as a file. Access logs are the proof of what arrived.

use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use sha2::{Digest as _, Sha256};

use crate::{
    error::{Context as _, Result},
    host::Host,
    http,
    process::{Process, Task},
    wait,
};

/// Size of what `/random` sends.
pub const RANDOM_BYTES: u64 = 10_000_000;
/// Its port.
pub const PORT: u16 = 80;
/// Header of its answers that names the target.
pub const TARGET_HEADER: &str = "x-target";

const START_LIMIT: Duration = Duration::from_secs(5);

/// A running nginx; killed when dropped.
#[derive(Debug)]
pub struct WebServer {
    process: Process,
    access_log: PathBuf,
    uploads: PathBuf,
}

/// One line of an access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who asked, as the target sees it.
    pub client: IpAddr,
    /// Which address it asked.
    pub server: IpAddr,
    /// The request.
    pub path: String,
}

impl WebServer {
    /// Starts it and waits until it answers.
    pub fn start(host: &Host, lab_dir: &Path) -> Result<Self> {
        let name = host.name();
        let directory = lab_dir.join(name);
        let root = lab_dir.join("www");
        let uploads = directory.join("upload");
        for directory in [&directory, &root, &uploads] {
            fs::create_dir_all(directory)
                .context(|| format!("creating {}", directory.display()))?;
        }
        let random = root.join("random");
        if !random.exists() {
            write_random(&random)?;
        }
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, configuration_text(name, &directory, &root))
            .context(|| format!("writing {}", configuration.display()))?;
        let log = lab_dir.join("log").join(format!("{name}-nginx.log"));
        let prefix = directory.display().to_string();
        let configuration = configuration.display().to_string();
        let process = host.spawn(
            Task::new("nginx", &["-p", &prefix, "-c", &configuration, "-e", "stderr"])
                .log_to(&log)?,
        )?;
        let server = Self { process, access_log: directory.join("access.log"), uploads };
        wait::until(&format!("nginx on {name} answers"), START_LIMIT, || {
            host.run(|| http::get(([127, 0, 0, 1], PORT).into(), "/healthz", START_LIMIT))
                .map_err(|error| error.to_string())
        })?;
        Ok(server)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// What it was asked, except for health checks.
    pub fn accesses(&self) -> Result<Vec<Access>> {
        let text = fs::read_to_string(&self.access_log)
            .context(|| format!("reading {}", self.access_log.display()))?;
        Ok(text.lines().filter_map(parse_access).collect())
    }

    /// SHA-256 of a file that it was sent; `None` when it has no such file.
    pub fn upload_digest(&self, name: &str) -> Result<Option<String>> {
        let path = self.uploads.join(name);
        if path.exists() { digest(&path).map(Some) } else { Ok(None) }
    }
}

/// What `/random` of every target sends.
#[must_use]
pub fn random_file(lab_dir: &Path) -> PathBuf {
    lab_dir.join("www/random")
}

/// SHA-256 of a file, in hexadecimal.
pub fn digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).context(|| format!("reading {}", path.display()))?;
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn write_random(path: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    fs::File::open("/dev/urandom")
        .and_then(|source| source.take(RANDOM_BYTES).read_to_end(&mut bytes))
        .context(|| "reading /dev/urandom".to_owned())?;
    fs::write(path, bytes).context(|| format!("writing {}", path.display()))
}

fn parse_access(line: &str) -> Option<Access> {
    let mut words = line.split(' ');
    Some(Access {
        client: words.next()?.parse().ok()?,
        server: words.next()?.parse().ok()?,
        path: words.next()?.to_owned(),
    })
}

/// One process (`master_process off`), so that killing it leaves no worker behind.
fn configuration_text(name: &str, directory: &Path, root: &Path) -> String {
    let directory = directory.display();
    let root = root.display();
    format!(
        "daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  log_format lab '$remote_addr $server_addr $request_uri $request_method $status';
  access_log {directory}/access.log lab;
  default_type text/plain;
  client_max_body_size 64m;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  add_header X-Target {name} always;
  server {{
    listen {PORT} backlog=1024;
    listen [::]:{PORT} backlog=1024;
    location / {{ return 200 '{name}\\n'; }}
    location = /healthz {{ access_log off; return 200 '{name}\\n'; }}
    location = /random {{ root {root}; }}
    location /upload/ {{ root {directory}; dav_methods PUT; }}
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_log_line_is_understood() {
        let line = "10.1.1.2 203.0.113.10 /random GET 200";
        assert_eq!(
            parse_access(line),
            Some(Access {
                client: [10, 1, 1, 2].into(),
                server: [203, 0, 113, 10].into(),
                path: "/random".to_owned(),
            })
        );
        assert_eq!(parse_access("not a line"), None);
    }
}
