//! What the probes of a health check do.

use super::program::program;
use crate::{
    model::{ExecCheck, GrpcCheck, HealthProtocol, HttpCheck, Matcher, TlsCheck, UdpCheck, Verify},
    named_file::NamedFile,
    section::Section,
    values::{self, ProbeKind},
};

/// Keys that belong to some protocols only.
const KEYS: &[(&str, &[ProbeKind])] = &[
    ("path", &[ProbeKind::Http, ProbeKind::Https]),
    ("host", &[ProbeKind::Http, ProbeKind::Https]),
    ("body", &[ProbeKind::Http, ProbeKind::Https]),
    ("matcher", &[ProbeKind::Http, ProbeKind::Https, ProbeKind::Grpc]),
    ("tls", &[ProbeKind::Grpc]),
    ("service", &[ProbeKind::Grpc]),
    ("server_name", &[ProbeKind::Https, ProbeKind::Grpc]),
    ("verify", &[ProbeKind::Https, ProbeKind::Grpc]),
    ("payload", &[ProbeKind::Udp]),
    ("payload_hex", &[ProbeKind::Udp]),
    ("expect", &[ProbeKind::Udp]),
    ("expect_hex", &[ProbeKind::Udp]),
    ("command", &[ProbeKind::Exec]),
];

/// Most bytes of a datagram: no link makes fragments of it.
const DATAGRAM_MAX: usize = 1200;

/// Most bytes of a text that is looked for.
const TEXT_MAX: usize = 1024;

/// What a probe does; `None` when the protocol or a part of it is wrong, since then nothing is known
/// of the rest.
pub(super) fn probe(section: &Section<'_>, defaults: &ProbeDefaults) -> Option<HealthProtocol> {
    let given = section.entry("protocol").is_some();
    let kind = match section.read("protocol", values::probe) {
        None if given => {
            // What is wrong with them cannot be said.
            for (key, _) in KEYS {
                let _known = section.entry(key);
            }
            return None;
        }
        kind => kind.unwrap_or(defaults.kind),
    };
    belong(section, kind);
    match kind {
        ProbeKind::Tcp => Some(HealthProtocol::Tcp),
        ProbeKind::Icmp => Some(HealthProtocol::Icmp),
        ProbeKind::Http => Some(HealthProtocol::Http(http(section, None))),
        ProbeKind::Https => {
            let tls = tls(section, defaults);
            Some(HealthProtocol::Http(http(section, Some(tls))))
        }
        ProbeKind::Grpc => Some(HealthProtocol::Grpc(grpc(section, defaults))),
        ProbeKind::Udp => Some(HealthProtocol::Udp(udp(section)?)),
        ProbeKind::Exec => Some(HealthProtocol::Exec(exec(section)?)),
    }
}

/// Complains about keys of other protocols.
fn belong(section: &Section<'_>, kind: ProbeKind) {
    for (key, kinds) in KEYS {
        let Some(entry) = section.entry(key).filter(|_| !kinds.contains(&kind)) else {
            continue;
        };
        let owners: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.name())).collect();
        let owners = match owners.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        let message = match (*key, kind) {
            ("path", ProbeKind::Grpc) => {
                "belongs to `http` or `https`; a grpc check calls the health service; set \
                 `service` instead"
                    .to_owned()
            }
            _ => format!("belongs to checks of {owners}; this one is {}", kind.name()),
        };
        section.findings.error(&entry.at, message);
    }
}

fn http(section: &Section<'_>, tls: Option<TlsCheck>) -> HttpCheck {
    let host = section.read("host", values::host);
    let tls = tls.map(|tls| TlsCheck {
        server_name: tls.server_name.or_else(|| host.as_deref().map(without_port)),
        ..tls
    });
    HttpCheck {
        http2: false,
        tls,
        host,
        path: section.read("path", values::http_path).unwrap_or_else(|| "/".to_owned()),
        matcher: section.read("matcher", values::matcher).unwrap_or(Matcher(vec![(200, 399)])),
        body: section.read("body", |node| values::short_text(node, TEXT_MAX)),
        reports: Vec::new(),
    }
}

fn without_port(host: &str) -> String {
    host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned()
}

/// What a probe does that its health check does not say.
pub(super) struct ProbeDefaults {
    pub(super) kind: ProbeKind,
    /// TLS of the group.
    pub(super) tls: Option<TlsCheck>,
}

impl ProbeDefaults {
    /// Of groups that the data path reaches.
    pub(super) const TCP: Self = Self { kind: ProbeKind::Tcp, tls: None };
}

fn tls(section: &Section<'_>, defaults: &ProbeDefaults) -> TlsCheck {
    let server_name = section.read("server_name", values::server_name);
    let own = section.read("verify", values::verify);
    if let (Some(Verify::File(path)), Some(entry)) = (&own, section.entry("verify")) {
        section.findings.file(&entry.at, NamedFile::Authorities(path.clone()));
    }
    let of_group = defaults.tls.clone();
    TlsCheck {
        server_name: server_name
            .or_else(|| of_group.as_ref().and_then(|tls| tls.server_name.clone())),
        verify: own.or_else(|| of_group.map(|tls| tls.verify)).unwrap_or(Verify::None),
    }
}

fn grpc(section: &Section<'_>, defaults: &ProbeDefaults) -> GrpcCheck {
    let wanted = section.read("tls", values::truth).unwrap_or(defaults.tls.is_some());
    if !wanted {
        for key in ["server_name", "verify"] {
            if let Some(entry) = section.entry(key) {
                section.findings.error(&entry.at, "needs `tls: true`");
            }
        }
    }
    GrpcCheck {
        tls: wanted.then(|| tls(section, defaults)),
        service: section
            .read("service", |node| values::short_text(node, TEXT_MAX))
            .unwrap_or_default(),
        matcher: section.read("matcher", values::grpc_matcher).unwrap_or(Matcher(vec![(0, 0)])),
    }
}

/// A key, or its other form in hexadecimal digits; `Err` when it is wrong or both are there.
fn bytes(
    section: &Section<'_>,
    text: &'static str,
    hex: &'static str,
) -> Result<Option<Vec<u8>>, ()> {
    match (section.entry(text), section.entry(hex)) {
        (None, None) => Ok(None),
        (Some(_), Some(entry)) => {
            section
                .findings
                .error(&entry.at, format!("contradicts `{text}`: set only one of them"));
            Err(())
        }
        (Some(_), None) => section
            .read(text, |node| values::short_text(node, DATAGRAM_MAX))
            .map(|text| Some(text.into_bytes()))
            .ok_or(()),
        (None, Some(_)) => {
            section.read(hex, |node| values::hex(node, DATAGRAM_MAX)).map(Some).ok_or(())
        }
    }
}

fn udp(section: &Section<'_>) -> Option<UdpCheck> {
    let payload = bytes(section, "payload", "payload_hex");
    let expect = bytes(section, "expect", "expect_hex");
    if expect == Ok(None) {
        section.findings.warn(
            &section.at,
            "a udp check without `expect` counts a missing answer as success: a host that is \
             down, or whose firewall drops packets, stays healthy. Set `expect`, or check a tcp \
             port",
        );
    }
    Some(UdpCheck { payload: payload.ok()?.unwrap_or_default(), expect: expect.ok()? })
}

fn exec(section: &Section<'_>) -> Option<ExecCheck> {
    let command = program(section, "command", "command: [/usr/local/bin/check-web]")?;
    Some(ExecCheck { command })
}
