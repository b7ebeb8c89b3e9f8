//! The agent starts while an interface of its configuration does not exist, as after a boot: it serves its
//! API, checks targets, warns, and attaches as soon as the interface is there.

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Xelb, agent::write_configuration, topology::LB_INTERFACE, wait,
    xdp_pass::XdpPass,
};
use nix::sys::signal::Signal;

use crate::{
    restored::{expect_service, plug_again, rename, unplug},
    scene::{NOTICE_LIMIT, in_lab},
    warned,
};

#[test]
fn an_interface_that_does_not_exist_is_waited_for() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let xelb = &Xelb::find(None)?;
        let configuration = Configuration::everything(Forwarding::Ipip, false, &[1]);
        write_configuration(lab, &configuration)?;
        let _decap = xelb.decap(lab, lab.target(1))?;

        // The only one is not there.
        let mac = unplug(lab.lb())?;
        let mut agent = warned::agent(lab, xelb, "native")?;
        let kind = ("program_gone", LB_INTERFACE);
        let text = warned::expect(lab, xelb, kind, NOTICE_LIMIT)?;
        ensure!(text.contains("interface eth0 does not exist"), "{text}");
        let doctor = xelb.command(lab, &["doctor"])?;
        ensure!(doctor.status.code() == Some(1), "{doctor:?}");
        plug_again(lab, lab.lb(), &mac, &["10.0.0.2/24", "fd00::2/64"])?;
        let _pass = XdpPass::attach(lab.switch(), "lb")?;
        xelb.wait_healthy(lab, configuration.target_count(), NOTICE_LIMIT)?;
        expect_service(lab, xelb, 0).context("it appeared")?;
        warned::expect_end(lab, xelb, "program_gone", NOTICE_LIMIT)?;

        // Renamed while no agent runs: its packets are still forwarded.
        agent.signal(Signal::SIGKILL)?;
        agent.wait(NOTICE_LIMIT)?;
        rename(lab, LB_INTERFACE, "lan0")?;
        let mut agent = warned::agent(lab, xelb, "native")?;
        warned::expect(lab, xelb, ("interface_renamed", LB_INTERFACE), NOTICE_LIMIT)?;
        expect_service(lab, xelb, 0).context("renamed")?;
        rename(lab, "lan0", LB_INTERFACE)?;
        warned::expect_end(lab, xelb, "interface_renamed", NOTICE_LIMIT)?;
        expect_service(lab, xelb, 0).context("renamed back")?;

        // One of two is not there, and is a slip.
        agent.stop(NOTICE_LIMIT)?;
        let top = vec!["interfaces: [eth0, eth7]".to_owned()];
        write_configuration(lab, &Configuration { top, ..configuration })?;
        let _agent = warned::agent(lab, xelb, "native")?;
        expect_service_but_one(lab, xelb)?;
        let text = warned::expect(lab, xelb, ("program_gone", "eth7"), NOTICE_LIMIT)?;
        ensure!(text.contains("interface eth7 does not exist"), "{text}");
        lab.lb().ip("link add eth7 type veth peer name eth7-peer")?;
        wait::until("the program is attached to eth7", NOTICE_LIMIT, || {
            match lab.lb().has_xdp("eth7") {
                Ok(true) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
        warned::expect_end(lab, xelb, "program_gone", NOTICE_LIMIT)?;
        expect_service(lab, xelb, 0).context("both are there")
    })
}

/// Waits until the interface that exists runs the program.
fn expect_service_but_one(lab: &lb_tests::Lab, xelb: &Xelb) -> anyhow::Result<()> {
    wait::until("eth0 runs the program", NOTICE_LIMIT, || {
        let status = warned::status(lab, xelb).map_err(|error| error.to_string())?;
        let modes: Vec<_> =
            (0..2).map(|number| status["interfaces"][number]["mode"].clone()).collect();
        if modes == ["native", "detached"] { Ok(()) } else { Err(format!("{modes:?}")) }
    })?;
    Ok(())
}
