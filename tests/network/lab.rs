//! The lab itself, without `xelb`: the base of the other tests.

use std::{net::IpAddr, time::Duration};

use anyhow::Context as _;
use lb_tests::{
    http,
    topology::{VIP_V4, VIP_V6, VIPS, client_for, target_v4, target_v6},
    udp, web,
};

use crate::scene::in_lab;

const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn clients_reach_targets_by_plain_routing() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        for client in [1, 2] {
            for target in [1, 2] {
                for address in [IpAddr::from(target_v4(target)), target_v6(target).into()] {
                    let answer = lab
                        .client(client)
                        .run(move || http::get((address, web::PORT).into(), "/", LIMIT))?;
                    assert_eq!(answer.target, format!("t{target}"));
                }
            }
        }
        Ok(())
    })
}

/// The router sends packets for the VIPs to a target directly: the target accepts them and answers
/// through the router, and no other host with the VIP gets packets.
#[test]
fn a_target_serves_the_vips_and_sees_the_client() -> anyhow::Result<()> {
    in_lab(3, |lab| {
        let router = lab.router();
        router.ip(&format!("route replace {VIP_V4}/32 via {}", target_v4(2)))?;
        router.ip(&format!("-6 route replace {VIP_V6}/128 via {}", target_v6(2)))?;
        for vip in VIPS {
            let client = lab.client(1);
            let answer = client.run(move || http::get((vip, web::PORT).into(), "/vip", LIMIT))?;
            assert_eq!(answer.target, "t2", "{vip}");
            let name = client.run(move || udp::ask((vip, udp::PORT).into(), "who", LIMIT))?;
            assert_eq!(name, "t2", "{vip}");
            let server = lab.web_server(2).context("t2 has a web server")?;
            let accesses = server.accesses()?;
            let expected =
                web::Access { client: client_for(1, vip), server: vip, path: "/vip".to_owned() };
            assert!(accesses.contains(&expected), "{accesses:?}");
            let seen = lab.responder(2).seen();
            assert!(
                seen.iter().any(|(peer, asked)| peer.ip() == client_for(1, vip) && *asked == vip),
                "{seen:?}"
            );
        }
        Ok(())
    })
}
