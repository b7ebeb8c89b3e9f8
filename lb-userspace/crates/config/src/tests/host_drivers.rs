//! The drivers systemd and docker: right and wrong texts.

use std::{net::IpAddr, time::Duration};

use super::{
    super::{Containers, Driver, HIDDEN, Limits, Units, validate_within},
    config, errors, parse,
};

fn text(driver: &str) -> String {
    format!(
        "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    scaling:
      min: 1
      max: 4
      driver:
{driver}"
    )
}

const SYSTEMD: &str = "        systemd:
          unit: app@.service
          addresses: [10.0.0.5, \"2001:db8::5\"]
          ports: [9000, 9099]
          revision: \"7\"
";

const DOCKER: &str = "        docker:
          image: web:1
          port: 8080
          socket: /run/podman/podman.sock
          network: web
          command: [server, --quiet]
          environment: { TOKEN: s3cret }
          memory_bytes: 6442450944
          stop_timeout: 5s
";

fn driver(text: &str) -> Driver {
    let config = config(text);
    config.target_groups[0].scaling.as_ref().unwrap().driver.clone()
}

#[test]
fn all_keys_are_read() {
    let addresses = ["10.0.0.5", "2001:db8::5"].map(|ip| ip.parse::<IpAddr>().unwrap()).into();
    let revision = Some("7".to_owned());
    let units = Units { unit: "app@.service".to_owned(), addresses, ports: [9000, 9099], revision };
    assert_eq!(driver(&text(SYSTEMD)), Driver::Systemd(units));
    let containers = Containers {
        image: "web:1".to_owned(),
        port: 8080,
        socket: "/run/podman/podman.sock".into(),
        network: Some("web".to_owned()),
        command: ["server", "--quiet"].map(ToOwned::to_owned).into(),
        environment: [("TOKEN".to_owned(), "s3cret".to_owned())].into(),
        memory_bytes: 6 << 30,
        stop_timeout: Duration::from_secs(5),
        revision: None,
    };
    assert_eq!(driver(&text(DOCKER)), Driver::Docker(containers));
}

#[test]
fn containers_have_the_port_of_the_group_unless_they_say_another() {
    let expected = Containers {
        image: "web:1".to_owned(),
        port: 80,
        socket: "/run/docker.sock".into(),
        network: None,
        command: Vec::new(),
        environment: [].into(),
        memory_bytes: 0,
        stop_timeout: Duration::from_secs(10),
        revision: None,
    };
    assert_eq!(driver(&text("        docker: { image: web:1 }\n")), Driver::Docker(expected));
}

/// One change, and the messages; `S` stands for the path of the driver.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "unit: app@.service",
        "unit: app.service",
        "12:17: S.systemd.unit: `app.service` is not the name of a template unit, such as app@.service",
    ),
    (
        "          unit: app@.service\n",
        "",
        "11:9: S.systemd: `unit` is missing; for example `unit: app@.service`",
    ),
    (
        "[10.0.0.5, \"2001:db8::5\"]",
        "[10.0.0.5, 10.0.0.5]",
        "13:33: S.systemd.addresses[1]: 10.0.0.5 is named twice",
    ),
    (
        "[10.0.0.5, \"2001:db8::5\"]",
        "[127.0.0.1]",
        "13:23: S.systemd.addresses[0]: 127.0.0.1 is a loopback address",
    ),
    (
        "[10.0.0.5, \"2001:db8::5\"]",
        "[]",
        "13:22: S.systemd.addresses: is empty; name at least one address of this host",
    ),
    (
        "[9000, 9099]",
        "[9099, 9000]",
        "14:18: S.systemd.ports: [9099, 9000] has no port: the first exceeds the last",
    ),
    (
        "[9000, 9099]",
        "9000-9099",
        "14:18: S.systemd.ports: must be [FIRST, LAST], such as [9000, 9099]",
    ),
    (
        "revision",
        "directory: /tmp\n          revision",
        "15:11: S.systemd.directory: unknown key; known are `unit`, `addresses`, `ports`, `revision`",
    ),
    (
        "image: web:1",
        "image: \"web 1\"",
        "12:18: S.docker.image: `web 1` is not an image, such as web:1",
    ),
    (
        "network: web",
        "network: host",
        "15:20: S.docker.network: members of the network host have no address of their own",
    ),
    (
        "{ TOKEN: s3cret }",
        "{ \"TO=KEN\": s3cret }",
        "17:24: S.docker.environment: `TO=KEN` is not the name of a variable, such as LANG",
    ),
    (
        "6442450944",
        "6GiB",
        "18:25: S.docker.memory_bytes: `6GiB` is not a number of bytes from 0, no limit, to \
         1125899906842624",
    ),
    (
        "stop_timeout: 5s",
        "stop_timeout: 60s",
        "19:25: S.docker.stop_timeout: `60s` is not a duration of whole seconds from 0s to 25s, such as \
         `90s` or `2m`",
    ),
    (
        "socket: /run/podman/podman.sock",
        "socket: podman.sock",
        "14:19: S.docker.socket: `podman.sock` is not the absolute path of a file, such as \
         /run/docker.sock",
    ),
];

#[test]
fn each_mistake_has_its_place() {
    for (old, new, expected) in WRONG {
        let base = [SYSTEMD, DOCKER].into_iter().find(|base| base.contains(old)).unwrap();
        let messages = errors(&text(base).replace(old, new));
        let at = "target_groups[0].scaling.driver";
        assert_eq!(messages, format!("xelb.yaml:{}", expected.replacen('S', at, 1)), "{new:?}");
    }
}

#[test]
fn they_are_refused_where_programs_are() {
    let off = Limits { exec_checks: false, ..Limits::MOST };
    let places = [
        (off, "(`xelb agent --exec-checks off`)"),
        (Limits::OF_PROXY, "a proxy with a file runs no programs and starts no members: "),
    ];
    for (base, (limits, expected)) in [SYSTEMD, DOCKER].into_iter().zip(places) {
        let document = parse(&text(base), "").unwrap().0;
        let error = validate_within(&document, &limits).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_containers_run_is_hidden() {
    let hidden = parse(&text(DOCKER), "").unwrap().0.without_secrets();
    let shown = serde_json::to_string(&hidden).unwrap();
    assert!(!shown.contains("s3cret") && !shown.contains("--quiet"), "{shown}");
    assert!(shown.contains(HIDDEN), "{shown}");
}
