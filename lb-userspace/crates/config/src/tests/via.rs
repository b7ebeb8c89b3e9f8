//! `via`: where it is allowed, and the exact messages elsewhere.

use super::{
    super::{Via, parse},
    EXAMPLE, SMALL, config, errors, with,
};

fn via_of(text: &str) -> Via {
    config(text).target_groups[0].health_check.via
}

#[test]
fn probes_go_to_the_address_by_default() {
    assert_eq!(via_of(SMALL), Via::Address);
    assert_eq!(via_of(&with(EXAMPLE, "interval: 5s", "via: address")), Via::Address);
    assert_eq!(via_of(&with(EXAMPLE, "interval: 5s", "via: tunnel")), Via::Tunnel);
}

#[test]
fn the_tunnel_belongs_to_modes_that_keep_the_vip() {
    for (mode, refused) in
        [("ipip", false), ("gue", false), ("l2dsr", false), ("nat", true), ("fullnat", true)]
    {
        let check = format!("forwarding: {mode}\n    health_check: {{ via: tunnel }}");
        let mut text = with(SMALL, "forwarding: ipip", &check);
        if mode == "fullnat" {
            text = format!("source_nat: {{ addresses: [10.0.0.2] }}\n{text}");
        }
        if !refused {
            assert_eq!(via_of(&text), Via::Tunnel, "{mode}");
            continue;
        }
        let line = 7 + usize::from(mode == "fullnat");
        let expected = format!(
            "xelb.yaml:{line}:26: target_groups[0].health_check.via: `tunnel` belongs to forwarding ipip, \
             gue and l2dsr; this group is {mode}, whose packets go to the target's own address, as \
             probes with `via: address` do"
        );
        assert_eq!(errors(&text), expected);
    }
}

/// A port without a listener is valid: nothing on the path depends on it.
#[test]
fn a_port_of_its_own_is_possible() {
    let text = with(SMALL, "ipip", "ipip\n    health_check: { via: tunnel, port: 8080 }");
    let check = &config(&text).target_groups[0].health_check;
    assert_eq!((check.via, check.port), (Via::Tunnel, Some(8080)));
}

#[test]
fn checks_that_do_not_see_the_path_of_packets_are_worth_a_warning() {
    let warned = |forwarding: &str, check: &str| {
        let text = format!(
            "interfaces: [eth0]\ntarget_groups:\n  - {{ name: web, protocol: tcp, port: 80, forwarding: \
             {forwarding}, targets: [{{ address: 10.0.1.11 }}]{check} }}\n"
        );
        let (_, _, warnings) = parse(&text, "x.yaml").unwrap();
        warnings.iter().map(ToString::to_string).find(|text| text.contains("`via: tunnel`"))
    };
    for (forwarding, unseen) in
        [("ipip", "unwraps tunnel packets and has the VIP"), ("l2dsr", "has the VIP")]
    {
        let text = warned(forwarding, "").unwrap();
        assert!(text.contains(&format!("does not see whether the target {unseen};")), "{text}");
        assert_eq!(warned(forwarding, ", health_check: { via: address }"), None);
        assert_eq!(warned(forwarding, ", health_check: { via: tunnel }"), None);
        assert_eq!(warned(forwarding, ", health_check: { protocol: icmp }"), None);
    }
    assert_eq!(warned("nat", ""), None);
}
