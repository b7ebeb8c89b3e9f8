//! `xelb bench traffic` and `xelb bench sink` between two hosts: packets arrive at the requested
//! rate and in the requested number of flows; unsupported requests are refused before the first
//! packet.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use lb_bench::traffic::Mix;
use lb_tests::{
    Host, Process, Xelb, process::Task, raw, requirements, sandbox, sandbox::Sandbox, topology,
    wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::machine_alone;

/// Longest time that a run may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Packets of a run whose counts must agree.
const PACKETS: u64 = 50_000;
const FLOWS: u64 = 1000;
pub(crate) const TO_V4: &str = "10.7.0.2:80";
pub(crate) const TO_V6: &str = "[fd07::2]:80";

/// Two hosts and a wire.
pub(crate) struct Pair {
    pub(crate) sender: Host,
    pub(crate) receiver: Host,
    pub(crate) xelb: Xelb,
    pub(crate) sandbox: Sandbox,
}

/// Runs `body` with two hosts, `sender` and `receiver`.
pub(crate) fn in_pair(body: fn(&Pair) -> Result<()>) -> Result<()> {
    let _machine = machine_alone();
    requirements::check(requirements::TEST_TOOLS)?;
    sandbox::run(move |sandbox| {
        let sender = Host::new(&sandbox, "sender")?;
        let receiver = Host::new(&sandbox, "receiver")?;
        topology::connect(&sender, "eth0", &receiver, "eth0", 1600)?;
        topology::address(&sender, "eth0", &["10.7.0.1/24", "fd07::1/64"])?;
        topology::address(&receiver, "eth0", &["10.7.0.2/24", "fd07::2/64"])?;
        let pair = Pair { sender, receiver, xelb: Xelb::find(None)?, sandbox };
        body(&pair)
    })
}

impl Pair {
    pub(crate) fn task(&self, words: &str) -> Task {
        let words: Vec<&str> = ["bench"].into_iter().chain(words.split_whitespace()).collect();
        Task::new(self.xelb.program(), &words)
    }

    /// Sends, and counts at the receiver.
    fn send(&self, words: &str) -> Result<Value> {
        let words = format!(
            "traffic --interface eth0 --sink eth0 --sink-netns receiver --count-flows -o json {words}"
        );
        let text = self.sender.finish(self.task(&words), LIMIT)?.success()?;
        serde_json::from_str(&text).with_context(|| text)
    }

    /// Starts a sink at the receiver; what it prints goes to a file.
    pub(crate) fn sink(&self, words: &str) -> Result<(Process, std::path::PathBuf)> {
        let log = self.sandbox.directory().join("sink.json");
        // Logs are appended to; the answer of a previous sink does not count.
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let task = self.task(&format!("sink --interface eth0 -o json {words}")).log_to(&log)?;
        let mut sink = self.receiver.spawn(task)?;
        wait::until("the sink is attached", LIMIT, || match sink.ended() {
            Ok(None) if self.receiver.has_xdp("eth0").unwrap_or(false) => Ok(()),
            ended => Err(format!("{ended:?}: {}", fs::read_to_string(&log).unwrap_or_default())),
        })?;
        Ok((sink, log))
    }
}

/// Every packet that was sent has arrived, or was refused by the interface and is counted: the 256
/// places of a veth's queue are full when the receiver does not run for some milliseconds. How many
/// have arrived: most of them.
fn expect_all_but_refused(outcome: &Value, sent: u64) -> Result<u64> {
    let refused = outcome["refused"].as_u64().context("refused")?;
    let arrived = outcome["received"]["packets"].as_u64().context("received")?;
    ensure!(outcome["lost"] == refused && arrived + refused == sent, "{outcome:#}");
    ensure!(refused < sent / 4, "{outcome:#}");
    Ok(arrived)
}

#[test]
fn counts_agree_exactly() -> Result<()> {
    in_pair(|pair| {
        for (to, protocol, mix) in [
            (TO_V4, "tcp", Mix::Fixed(60)),
            (TO_V6, "tcp", Mix::Fixed(128)),
            (TO_V4, "udp", Mix::Imix),
            (TO_V6, "udp", Mix::Imix),
        ] {
            let outcome = pair.send(&format!(
                "--to {to} --protocol {protocol} --size {mix} --flows {FLOWS} --count {PACKETS} \
                 --rate 30000 --duration 20s"
            ))?;
            let is_v6 = to == TO_V6;
            let bytes: u64 = mix
                .lengths(is_v6)
                .iter()
                .cycle()
                .take(usize::try_from(PACKETS)?)
                .map(|one| u64::from(*one))
                .sum();
            ensure!(outcome["sent"]["packets"] == PACKETS, "{outcome:#}");
            ensure!(outcome["sent"]["bytes"] == bytes, "{bytes} bytes: {outcome:#}");
            expect_all_but_refused(&outcome, PACKETS)?;
            if outcome["refused"] == 0 {
                ensure!(outcome["received"]["bytes"] == bytes, "{bytes} bytes: {outcome:#}");
            }
            ensure!(outcome["received"]["flows"] == FLOWS, "{outcome:#}");
            ensure!(outcome["flows"] == FLOWS && outcome["stopped"] == false, "{outcome:#}");
            let family = if is_v6 { "ipv6" } else { "ipv4" };
            let kinds = outcome["received"]["kinds"].as_array().context("kinds")?;
            let of_run = |kind: &&Value| kind["family"] == family && kind["protocol"] == protocol;
            ensure!(
                kinds.iter().filter(of_run).all(|kind| kind["tunnel"] == "none"),
                "{outcome:#}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_syn_flood_is_of_new_flows_only() -> Result<()> {
    in_pair(|pair| {
        for to in [TO_V4, TO_V6] {
            let outcome =
                pair.send(&format!("--to {to} --syn-flood --count {PACKETS} --rate 20000"))?;
            ensure!(outcome["flows"] == PACKETS, "{outcome:#}");
            let arrived = expect_all_but_refused(&outcome, PACKETS)?;
            // An estimate at this number: marks of two flows may be one.
            let flows = outcome["received"]["flows"].as_u64().context("flows")?;
            ensure!(flows.abs_diff(arrived) <= PACKETS / 1000, "{flows} flows: {outcome:#}");
        }
        Ok(())
    })
}

#[test]
fn threads_share_flows_rate_and_count() -> Result<()> {
    in_pair(|pair| {
        let outcome =
            pair.send("--to 10.7.0.2:80 --threads 2 --flows 1001 --count 20001 --rate 20000")?;
        ensure!(outcome["sent"]["packets"] == 20_001, "{outcome:#}");
        expect_all_but_refused(&outcome, 20_001)?;
        ensure!(outcome["received"]["flows"] == 1001, "{outcome:#}");
        Ok(())
    })
}

#[test]
fn a_run_keeps_its_rate_and_ends_on_a_signal() -> Result<()> {
    in_pair(|pair| {
        let outcome = pair.send("--to 10.7.0.2:80 --rate 5000 --duration 1s")?;
        let sent = outcome["sent"]["packets"].as_u64().context("packets")?;
        ensure!((4_000..=5_000).contains(&sent), "{outcome:#}");
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let log = pair.sandbox.directory().join(format!("{signal}.json"));
            let words =
                "traffic --interface eth0 --to 10.7.0.2:80 --rate 1000 --duration 1h -o json";
            let mut run = pair.sender.spawn(pair.task(words).log_to(&log)?)?;
            std::thread::sleep(Duration::from_secs(1));
            ensure!(run.ended()?.is_none(), "{}", fs::read_to_string(&log)?);
            run.signal(signal)?;
            let status = run.wait(Duration::from_secs(5))?;
            let text = fs::read_to_string(&log)?;
            ensure!(status.success(), "{status}: {text}");
            let outcome: Value = serde_json::from_str(&text).context(text)?;
            let sent = outcome["sent"]["packets"].as_u64().context("packets")?;
            ensure!(outcome["stopped"] == true && (1..3_000).contains(&sent), "{outcome:#}");
        }
        Ok(())
    })
}

#[test]
fn a_sink_looks_into_tunnels_and_detaches() -> Result<()> {
    in_pair(|pair| {
        let (mut sink, log) = pair.sink("--drop --duration 1m")?;
        let frames = tunnelled()?;
        for (_, frame) in &frames {
            raw::send(&pair.sender, "eth0", frame)?;
        }
        std::thread::sleep(Duration::from_millis(300));
        sink.stop(Duration::from_secs(5))?;
        ensure!(!pair.receiver.has_xdp("eth0")?, "the sink is still attached");
        let text = fs::read_to_string(&log)?;
        let outcome: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let kinds = outcome["kinds"].as_array().context("kinds")?;
        for ([tunnel, family, protocol], frame) in &frames {
            let kind = kinds.iter().find(|kind| {
                kind["tunnel"] == *tunnel
                    && kind["family"] == *family
                    && kind["protocol"] == *protocol
            });
            let kind = kind.with_context(|| format!("no {tunnel} {family} {protocol}: {text}"))?;
            ensure!(kind["packets"] == 1 && kind["bytes"] == frame.len(), "{kind}");
        }
        ensure!(outcome["received"]["packets"] == frames.len(), "{text}");
        // Killed, it is gone as well.
        let (mut sink, _) = pair.sink("")?;
        sink.kill();
        wait::until("the sink is detached", LIMIT, || match pair.receiver.has_xdp("eth0") {
            Ok(false) => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        Ok(())
    })
}

/// Frames with what the sink should take them for, no two the same.
fn tunnelled() -> Result<Vec<([&'static str; 3], Vec<u8>)>> {
    const IPIP: u8 = 4;
    const IPV6_IN_IP: u8 = 41;
    let (v4, v6) = (([192, 0, 2, 1], [192, 0, 2, 2], 64), ([0x20; 16], [0x21; 16], 64));
    let ethernet = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let inner = |is_v6: bool, is_udp: bool| -> Result<Vec<u8>> {
        let ip = if is_v6 {
            PacketBuilder::ipv6(v6.0, v6.1, v6.2)
        } else {
            PacketBuilder::ipv4(v4.0, v4.1, v4.2)
        };
        let mut packet = Vec::new();
        if is_udp {
            ip.udp(4000, 80).write(&mut packet, &[0; 8])?;
        } else {
            ip.tcp(4000, 80, 1, 1000).write(&mut packet, &[0; 8])?;
        }
        Ok(packet)
    };
    let mut frames = Vec::new();
    let mut add = |kind, build: &dyn Fn(&mut Vec<u8>) -> Result<()>| -> Result<()> {
        let mut frame = Vec::new();
        build(&mut frame)?;
        frames.push((kind, frame));
        Ok(())
    };
    let in_v4 = || ethernet().ipv4(v4.0, v4.1, v4.2);
    let in_v6 = || ethernet().ipv6(v6.0, v6.1, v6.2);
    add(["ipip", "ipv4", "tcp"], &|frame| {
        Ok(in_v4().write(frame, IPIP.into(), &inner(false, false)?)?)
    })?;
    add(["ipip", "ipv6", "udp"], &|frame| {
        Ok(in_v4().write(frame, IPV6_IN_IP.into(), &inner(true, true)?)?)
    })?;
    add(["ipip", "ipv4", "udp"], &|frame| {
        Ok(in_v6().write(frame, IPIP.into(), &inner(false, true)?)?)
    })?;
    // GUE variant 1 has nothing between the headers, variant 0 four bytes.
    add(["gue", "ipv4", "tcp"], &|frame| {
        Ok(in_v4().udp(5, 6080).write(frame, &inner(false, false)?)?)
    })?;
    let variant_0 =
        |is_udp| Ok::<_, anyhow::Error>([vec![0, IPV6_IN_IP, 0, 0], inner(true, is_udp)?].concat());
    add(["gue", "ipv6", "tcp"], &|frame| {
        Ok(in_v6().udp(5, 6080).write(frame, &variant_0(false)?)?)
    })?;
    add(["gue", "ipv6", "udp"], &|frame| {
        Ok(in_v4().udp(5, 6080).write(frame, &variant_0(true)?)?)
    })?;
    // Another port is no GUE.
    add(["none", "ipv4", "udp"], &|frame| {
        Ok(in_v4().udp(5, 6081).write(frame, &inner(false, false)?)?)
    })?;
    add(["none", "ipv6", "tcp"], &|frame| Ok(in_v6().tcp(5, 80, 1, 1).write(frame, &[])?))?;
    Ok(frames)
}

#[test]
fn unsupported_requests_are_refused_before_the_first_packet() -> Result<()> {
    in_pair(|pair| {
        pair.sender.ip("link add name wire0 type veth peer name wire1")?;
        pair.sender.ip("link set wire0 up")?;
        pair.sender.ip("link set wire1 up")?;
        let cases = [
            ("--interface eth7 --to 10.7.0.2:80", "eth7 does not exist"),
            ("--interface lo --to 10.7.0.2:80", "loopback interface"),
            ("--interface eth0 --to 127.0.0.1:80", "this host itself"),
            ("--interface eth0 --to 10.7.0.1:80", "no route to 10.7.0.1"),
            (
                "--interface eth0 --to 10.7.0.1:80 --mac 02:00:00:00:00:01",
                "of this interface itself",
            ),
            ("--interface eth0 --to 224.0.0.5:80", "multicast"),
            ("--interface eth0 --to [ff02::1]:80", "multicast"),
            ("--interface eth0 --to 10.7.0.255:80 --mac 02:00:00:00:00:01", "broadcast"),
            ("--interface eth0 --to 255.255.255.255:80", "not an address of a host"),
            ("--interface eth0 --to 10.7.0.2:0", "no port"),
            ("--interface eth0 --to 10.7.0.2", "invalid socket address"),
            ("--interface eth0", "--to"),
            ("--interface eth0 --to 192.0.2.1:80", "no route to 192.0.2.1"),
            ("--interface wire0 --to 10.7.0.2:80", "does not leave by wire0"),
            ("--interface eth0 --to 10.7.0.99:80", "MAC address of the next hop to 10.7.0.99"),
            ("--interface eth0 --to 10.7.0.2:80 --mac ff:ff:ff:ff:ff:ff", "multicast or broadcast"),
            ("--interface eth0 --to 10.7.0.2:80 --mac 02:00:00:00:00", "expected a MAC"),
            ("--interface eth0 --to 10.7.0.2:80 --from 224.0.0.0/8", "cannot be a source"),
            ("--interface eth0 --to 10.7.0.2:80 --from fd07::/64", "different families"),
            ("--interface eth0 --to 10.7.0.2:80 --count 0", "--count: 0 is not between"),
            ("--interface eth0 --to 10.7.0.2:80 --rate 0", "--rate: 0 is not between"),
            ("--interface eth0 --to 10.7.0.2:80 --rate -5", "-5"),
            ("--interface eth0 --to 10.7.0.2:80 --flows 0", "--flows: 0 is not between"),
            ("--interface eth0 --to 10.7.0.2:80 --size 59", "the minimum is 60"),
            ("--interface eth0 --to 10.7.0.2:80 --size 1615", "MTU is 1600"),
            ("--interface eth0 --to 10.7.0.2:80 --size 9000", "too many"),
            ("--interface eth0 --to 10.7.0.2:80 --duration 2h", "at most 1h"),
            ("--interface eth0 --to 10.7.0.2:80 --duration 0s", "more than 0"),
            ("--interface eth0 --to 10.7.0.2:80 --threads 0", "--threads"),
            ("--interface eth0 --to 10.7.0.2:80 --threads 100000", "CPUs here"),
            ("--interface eth0 --to 10.7.0.2:80 --protocol sctp", "expected tcp or udp"),
            ("--interface eth0 --to 10.7.0.2:80 --protocol udp --syn-flood", "only TCP"),
            (
                "--interface eth0 --to 10.7.0.2:80 --sink eth7 --sink-netns receiver",
                "eth7 does not exist",
            ),
            (
                "--interface eth0 --to 10.7.0.2:80 --sink eth0 --sink-netns nowhere",
                "/run/netns/nowhere",
            ),
        ];
        let (mut sink, log) = pair.sink("--drop")?;
        for (words, part) in cases {
            let count = if words.contains("--count") { "" } else { " --count 5" };
            let task = pair.task(&format!("traffic {words}{count}"));
            let finished = pair.sender.finish(task, LIMIT)?;
            ensure!(finished.status.code() == Some(2), "{words}: {finished:?}");
            ensure!(
                finished.stderr.contains(part) && finished.stdout.is_empty(),
                "{words}: {finished:?}"
            );
        }
        for words in ["--duration 2h", "--duration 0s", "--count 0"] {
            let finished =
                pair.receiver.finish(pair.task(&format!("sink --interface lo {words}")), LIMIT)?;
            ensure!(finished.status.code() == Some(2), "{words}: {finished:?}");
        }
        sink.stop(Duration::from_secs(5))?;
        let outcome: Value = serde_json::from_str(&fs::read_to_string(&log)?)?;
        ensure!(outcome["received"]["packets"] == 0, "something was sent: {outcome:#}");
        Ok(())
    })
}

#[test]
fn an_interface_with_another_program_is_left_alone() -> Result<()> {
    in_pair(|pair| {
        let (mut sink, log) = pair.sink("--drop")?;
        for (host, words) in [
            (&pair.receiver, "sink --interface eth0 --duration 1s"),
            (
                &pair.sender,
                "traffic --interface eth0 --to 10.7.0.2:80 --count 5 --sink eth0 --sink-netns receiver",
            ),
        ] {
            let finished = host.finish(pair.task(words), LIMIT)?;
            let said = finished.stderr.contains("already has an XDP program");
            ensure!(finished.status.code() == Some(1) && said, "{words}: {finished:?}");
        }
        sink.stop(Duration::from_secs(5))?;
        let outcome: Value = serde_json::from_str(&fs::read_to_string(&log)?)?;
        ensure!(outcome["received"]["packets"] == 0, "something was sent: {outcome:#}");
        Ok(())
    })
}
