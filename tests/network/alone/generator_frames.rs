//! The packets of `xelb bench traffic`, one by one: as tcpdump captures them where they arrive.

use std::{collections::BTreeSet, fs, net::IpAddr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use lb_tests::{process::Task, wait};

use super::generator::{Pair, TO_V4, TO_V6, in_pair};

const LIMIT: Duration = Duration::from_secs(20);
/// A multiple of the 12 packets after which the sizes of a mix repeat.
const PACKETS: usize = 600;
const FLOWS: usize = 120;

#[test]
fn frames_are_complete() -> Result<()> {
    in_pair(|pair| {
        for to in [TO_V4, TO_V6] {
            for options in ["--protocol tcp", "--protocol udp", "--protocol udp --size imix"] {
                let frames = capture(pair, to, &format!("{options} --flows {FLOWS}"))?;
                check(&frames, to, options, FLOWS).with_context(|| format!("{to} {options}"))?;
            }
            let frames = capture(pair, to, "--syn-flood --size imix")?;
            check(&frames, to, "--syn-flood --size imix", PACKETS)?;
        }
        Ok(())
    })
}

/// What arrives at the receiver, as whole frames.
fn capture(pair: &Pair, to: &str, options: &str) -> Result<Vec<Vec<u8>>> {
    // Without a program at its far end a veth takes no frames of XDP.
    let (mut sink, _) = pair.sink("")?;
    let directory = pair.sandbox.directory();
    let (file, log) = (directory.join("frames.pcap"), directory.join("tcpdump.log"));
    fs::remove_file(&log).or_else(|_| fs::write(&log, ""))?;
    let count = PACKETS.to_string();
    let path = file.display().to_string();
    let arguments = [
        "-n",
        "-Z",
        "root",
        "-i",
        "eth0",
        "-Q",
        "in",
        "-B",
        "8192",
        "-s",
        "0",
        "-c",
        &count,
        "-w",
        &path,
        "dst port 80",
    ];
    let mut tcpdump = pair.receiver.spawn(Task::new("tcpdump", &arguments).log_to(&log)?)?;
    wait::until("tcpdump listens", LIMIT, || match fs::read_to_string(&log) {
        Ok(text) if text.contains("listening on") => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let words =
        format!("traffic --interface eth0 --to {to} --count {PACKETS} --rate 5000 {options}");
    pair.sender.finish(pair.task(&words), LIMIT)?.success()?;
    tcpdump.wait(LIMIT).with_context(|| format!("{options}: fewer than {PACKETS} packets"))?;
    sink.stop(LIMIT)?;
    frames(&fs::read(&file)?)
}

/// The frames of a capture file: a head of 24 bytes, then each behind a head of 16.
fn frames(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    bytes = bytes.get(24..).context("no head")?;
    while !bytes.is_empty() {
        let length = bytes.get(8..12).context("half a head")?.try_into().map(u32::from_le_bytes)?;
        let end = 16 + length as usize;
        frames.push(bytes.get(16..end).context("half a frame")?.to_vec());
        bytes = bytes.get(end..).context("half a frame")?;
    }
    Ok(frames)
}

fn check(frames: &[Vec<u8>], to: &str, options: &str, flows: usize) -> Result<()> {
    ensure!(frames.len() == PACKETS, "{} frames", frames.len());
    let sources: BTreeSet<(IpAddr, u16)> =
        frames.iter().map(|frame| decode(frame, to, options)).collect::<Result<_>>()?;
    ensure!(sources.len() == flows, "{} flows instead of {flows}", sources.len());
    let shortest = if to == TO_V6 { 80 } else { 60 };
    let of_length = |length| frames.iter().filter(|frame| frame.len() == length).count();
    let wanted = if options.contains("imix") {
        [PACKETS * 7 / 12, PACKETS * 4 / 12, PACKETS / 12]
    } else {
        [PACKETS, 0, 0]
    };
    ensure!([shortest, 590, 1514].map(of_length) == wanted, "sizes are not as {wanted:?}");
    Ok(())
}

/// Checks one frame; its source.
fn decode(frame: &[u8], to: &str, options: &str) -> Result<(IpAddr, u16)> {
    let packet = SlicedPacket::from_ethernet(frame)?;
    let (source, destination, protocol_end): (IpAddr, IpAddr, usize) = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            let header = ip.header().to_header();
            ensure!(header.header_checksum == header.calc_header_checksum(), "IPv4 checksum");
            (header.source.into(), header.destination.into(), 14 + usize::from(header.total_len))
        }
        Some(NetSlice::Ipv6(ip)) => {
            let header = ip.header().to_header();
            let end = 14 + 40 + usize::from(header.payload_length);
            (header.source.into(), header.destination.into(), end)
        }
        other => bail!("no IP: {other:?}"),
    };
    ensure!(protocol_end == frame.len(), "the IP header says {protocol_end} bytes");
    let inside = match source {
        IpAddr::V4(v4) => v4.octets()[..3] == [10, 7, 0] && !matches!(v4.octets()[3], 0 | 2 | 255),
        IpAddr::V6(v6) => v6.segments()[..4] == [0xfd07, 0, 0, 0] && v6.segments()[7] != 2,
    };
    ensure!(inside, "the source {source} is not of the interface's network");
    let (from, port, right) = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            ensure!(options.contains("tcp") || options.contains("syn"), "TCP");
            ensure!(tcp.syn() == options.contains("syn") && tcp.ack() != tcp.syn(), "flags");
            let sum = match &packet.net {
                Some(NetSlice::Ipv4(ip)) => {
                    tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination())?
                }
                Some(NetSlice::Ipv6(ip)) => {
                    tcp.calc_checksum_ipv6(ip.header().source(), ip.header().destination())?
                }
                _ => bail!("no IP"),
            };
            (tcp.source_port(), tcp.destination_port(), tcp.checksum() == sum)
        }
        Some(TransportSlice::Udp(udp)) => {
            ensure!(options.contains("udp"), "UDP");
            let header = udp.to_header();
            ensure!(usize::from(header.length) == udp.payload().len() + 8, "UDP length");
            let sum = match &packet.net {
                Some(NetSlice::Ipv4(ip)) => header.calc_checksum_ipv4_raw(
                    ip.header().source(),
                    ip.header().destination(),
                    udp.payload(),
                )?,
                Some(NetSlice::Ipv6(ip)) => header.calc_checksum_ipv6_raw(
                    ip.header().source(),
                    ip.header().destination(),
                    udp.payload(),
                )?,
                _ => bail!("no IP"),
            };
            (header.source_port, header.destination_port, header.checksum == sum)
        }
        other => bail!("neither TCP nor UDP: {other:?}"),
    };
    ensure!(right, "wrong checksum: {frame:02x?}");
    ensure!(format!("{}", std::net::SocketAddr::new(destination, port)) == to, "to {destination}");
    ensure!(from >= 1024, "port {from}");
    Ok((source, from))
}
