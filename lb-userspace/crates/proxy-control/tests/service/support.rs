//! Targets, configuration files, and services that run in a thread of their own.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use lb_config::{Config, ConfigErrors};
use lb_proxy_control::{Load, Service, ServiceError, ServiceOptions, Signal, Source, Unsupervised};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// No wait of a test is longer; a busy machine is not slower than that.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A server that answers every request with 200 and its name, until it is dropped with its process.
pub(crate) fn target(name: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, response) = (stream.unwrap(), response.clone());
            thread::spawn(move || {
                while read_head(&mut stream).is_some() {
                    if stream.write_all(response.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Reads until an empty line; `None` at the end.
fn read_head(stream: &mut impl std::io::Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Reads a response with its length.
pub(crate) fn read_response(stream: &mut impl std::io::Read) -> Option<(String, String)> {
    let head = read_head(stream)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

/// A client with a connection of its own.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// One request over a connection of its own: head and body of the response.
pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read_response(&mut stream).expect("a response")
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LONG, "it did not happen in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nobody listens at now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with a configuration file.
pub(crate) struct ConfigFile {
    folder: TempDir,
    reads: Arc<AtomicUsize>,
}

impl ConfigFile {
    /// Writes the file; `text` may name files as `FOLDER/name`.
    pub(crate) fn new(text: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap(), reads: Arc::default() };
        file.write(text);
        file
    }

    /// Writes it again, as editors do.
    pub(crate) fn write(&self, text: &str) {
        let new = self.path("new.yaml");
        fs::write(&new, text.replace("FOLDER", &self.folder.path().display().to_string())).unwrap();
        fs::rename(new, self.path("xelb.yaml")).unwrap();
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a certificate for a name, `STEM.pem` and `STEM.key`; gives it in PEM.
    pub(crate) fn certificate(&self, stem: &str, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let key_file = self.path(&format!("{stem}.key"));
        fs::write(self.path(&format!("{stem}.pem")), &certificate).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::set_permissions(&key_file, Permissions::from_mode(0o600)).unwrap();
        certificate
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    /// Options of a service of this file.
    pub(crate) fn options(&self) -> ServiceOptions {
        let file = self.path("xelb.yaml");
        let (path, reads) = (file.clone(), Arc::clone(&self.reads));
        let load: Load = Arc::new(move || {
            let outcome = load(&path);
            reads.fetch_add(1, SeqCst);
            outcome
        });
        let source = Source::File { path: file, load };
        ServiceOptions { source, workers: 2, access_log: None, drain_timeout: LONG, monitor: None }
    }

    /// A running service of this file.
    pub(crate) fn serve(&self) -> RunningService {
        RunningService::start(self.options())
    }

    /// Why a service of this file does not start.
    pub(crate) fn refusal(&self) -> ServiceError {
        let options = self.options();
        let outcome = runtime().block_on(async { Service::start(options).await.map(drop) });
        outcome.expect_err("a service that does not start")
    }
}

/// Reads a configuration. Listeners get a loopback address, which configurations may not name.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| lb_config::unreadable(&name, error.to_string()))?;
    let (_, mut config, _) = lb_config::parse(&text, &name)?;
    for listener in &mut config.http_listeners {
        if listener.address.prefix_len() == listener.address.max_prefix_len() {
            Arc::make_mut(listener).address = IpAddr::V4(Ipv4Addr::LOCALHOST).into();
        }
    }
    for listener in &mut config.tls_listeners {
        Arc::make_mut(listener).address = IpAddr::V4(Ipv4Addr::LOCALHOST).into();
    }
    Ok(config)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A service in a thread of its own.
pub(crate) struct RunningService {
    signals: mpsc::Sender<Signal>,
    thread: JoinHandle<lb_proxy::StopReport>,
}

impl RunningService {
    pub(crate) fn start(options: ServiceOptions) -> Self {
        let (signals, mut received) = mpsc::channel(8);
        let (started, wait) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let service = Service::start(options).await.unwrap();
                started.send(()).unwrap();
                service.run(&mut received, &mut Unsupervised).await
            })
        });
        wait.recv_timeout(LONG).expect("a service that starts");
        Self { signals, thread }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.signals.blocking_send(signal).unwrap();
    }

    /// Stops it; gives connections and requests that were cut.
    pub(crate) fn stop(self) -> (usize, usize) {
        self.signal(Signal::Terminate);
        let report = self.thread.join().unwrap();
        (report.connections_cut, report.requests_cut)
    }
}

/// Two groups and one listener with rules.
pub(crate) fn two_groups(port: u16, web: SocketAddr, order: SocketAddr) -> String {
    format!(
        "interfaces: [eth0]
target_groups:
  - name: web
    protocol: http
    port: {}
    targets: [{{ address: 127.0.0.1 }}]
  - name: order
    protocol: http
    port: {}
    targets: [{{ address: 127.0.0.1 }}]
listeners:
  - name: shop
    address: 203.0.113.10
    port: {port}
    protocol: http
    rules:
      - name: orders
        priority: 10
        conditions: [{{ path: [\"/order/*\"] }}]
        action: {{ forward: {{ target_group: order }} }}
      - name: old
        priority: 20
        conditions: [{{ path: [/old] }}]
        action: {{ redirect: {{ path: /new, status: 301 }} }}
    default_action: {{ forward: {{ target_group: web }} }}
",
        web.port(),
        order.port()
    )
}

/// Loopback address with this port.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
