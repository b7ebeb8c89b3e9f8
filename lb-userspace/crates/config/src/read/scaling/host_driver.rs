//! Drivers that run members on this host: units of systemd, containers of Docker or Podman. Whether
//! the unit or the image is there is known to systemd and the engine, and not looked at.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::super::condition::texts;
use crate::{
    error::brief,
    model::{Containers, Driver, Units},
    named_file::NamedFile,
    section::Section,
    tree::{Node, Value},
    values,
};

const SOCKET: &str = "/run/docker.sock";
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls of a driver have 30 s.
const STOP_TIMEOUTS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(25);
/// More than any host has.
const MEMORY_BYTES_MAX: i64 = 1 << 50;
const UNIT_BYTES_MAX: usize = 100;
const IMAGE_BYTES_MAX: usize = 512;
const WORD_BYTES_MAX: usize = 256;

pub(super) fn systemd(section: Section<'_>) -> Option<Driver> {
    runs_here(&section, "systemd");
    let unit = section.require("unit", "unit: app@.service", unit);
    let addresses = addresses(&section);
    let ports = section.require("ports", "ports: [9000, 9099]", ports);
    let revision = revision(&section);
    section.finish();
    Some(Driver::Systemd(Units { unit: unit?, addresses: addresses?, ports: ports?, revision }))
}

pub(super) fn docker(section: Section<'_>, port: Option<u16>) -> Option<Driver> {
    runs_here(&section, "docker");
    let image = section.require("image", "image: web:1", |node| {
        word(node, IMAGE_BYTES_MAX, "an image, such as web:1")
    });
    let port = section.read("port", values::port).or(port);
    let socket = section.read("socket", |node| values::file(node, SOCKET));
    let network = section.read("network", network);
    let command = section.entry("command").map(|_| texts(&section, "command"));
    let environment = section.texts("environment", |_, node| values::text(node));
    if let Some(entry) = section.entry("environment")
        && let Some((name, _)) = environment.iter().find(|(name, _)| !is_variable(name))
    {
        let message = format!("`{}` is not the name of a variable, such as LANG", brief(name));
        section.findings.error(&entry.at, message);
    }
    let memory_bytes = section.read("memory_bytes", memory_bytes);
    let stop_timeout = section.read("stop_timeout", |node| values::seconds(node, STOP_TIMEOUTS));
    let revision = revision(&section);
    section.finish();
    Some(Driver::Docker(Containers {
        image: image?,
        port: port?,
        socket: socket.unwrap_or_else(|| PathBuf::from(SOCKET)),
        network,
        command: command.unwrap_or_else(|| Some(Vec::new()))?,
        environment: environment.into_iter().collect(),
        memory_bytes: memory_bytes.unwrap_or(0),
        stop_timeout: stop_timeout.unwrap_or(STOP_TIMEOUT),
        revision,
    }))
}

/// It is refused where programs are.
fn runs_here(section: &Section<'_>, kind: &'static str) {
    section.findings.file(&section.at, NamedFile::HostDriver(kind));
}

fn revision(section: &Section<'_>) -> Option<String> {
    let wanted = "a text without blanks in quotes, such as \"7\"";
    section.read("revision", |node| word(node, WORD_BYTES_MAX, wanted))
}

/// Printable ASCII without blanks.
fn word(node: &Node, most: usize, wanted: &str) -> Result<String, String> {
    let text = node.as_text().filter(|text| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    text.map(ToOwned::to_owned).ok_or_else(|| values::wrong(node, wanted))
}

/// A template unit: letters, digits and `:-_.`, then `@.service`.
fn unit(node: &Node) -> Result<String, String> {
    let text = node.as_text().unwrap_or_default();
    let name = text.strip_suffix("@.service").unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.".contains(&byte);
    if name.is_empty() || text.len() > UNIT_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(values::wrong(node, "the name of a template unit, such as app@.service"));
    }
    Ok(text.to_owned())
}

fn addresses(section: &Section<'_>) -> Option<Vec<IpAddr>> {
    section.required("addresses", "addresses: [10.0.0.5]")?;
    let list = section.list("addresses")?;
    let mut addresses = Vec::new();
    for entry in list.entries() {
        match values::member_address(entry.node) {
            Ok(address) if addresses.contains(&address) => {
                section.findings.error(&entry.at, format!("{address} is named twice"));
            }
            Ok(address) => addresses.push(address),
            Err(message) => section.findings.error(&entry.at, message),
        }
    }
    if list.items().len() == 0 {
        section.findings.error(&list.at, "is empty; name at least one address of this host");
    }
    Some(addresses)
}

/// The first and the last port.
fn ports(node: &Node) -> Result<[u16; 2], String> {
    let range = match &node.value {
        Value::List(items) => match items.as_slice() {
            [first, last] => values::port(first).ok().zip(values::port(last).ok()),
            _ => None,
        },
        _ => None,
    };
    let [first, last] =
        range.map(<[u16; 2]>::from).ok_or("must be [FIRST, LAST], such as [9000, 9099]")?;
    if first > last {
        return Err(format!("[{first}, {last}] has no port: the first exceeds the last"));
    }
    Ok([first, last])
}

fn network(node: &Node) -> Result<String, String> {
    let name = word(node, WORD_BYTES_MAX, "the name of a network, such as web")?;
    if name == "host" || name == "none" {
        return Err(format!("members of the network {name} have no address of their own"));
    }
    Ok(name)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn memory_bytes(node: &Node) -> Result<u64, String> {
    let wanted = format!("a number of bytes from 0, no limit, to {MEMORY_BYTES_MAX}");
    match node.value {
        Value::Integer(number) if (0..=MEMORY_BYTES_MAX).contains(&number) => {
            u64::try_from(number).map_err(|_| values::wrong(node, &wanted))
        }
        _ => Err(values::wrong(node, &wanted)),
    }
}
