//! `xelb explain` says what the data path then does, and leaves no trace.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Host, Lab, Xelb,
    topology::{VIPS, client_for},
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
use serde_json::Value;

use crate::scene::{Scene, in_every_mode, web_at};

fn explain(lab: &Lab, xelb: &Xelb, from: SocketAddr, to: SocketAddr) -> anyhow::Result<Value> {
    let (from, to) = (from.to_string(), to.to_string());
    let arguments = ["explain", "--from", &from, "--to", &to, "-o", "json"];
    Ok(serde_json::from_str(&xelb.command(lab, &arguments)?.success()?)?)
}

/// The target that answers a request from this end.
fn ask_from(client: &Host, from: SocketAddr, vip: IpAddr) -> anyhow::Result<String> {
    client.run(move || {
        let family = if vip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
        connect(socket.as_raw_fd(), &SockaddrStorage::from(web_at(vip)))?;
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-target").then(|| value.to_owned())
        };
        answer.lines().find_map(header).with_context(|| format!("no target in {answer}"))
    })
}

#[test]
fn explain_shows_the_target_of_a_flow() -> anyhow::Result<()> {
    in_every_mode(3, |mode, lab, scene: &Scene| {
        for vip in VIPS {
            for port in 45_000..45_003 {
                let from = SocketAddr::new(client_for(1, vip), port);
                let before = scene.xelb.command(lab, &["stats", "-o", "json"])?.success()?;
                let explained = explain(lab, &scene.xelb, from, web_at(vip))?;
                let after = scene.xelb.command(lab, &["stats", "-o", "json"])?.success()?;
                ensure!(before == after, "{}: it left a trace", mode.name);
                ensure!(explained["verdict"] == "forwarded", "{}: {explained}", mode.name);
                let target = explained["target"].as_str().context("a target")?.to_owned();
                let answered = ask_from(lab.client(1), from, vip)?;
                // t1 is 10.0.0.11 and fd00::11.
                let digit = answered.trim_start_matches('t').to_owned();
                let named = [format!(".1{digit}:80"), format!("::1{digit}]:80")];
                ensure!(
                    named.iter().any(|end| target.ends_with(end)),
                    "{}: {explained}, but {answered} answered",
                    mode.name
                );
                let headers = explained["headers"].as_array().context("headers")?;
                ensure!(headers.len() >= 3, "{}: {explained}", mode.name);
            }
            let from = SocketAddr::new(client_for(1, vip), 45_000);
            let (one, other) = (from.to_string(), web_at(vip).to_string());
            let arguments = ["explain", "--from", &one, "--to", &other];
            println!("{}", scene.xelb.command(lab, &arguments)?.success()?);
            let elsewhere = explain(lab, &scene.xelb, from, SocketAddr::new(vip, 9999))?;
            ensure!(elsewhere["verdict"] == "passed", "{elsewhere}");
        }
        Ok(())
    })
}
