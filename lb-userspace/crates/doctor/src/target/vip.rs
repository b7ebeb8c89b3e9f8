//! The VIP on a local interface: without it the host drops what arrives for it, or routes it on.

use std::net::IpAddr;

use super::TargetFacts;
use crate::Finding;

const CHECK: &str = "vip_local";

pub(super) fn check(vip: IpAddr, facts: &TargetFacts) -> Finding {
    let subject = vip.to_string();
    let holders: Vec<_> = facts.addresses.iter().filter(|local| local.address == vip).collect();
    let length = if vip.is_ipv4() { 32 } else { 128 };
    if let Some(local) = holders.iter().find(|local| !local.tentative && !local.dad_failed) {
        return Finding::ok(CHECK, subject, format!("on {}", local.interface));
    }
    let interface = holders.first().map_or("lo", |local| local.interface.as_str());
    let again = format!(
        "ip -6 address delete {vip}/{length} dev {interface}, then ip -6 address add \
         {vip}/{length} dev lo nodad: every target has the VIP, so duplicate address detection \
         must be off"
    );
    match holders.first() {
        None => Finding::error(
            CHECK,
            subject,
            "no interface has it: this host does not accept packets for it",
            format!(
                "ip address add {vip}/{length} dev lo{}",
                if length == 128 { " nodad" } else { "" }
            ),
        ),
        Some(local) if local.dad_failed => Finding::error(
            CHECK,
            subject,
            format!(
                "on {interface}, but unusable: duplicate address detection found it on another host"
            ),
            again,
        ),
        Some(_) => Finding::warning(
            CHECK,
            subject,
            format!(
                "on {interface}, but not usable yet: duplicate address detection is running \
                 (tentative)"
            ),
            again,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sound::{VIP_V4, VIP_V6, found};
    use crate::{
        Forwarding,
        Severity::{Error, Warning},
    };

    #[test]
    fn a_missing_vip_is_an_error() {
        for (vip, remedy) in [
            (VIP_V4, "ip address add 203.0.113.10/32 dev lo"),
            (VIP_V6, "ip address add 2001:db8::10/128 dev lo nodad"),
        ] {
            let finding = found("vip_local", Forwarding::Ipip, |facts| {
                facts.addresses.retain(|local| local.address.to_string() != vip);
            });
            assert_eq!((finding.severity, finding.subject.as_str()), (Error, vip));
            assert_eq!(finding.remedy.as_deref(), Some(remedy));
        }
    }

    #[test]
    fn duplicate_address_detection_must_be_over() {
        let failed = found("vip_local", Forwarding::Ipip, |facts| {
            facts.addresses[1].tentative = true;
            facts.addresses[1].dad_failed = true;
        });
        assert_eq!(failed.severity, Error);
        assert!(failed.remedy.unwrap().contains("nodad"));
        let running = found("vip_local", Forwarding::Ipip, |facts| {
            facts.addresses[1].tentative = true;
        });
        assert_eq!(running.severity, Warning);
    }
}
