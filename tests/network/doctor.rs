//! `xelb doctor` on real hosts: nothing to say of a sound lab, and the right thing of a broken one.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Host, Lab, Xelb, http,
    process::{Finished, Task},
    topology::{VIP_V4, VIP_V6, target_v4},
    wait,
};
use serde_json::Value;

use crate::scene::{NOTICE_LIMIT, Scene, in_lab, web_at};

const LIMIT: Duration = Duration::from_secs(10);

/// What the doctor said: severity, check, subject, remedy.
#[derive(Debug)]
struct Report {
    code: Option<i32>,
    findings: Vec<[String; 4]>,
}

impl Report {
    fn read(finished: &Finished) -> anyhow::Result<Self> {
        let Finished { status, stdout, stderr, .. } = finished;
        let findings: Vec<Value> =
            serde_json::from_str(stdout).with_context(|| format!("{stdout}{stderr}"))?;
        let text = |finding: &Value, key: &str| {
            finding.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let findings = findings
            .iter()
            .map(|finding| ["severity", "check", "subject", "remedy"].map(|key| text(finding, key)))
            .collect();
        Ok(Self { code: status.code(), findings })
    }

    /// All is well, warnings aside.
    fn expect_no_error(&self) -> anyhow::Result<()> {
        let errors = self.findings.iter().any(|[severity, ..]| severity == "error");
        ensure!(!errors && self.code == Some(0), "{self:#?}");
        Ok(())
    }

    /// A check says this of a subject, with a remedy that has these words; the exit code tells
    /// whether it is an error.
    fn expect(&self, wanted: [&str; 3], remedy: &str) -> anyhow::Result<()> {
        let found = self.findings.iter().any(|[severity, check, subject, todo]| {
            [severity, check, subject] == wanted && todo.contains(remedy)
        });
        ensure!(found, "{wanted:?} with remedy `{remedy}` is not in {self:#?}");
        let code = i32::from(self.findings.iter().any(|[severity, ..]| severity == "error"));
        ensure!(self.code == Some(code), "exit code {:?}: {self:#?}", self.code);
        Ok(())
    }
}

/// Runs `xelb doctor target` with these words.
fn on_target(xelb: &Xelb, target: &Host, words: &str) -> anyhow::Result<Report> {
    let all = format!("doctor target -o json {words}");
    let words: Vec<&str> = all.split_whitespace().collect();
    Report::read(&target.finish(Task::new(xelb.program(), &words), LIMIT)?)
}

/// Runs `xelb doctor` on the balancer with these words.
fn on_balancer(lab: &Lab, xelb: &Xelb, words: &str) -> anyhow::Result<Report> {
    let all = format!("doctor -o json {words}");
    let words: Vec<&str> = all.split_whitespace().collect();
    Report::read(&xelb.command(lab, &words)?)
}

#[test]
fn doctor_finds_problems_of_a_target() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let xelb = Xelb::find(None)?;
        let target = lab.target(1);
        let words = format!("--vip {VIP_V4} --vip {VIP_V6} --port 80");
        let look = |more: &str| on_target(&xelb, target, &format!("{words} {more}"));

        let remedy = "xelb decap --interface eth0";
        look("")?.expect(["error", "decapsulator", "eth0"], remedy)?;
        let decap = xelb.decap(lab, target)?;
        look("")?.expect_no_error()?;
        look("--mode l2dsr")?.expect_no_error()?;

        for (vip, length) in [(VIP_V4.to_string(), 32), (VIP_V6.to_string(), 128)] {
            target.ip(&format!("address delete {vip}/{length} dev lo"))?;
            let remedy = format!("ip address add {vip}/{length} dev lo");
            look("")?.expect(["error", "vip_local", &vip], &remedy)?;
            // The remedy is meant to be typed as it is.
            target.ip(remedy.strip_prefix("ip ").context("a command of ip")?)?;
            look("")?.expect_no_error()?;
        }

        let said = on_target(&xelb, target, &format!("--vip {VIP_V4} --port 81"))?;
        said.expect(["error", "listening", &VIP_V4.to_string()], "0.0.0.0:81")?;

        target.set("net/ipv4/conf/all/arp_ignore", "0")?;
        look("")?.expect_no_error()?;
        let remedy = "sysctl -w net.ipv4.conf.eth0.arp_ignore=1";
        look("--mode l2dsr")?.expect(["error", "arp_ignore", "eth0"], remedy)?;
        drop(decap);
        Ok(())
    })
}

#[test]
fn doctor_finds_filters_and_small_mtus_on_a_target() -> anyhow::Result<()> {
    in_lab(1, |lab| {
        let xelb = Xelb::find(None)?;
        let target = lab.target(1);
        let decap = xelb.decap(lab, target)?;
        let look = || on_target(&xelb, target, &format!("--vip {VIP_V4} --interface eth0"));
        look()?.expect_no_error()?;

        target.set("net/ipv4/conf/all/rp_filter", "1")?;
        let remedy = "sysctl -w net.ipv4.conf.eth0.rp_filter=2";
        look()?.expect(["warning", "rp_filter", "eth0"], remedy)?;
        // Answers leave by another interface than the one that packets come in by.
        target.ip("link add side0 type veth peer name side1")?;
        target.ip("link set side0 up")?;
        target.ip("link set side1 up")?;
        target.ip("route replace default dev side0")?;
        look()?.expect(["error", "rp_filter", "eth0"], remedy)?;
        target.set("net/ipv4/conf/eth0/rp_filter", "2")?;
        look()?.expect_no_error()?;
        target.ip("route replace default via 10.0.0.1")?;

        target.ip("link set eth0 mtu 1500")?;
        look()?.expect(["error", "mtu", "eth0"], "ip link set dev eth0 mtu 1540")?;
        // The other remedy; 1440 would do for an IPv4 outer header, IPv6 ones take 20 bytes more.
        target.ip("route replace default via 10.0.0.1 advmss 1440")?;
        look()?.expect(["warning", "mtu", "eth0"], "advmss 1420")?;
        target.ip("route replace default via 10.0.0.1 advmss 1420")?;
        look()?.expect_no_error()?;

        target.ip("route delete default")?;
        let remedy = "ip route add default via ROUTER";
        look()?.expect(["error", "return_route", "IPv4"], remedy)?;
        drop(decap);
        Ok(())
    })
}

#[test]
fn doctor_looks_at_a_balancer_and_its_targets() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let mut scene = Scene::start(lab, &Configuration::web(Forwarding::Ipip, &[1, 2]))?;
        let xelb = scene.xelb.clone();
        let look = || on_balancer(lab, &xelb, "");
        let sound = look()?;
        sound.expect_no_error()?;
        for [check, subject] in [
            ["xdp_mode", "eth0"],
            ["xdp_driver", "eth0"],
            ["xdp_runs", "eth0"],
            ["next_hop", "targets"],
            ["mtu", "eth0"],
            ["agent", "agent"],
        ] {
            sound.expect(["ok", check, subject], "")?;
        }

        lab.lb().ip("link set eth0 mtu 1500")?;
        look()?.expect(["warning", "mtu", "eth0"], "ip link set dev eth0 mtu 1520")?;
        lab.lb().ip("link set eth0 mtu 1600")?;
        look()?.expect(["ok", "mtu", "eth0"], "")?;

        lab.switch().ip("link set t2 down")?;
        let address = target_v4(2);
        lab.lb().ip(&format!("neighbour delete {address} dev eth0"))?;
        let subject = format!("web/{address}:80");
        wait::until("the doctor misses the neighbour", NOTICE_LIMIT, || {
            let said = look().map_err(|error| error.to_string())?;
            let remedy = format!("ip neigh show {address}");
            said.expect(["error", "next_hop", &subject], &remedy).map_err(|error| error.to_string())
        })?;
        lab.switch().ip("link set t2 up")?;
        wait::until("the doctor is content again", NOTICE_LIMIT, || {
            let said = look().map_err(|error| error.to_string())?;
            said.expect_no_error().map_err(|error| error.to_string())
        })?;

        for target in [1, 2] {
            let address = target_v4(target).to_string();
            xelb.command(lab, &["target", "drain", "web", &address, "--force"])?.success()?;
            xelb.wait_state(lab, target_v4(target).into(), "draining", NOTICE_LIMIT)?;
        }
        look()?.expect(["ok", "drops", "data path"], "")?;
        let limit = Duration::from_millis(200);
        let answer = lab.client(1).run(move || http::get(web_at(VIP_V4.into()), "/", limit));
        ensure!(answer.is_err(), "all targets are drained: {answer:?}");
        look()?.expect(["warning", "no_target", "data path"], "xelb get targets")?;

        lab.lb().ip("link set eth0 down")?;
        look()?.expect(["error", "link", "eth0"], "ip link set dev eth0 up")?;
        lab.lb().ip("link set eth0 up")?;

        scene.agent.stop(LIMIT)?;
        let silent = xelb.command(lab, &["doctor"])?;
        ensure!(silent.status.code() == Some(2), "{silent:?}");
        ensure!(silent.stderr.contains("xelb doctor --interface eth0"), "{silent:?}");
        let alone = on_balancer(lab, &xelb, "--interface eth0")?;
        alone.expect_no_error()?;
        alone.expect(["warning", "agent", "agent"], "--socket")?;
        alone.expect(["ok", "xdp_mode", "eth0"], "")?;
        // A target would be a bad balancer: its interface is taken, and its cable ends in a port
        // without a program.
        let words = ["doctor", "--interface", "eth0", "--socket", "nobody.sock", "-o", "json"];
        let task = Task::new(xelb.program(), &words);
        let misused = Report::read(&lab.target(1).finish(task, LIMIT)?)?;
        misused.expect(["error", "xdp_mode", "eth0"], "stop the process that loaded it")?;
        misused.expect(["error", "xdp_driver", "eth0"], "xelb pass --interface PEER")
    })
}
