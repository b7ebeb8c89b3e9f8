//! HAProxy and nginx as TCP balancers in front of the lab's web servers: one process each, on the
//! balancer's host.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use lb_tests::{Lab, Process, http, process::Task, topology::target_v4, wait, web};

const LIMIT: Duration = Duration::from_secs(10);
/// Address of the balancer's host in the lab.
const BALANCER: [u8; 4] = [10, 0, 0, 2];
pub(super) const HAPROXY_PORT: u16 = 8081;
pub(super) const NGINX_PORT: u16 = 8082;
/// Where Debian's package has it.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Both, running.
pub(super) struct Proxies {
    _haproxy: Process,
    _nginx: Process,
}

impl Proxies {
    pub(super) fn start(lab: &Lab, targets: u8) -> Result<Self> {
        let directory = lab.directory();
        let (haproxy_path, nginx_path) =
            (directory.join("haproxy.cfg"), directory.join("stream.conf"));
        let servers: Vec<String> =
            (1..=targets).map(|number| target_v4(number).to_string()).collect();
        fs::write(&haproxy_path, haproxy(&servers))?;
        fs::write(&nginx_path, nginx(&servers, &directory.display().to_string()))?;
        let path = haproxy_path.display().to_string();
        let task = Task::new("haproxy", &["-db", "-f", &path]).log_to(&lab.log("haproxy"))?;
        let haproxy = lab.lb().spawn(task)?;
        let (path, prefix) = (nginx_path.display().to_string(), directory.display().to_string());
        let task = Task::new("nginx", &["-p", &prefix, "-c", &path, "-e", "stderr"])
            .log_to(&lab.log("stream"))?;
        let nginx = lab.lb().spawn(task)?;
        for port in [HAPROXY_PORT, NGINX_PORT] {
            wait::until(&format!("the proxy at port {port} answers"), LIMIT, || {
                let ask = move || http::get((BALANCER, port).into(), "/", LIMIT);
                lab.client(1).run(ask).map_err(|error| error.to_string())
            })
            .context("starting the proxies")?;
        }
        Ok(Self { _haproxy: haproxy, _nginx: nginx })
    }
}

fn haproxy(servers: &[String]) -> String {
    let server =
        |(number, server): (usize, &String)| format!("  server s{number} {server}:{}\n", web::PORT);
    let lines: Vec<String> = servers.iter().enumerate().map(server).collect();
    format!(
        "global\n  nbthread 1\n  maxconn 5000\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client 30s\n  timeout server 30s\nfrontend web\n  bind :{HAPROXY_PORT}\n  \
         default_backend web\nbackend web\n  balance roundrobin\n{}",
        lines.concat()
    )
}

fn nginx(servers: &[String], directory: &str) -> String {
    let lines: Vec<String> =
        servers.iter().map(|server| format!("    server {server}:{};\n", web::PORT)).collect();
    format!(
        "load_module {STREAM_MODULE};\ndaemon off;\nmaster_process off;\npid {directory}/stream.pid;\n\
         error_log stderr warn;\nworker_rlimit_nofile 16384;\nevents {{ worker_connections 8000; }}\n\
         stream {{\n  upstream web {{\n{}  }}\n  server {{\n    listen {NGINX_PORT} backlog=1024;\n    \
         proxy_pass web;\n  }}\n}}\n",
        lines.concat()
    )
}
