//! What this version cannot do is refused with a name and a remedy.

use crate::{
    serving::with_tls,
    support::{ConfigFile, free_port, local, two_groups},
};

/// The configuration of two groups with a part replaced.
fn changed(from: &str, to: &str) -> String {
    let text = two_groups(8080, local(8081), local(8082));
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn what_is_not_there_yet_is_refused() {
    for (text, says) in [
        (
            changed("127.0.0.1 }", "web.example.org }"),
            "the DNS name web.example.org:8081 needs an agent",
        ),
        (changed("203.0.113.10", "203.0.113.0/24"), "203.0.113.0/24 is a prefix"),
    ] {
        let error = ConfigFile::new(&text).refusal();
        assert!(error.to_string().contains(says), "{error}\n{text}");
        assert!(error.is_usage(), "{error}");
    }
}

#[test]
fn layer_4_and_no_listener_at_all_are_refused() {
    let packets = "interfaces: [eth0]
target_groups:
  - { name: dns, protocol: tcp, port: 53, forwarding: ipip, targets: [{ address: 10.0.1.11 }] }
listeners:
  - name: dns
    address: 203.0.113.10
    port: 53
    protocol: tcp
    default_action: { forward: { target_group: dns } }
";
    let error = ConfigFile::new(packets).refusal().to_string();
    for says in [
        "xelb.yaml: listener dns: packets are forwarded by `xelb agent`",
        "xelb.yaml: target group dns: packets are forwarded by `xelb agent`",
        "xelb.yaml: there is no listener of http, https or tls",
    ] {
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_with_both_files() {
    let file = ConfigFile::new("");
    file.certificate("shop", "shop.example");
    file.certificate("wild", "*.wild.example");
    std::fs::copy(file.path("wild.key"), file.path("shop.key")).unwrap();
    file.write(&with_tls(&two_groups(free_port(), local(1), local(2))));
    let error = file.refusal().to_string();
    let (certificate, key) = (file.path("shop.pem"), file.path("shop.key"));
    let says = format!(
        "listener shop: the key {} does not belong to the certificate {}",
        key.display(),
        certificate.display()
    );
    assert!(error.contains(&says), "{error}");
}

#[test]
fn faults_of_a_file_have_their_line() {
    let error = ConfigFile::new("interfaces: [eth0]\nlisseners: []\n").refusal();
    assert!(error.is_usage());
    assert!(error.to_string().contains("xelb.yaml:2:1: lisseners: unknown key"), "{error}");
}
