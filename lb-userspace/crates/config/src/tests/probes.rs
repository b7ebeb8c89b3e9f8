//! What probes do: every protocol with its keys, and what is wrong with them.

use super::{
    super::{ExecCheck, GrpcCheck, HealthProtocol, HttpCheck, Matcher, TlsCheck, UdpCheck, Verify},
    parse,
};

fn text(check: &str) -> String {
    format!(
        "interfaces: [eth0]
target_groups:
  - {{ name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{{ address: 10.0.1.11 }}],
      health_check: {{ {check} }} }}
"
    )
}

fn read(check: &str) -> HealthProtocol {
    let (_, config, _) =
        parse(&text(check), "~").unwrap_or_else(|error| panic!("{check}: {error}"));
    config.target_groups[0].health_check.protocol.clone()
}

fn http() -> HttpCheck {
    HttpCheck {
        http2: false,
        tls: None,
        host: None,
        path: "/".to_owned(),
        matcher: Matcher(vec![(200, 399)]),
        body: None,
        reports: Vec::new(),
    }
}

#[test]
fn every_protocol_is_read() {
    let tls = |server_name: Option<&str>, verify| {
        Some(TlsCheck { server_name: server_name.map(str::to_owned), verify })
    };
    let host = |host: &str| Some(host.to_owned());
    for (check, expected) in [
        ("protocol: icmp", HealthProtocol::Icmp),
        (
            "protocol: http, host: \"www.example.org:81\", body: ready",
            HealthProtocol::Http(HttpCheck {
                host: host("www.example.org:81"),
                body: Some("ready".to_owned()),
                ..http()
            }),
        ),
        (
            "protocol: https",
            HealthProtocol::Http(HttpCheck { tls: tls(None, Verify::None), ..http() }),
        ),
        (
            "protocol: https, host: \"www.example.org:81\", verify: true",
            HealthProtocol::Http(HttpCheck {
                tls: tls(Some("www.example.org"), Verify::System),
                host: host("www.example.org:81"),
                ..http()
            }),
        ),
        (
            "protocol: https, host: a.example, server_name: b.example, verify: false",
            HealthProtocol::Http(HttpCheck {
                tls: tls(Some("b.example"), Verify::None),
                host: host("a.example"),
                ..http()
            }),
        ),
        (
            "protocol: grpc",
            HealthProtocol::Grpc(GrpcCheck {
                tls: None,
                service: String::new(),
                matcher: Matcher(vec![(0, 0)]),
            }),
        ),
        (
            "protocol: grpc, tls: true, service: a.B, matcher: \"0,12\"",
            HealthProtocol::Grpc(GrpcCheck {
                tls: tls(None, Verify::None),
                service: "a.B".to_owned(),
                matcher: Matcher(vec![(0, 0), (12, 12)]),
            }),
        ),
        ("protocol: udp", HealthProtocol::Udp(UdpCheck { payload: Vec::new(), expect: None })),
        (
            "protocol: udp, payload_hex: \"00fF10\", expect: pong",
            HealthProtocol::Udp(UdpCheck {
                payload: vec![0, 0xff, 0x10],
                expect: Some(b"pong".to_vec()),
            }),
        ),
        (
            "protocol: exec, command: [/bin/true, \"-x\"]",
            HealthProtocol::Exec(ExecCheck {
                command: vec!["/bin/true".to_owned(), "-x".to_owned()],
            }),
        ),
    ] {
        assert_eq!(read(check), expected, "{check}");
    }
}

/// A check and its messages, after the path of the check.
const WRONG: &[(&str, &str)] = &[
    ("protocol: tcp, body: x", "body: belongs to checks of `http` or `https`; this one is tcp"),
    (
        "protocol: http, verify: true",
        "verify: belongs to checks of `https` or `grpc`; this one is http",
    ),
    (
        "protocol: http, command: [/bin/true]",
        "command: belongs to checks of `exec`; this one is http",
    ),
    (
        "protocol: grpc, path: /x",
        "path: belongs to `http` or `https`; a grpc check calls the health service; set `service` \
         instead",
    ),
    ("protocol: grpc, verify: true", "verify: needs `tls: true`"),
    (
        "protocol: grpc, matcher: 200",
        "matcher: 200 is not a matcher such as 0, \"0,12\" or \"0-5\", with gRPC codes from 0 to 99",
    ),
    (
        "protocol: https, server_name: 10.0.0.1",
        "server_name: `10.0.0.1` is not a DNS name, such as www.example.org",
    ),
    (
        "protocol: https, verify: maybe",
        "verify: `maybe` is not true, false, or the absolute path of a file of certificates (PEM), such as /etc/ssl/ca.pem",
    ),
    (
        "protocol: https, host: \"a b\"",
        "host: `a b` is not a host, such as www.example.org or www.example.org:8080",
    ),
    ("protocol: http, body: \"\"", "body: `` is not a text of 1 to 1024 bytes; it has 0"),
    ("protocol: icmp, port: 80", "port: does not belong to checks of `icmp`: pings have no port"),
    (
        "protocol: udp, expect: a, expect_hex: \"61\"",
        "expect_hex: contradicts `expect`: set only one of them",
    ),
    (
        "protocol: udp, payload_hex: \"abc\"",
        "payload_hex: `abc` is not 1 to 1200 bytes as pairs of hexadecimal digits in quotes, such as \"00ff\"",
    ),
    ("protocol: exec", "`command` is missing; for example `command: [/usr/local/bin/check-web]`"),
    ("protocol: exec, command: []", "command: must name a program"),
    ("protocol: exec, command: /bin/true", "command: must be a list, not a text"),
    (
        "protocol: exec, command: [check-web]",
        "command: check-web is not an absolute path; programs run without a shell",
    ),
    (
        "protocol: exec, command: [/bin/true, 3]",
        "command[1]: 3 is not a text; put it in quotes: \"3\"",
    ),
];

#[test]
fn what_is_wrong_is_said() {
    for (check, expected) in WRONG {
        let path = "target_groups[0].health_check";
        let error = parse(&text(check), "~").unwrap_err().to_string();
        let (_, said) = error.split_once(path).unwrap_or_else(|| panic!("{check}: {error}"));
        let said = said.trim_start_matches(['.', ':', ' ']);
        assert_eq!(said, *expected, "{check}");
    }
}

#[test]
fn silence_as_success_is_warned_of() {
    for (check, warned) in [
        ("protocol: udp", true),
        ("protocol: udp, payload: hello", true),
        ("protocol: udp, expect: hello", false),
        ("protocol: udp, expect_hex: \"00\"", false),
        ("protocol: tcp", false),
    ] {
        let (_, _, warnings) = parse(&text(check), "~").unwrap();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let found = warnings.iter().any(|text| text.contains("counts a missing answer as success"));
        assert_eq!(found, warned, "{check}: {warnings:?}");
    }
}

#[test]
fn targets_that_cannot_be_checked_are_given_up_after_a_time() {
    for (check, minutes) in [
        ("protocol: tcp", Some(5)),
        ("inconclusive_timeout: 1h", Some(60)),
        ("inconclusive_timeout: 0s", None),
    ] {
        let (_, config, _) = parse(&text(check), "~").unwrap();
        let timeout = config.target_groups[0].health_check.inconclusive_timeout;
        assert_eq!(timeout.map(|timeout| timeout.as_secs() / 60), minutes, "{check}");
    }
}
