//! The agent is replaced, by itself or by another version, while packets arrive at the maximum rate
//! of the lab: none is lost, and no flow moves.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use aya::programs::links::{FdLink, PinnedLink};
use lb_common::abi::{self, ABI};
use lb_dataplane::{KernelStore, OBJECT};
use lb_tests::{
    Configuration, Forwarding, Host, Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    configuration::Group,
    flood::{Flood, Sinks, Tally},
    layout,
    process::Task,
    talk::{Listeners, OpenConnections},
    topology::VIPS,
    wait,
};
use nix::sys::signal::Signal;
use object::{Object as _, ObjectSection as _, SectionKind};
use serde_json::Value;

use crate::scene::{NOTICE_LIMIT, Scene, in_lab_alone};

const TARGETS: [u8; 3] = [1, 2, 3];
pub(crate) const FLOOD_PORT: u16 = 9000;
pub(crate) const TALK_PORT: u16 = 7000;
/// Of each of the two clients.
pub(crate) const FLOWS: u32 = 40;
/// Between two datagrams of a flow: together 40,000 a second, half of what two cores that had
/// other things to do carried without a loss.
pub(crate) const INTERVAL: Duration = Duration::from_millis(2);
/// Of each of the two clients.
pub(crate) const CONNECTIONS: usize = 40;
const STALL_MAX: Duration = Duration::from_secs(1);
/// Longest time in which the kernel ends an agent that is killed while it makes maps.
const KILL_LIMIT: Duration = Duration::from_secs(30);
/// How long the flood lasts before and after.
pub(crate) const PAUSE: Duration = Duration::from_millis(700);

/// A flood and conversations over each VIP.
pub(crate) fn configuration() -> Configuration {
    let mut configuration = Configuration::default();
    for (name, vip) in [("v4", VIPS[0]), ("v6", VIPS[1])] {
        let group = |kind: &str, protocol, port| {
            Group::new(&format!("{kind}-{name}"), protocol, port, Forwarding::Ipip).with(&TARGETS)
        };
        configuration.add(vip, group("flood", "udp", FLOOD_PORT));
        configuration.add(vip, group("talk", "tcp", TALK_PORT));
    }
    configuration
}

/// What must stay: ids, and the link. And what must not: the program.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    ids: Vec<(String, Value)>,
    link: u32,
}

/// Ids by kind, name, group and address.
pub(crate) fn ids(lab: &Lab, xelb: &Xelb) -> anyhow::Result<Vec<(String, Value)>> {
    let mut ids = Vec::new();
    for what in ["listeners", "target-groups", "targets"] {
        let text = xelb.command(lab, &["get", what, "-o", "json"])?.success()?;
        let all: Vec<Value> = serde_json::from_str(&text)?;
        for one in all {
            ensure!(one["id"].as_u64().is_some_and(|id| id > 0), "no id: {one}");
            let name = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            let key = [what.to_owned(), name("name"), name("group"), name("address")].join("/");
            ids.push((key, one["id"].clone()));
        }
    }
    Ok(ids)
}

fn identity(lab: &Lab, scene: &Scene) -> anyhow::Result<Identity> {
    Ok(Identity { ids: ids(lab, &scene.xelb)?, link: link()?.0 })
}

/// A port at the VIP of each client.
pub(crate) fn to(lab: &Lab, port: u16) -> [(&Host, SocketAddr); 2] {
    [(lab.client(1), (VIPS[0], port).into()), (lab.client(2), (VIPS[1], port).into())]
}

/// The numbers of the pinned link and of its program.
pub(crate) fn link() -> anyhow::Result<(u32, u32)> {
    let is_link = |path: &PathBuf| path.to_string_lossy().contains("/link_");
    let mut links = pins()?.into_iter().filter(is_link);
    let (Some(path), None) = (links.next(), links.next()) else {
        bail!("not one link: {:?}", pins()?);
    };
    let info = FdLink::from(PinnedLink::from_pin(&path)?).info()?;
    Ok((info.id(), info.program_id()))
}

pub(crate) fn pins() -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(PIN_DIR).context(PIN_DIR)?;
    Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
}

/// Exactly the maps of this version are pinned, and one link.
pub(crate) fn expect_own_pins() -> anyhow::Result<()> {
    let name = |path: PathBuf| path.file_name().unwrap_or_default().display().to_string();
    let found: BTreeSet<String> = pins()?.into_iter().map(name).collect();
    let mut expected: BTreeSet<String> = abi::map::PINNED.iter().map(|&map| map.into()).collect();
    expected.extend(found.iter().find(|name| name.starts_with("link_")).cloned());
    ensure!(found == expected && found.len() == abi::map::PINNED.len() + 1, "pinned: {found:?}");
    Ok(())
}

fn meta() -> anyhow::Result<abi::Meta> {
    Ok(KernelStore::open(Path::new(PIN_DIR))?.meta()?)
}

/// Does `change` under load, and fails when it was noticed.
pub(crate) fn under_load(
    lab: &Lab,
    scene: &mut Scene,
    what: &str,
    change: impl FnOnce(&Lab, &mut Scene) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _listeners = Listeners::start(lab.targets(), TALK_PORT)?;
    let sinks = Sinks::start(lab.targets(), FLOOD_PORT)?;
    let connections = OpenConnections::start(&to(lab, TALK_PORT), CONNECTIONS)?;
    wait::until("all connections are open", NOTICE_LIMIT, || {
        let open = connections.report().partners.len();
        if open == 2 * CONNECTIONS { Ok(()) } else { Err(format!("{:?}", connections.report())) }
    })?;
    let (before, program) = (identity(lab, scene)?, link()?.1);
    let flood = Flood::start(&to(lab, FLOOD_PORT), FLOWS, INTERVAL)?;
    thread::sleep(PAUSE);
    change(lab, scene).with_context(|| what.to_owned())?;
    scene.xelb.wait_healthy(lab, configuration().target_count(), NOTICE_LIMIT)?;
    thread::sleep(PAUSE);
    let tally = flood.finish(sinks);
    let report = connections.finish();
    println!(
        "{what}: {} datagrams, {} lost, flows on {:?}; {} lines, the slowest after {:?}",
        tally.sent,
        tally.lost_count(),
        tally.homes,
        report.answers,
        report.longest
    );
    expect_whole(&tally).with_context(|| what.to_owned())?;
    ensure!(report.broken.is_empty(), "{what}: broken: {:?}", report.broken);
    ensure!(report.longest < STALL_MAX, "{what}: an answer took {:?}", report.longest);
    let after = identity(lab, scene)?;
    ensure!(before == after, "{what}: {before:?} became {after:?}");
    ensure!(link()?.1 != program, "{what}: still the program {program}");
    expect_own_pins()
}

fn expect_whole(tally: &Tally) -> anyhow::Result<()> {
    ensure!(tally.sent > 5000, "only {} datagrams", tally.sent);
    ensure!(tally.homes.len() == TARGETS.len(), "flows on {:?}", tally.homes);
    ensure!(tally.lost.is_empty(), "lost (of a flow: how many, first, last): {:?}", tally.lost);
    ensure!(tally.doubled == 0, "{} came twice", tally.doubled);
    ensure!(tally.moved.is_empty(), "moved: {:?}", tally.moved);
    Ok(())
}

/// Ends the agent in some way.
pub(crate) fn end(scene: &mut Scene, signal: Signal) -> anyhow::Result<()> {
    scene.agent.signal(signal)?;
    scene.agent.wait(NOTICE_LIMIT)?;
    Ok(())
}

#[test]
fn a_restarted_agent_takes_over_without_loss() -> anyhow::Result<()> {
    in_lab_alone(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        for (what, signal, away) in [
            ("SIGTERM and start", Signal::SIGTERM, Duration::ZERO),
            ("SIGKILL and start", Signal::SIGKILL, Duration::ZERO),
            ("two seconds without an agent", Signal::SIGKILL, Duration::from_secs(2)),
        ] {
            under_load(lab, &mut scene, what, |lab, scene| {
                end(scene, signal)?;
                thread::sleep(away);
                scene.agent = scene.xelb.agent(lab)?;
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// Starts an agent and waits until it has replaced the maps of another layout.
fn start_on_another_layout(lab: &Lab, scene: &mut Scene) -> anyhow::Result<()> {
    scene.agent = scene.xelb.agent(lab)?;
    wait::until("the maps are this version's", NOTICE_LIMIT, || match meta() {
        Ok(meta) if meta.abi == ABI => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    Ok(())
}

/// From another layout to this one, from a newer one as from an older one, and with the agent away.
#[test]
fn another_layout_is_replaced_without_loss() -> anyhow::Result<()> {
    in_lab_alone(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        let seed = meta()?.hash_seed;
        for (what, abi, away) in [
            ("upgrade from the layout before", ABI - 1, Duration::ZERO),
            ("downgrade from the next layout", ABI + 1, Duration::ZERO),
            ("the same after two seconds", u32::MAX, Duration::from_secs(2)),
        ] {
            under_load(lab, &mut scene, what, |lab, scene| {
                end(scene, Signal::SIGTERM)?;
                layout::disguise(Path::new(PIN_DIR), abi, seed)?;
                thread::sleep(away);
                start_on_another_layout(lab, scene)
            })?;
            ensure!(meta()?.hash_seed == seed, "another seed");
        }
        Ok(())
    })
}

/// The agent dies at any moment of the change.
#[test]
fn an_interrupted_change_of_the_layout_is_continued() -> anyhow::Result<()> {
    in_lab_alone(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        let seed = meta()?.hash_seed;
        under_load(lab, &mut scene, "killed while it changes the layout", |lab, scene| {
            end(scene, Signal::SIGTERM)?;
            let mut unfinished = 0;
            for step in 0..16 {
                if meta().is_ok_and(|meta| meta.abi == ABI) {
                    layout::disguise(Path::new(PIN_DIR), ABI + 1, seed)?;
                }
                let mut agent = spawn_agent(lab, scene)?;
                thread::sleep(Duration::from_millis(100 * step));
                agent.signal(Signal::SIGKILL)?;
                agent.wait(KILL_LIMIT)?;
                unfinished += usize::from(Path::new(PIN_DIR).join("next").exists());
            }
            ensure!(unfinished > 1, "{unfinished} of the kills have hit");
            start_on_another_layout(lab, scene)
        })
    })
}

/// The agent dies when its program runs on the new maps, and before they are moved to where the old
/// ones are: what the next agent removes first must not be what the program runs on.
#[test]
fn a_change_that_ends_at_the_switch_is_continued() -> anyhow::Result<()> {
    in_lab_alone(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        let seed = meta()?.hash_seed;
        under_load(lab, &mut scene, "killed at the switch", |lab, scene| {
            end(scene, Signal::SIGKILL)?;
            let next = Path::new(PIN_DIR).join("next");
            fs::create_dir(&next)?;
            layout::pin_old_maps_beside(Path::new(PIN_DIR), &next, ABI + 1, seed)?;
            scene.agent = scene.xelb.agent(lab)?;
            ensure!(!next.exists() && meta()?.abi == ABI, "{:?}", pins()?);
            let log = fs::read_to_string(lab.log("agent"))?;
            ensure!(log.contains("completing the change to another layout"), "{log}");
            Ok(())
        })
    })
}

/// A copy of the binary whose program differs: instructions `r = 0` of 64 bits have become those of
/// 32 bits and the other way round. Both do the same.
fn with_another_program(lab: &Lab, scene: &Scene) -> anyhow::Result<Xelb> {
    let (mut object, mut changed) = (OBJECT.to_vec(), 0);
    let sections = object::File::parse(OBJECT)?;
    let text = sections.sections().filter(|section| section.kind() == SectionKind::Text);
    for (start, length) in text.filter_map(|section| section.file_range()) {
        let section = &mut object[usize::try_from(start)?..usize::try_from(start + length)?];
        for code in section.chunks_exact_mut(8) {
            if matches!(code[0], 0xb7 | 0xb4) && code[2..] == [0; 6] {
                code[0] = code[0] ^ 0xb4 ^ 0xb7;
                changed += 1;
            }
        }
    }
    ensure!(changed > 0, "no such instructions");
    let mut binary = fs::read(scene.xelb.program())?;
    // It may be there more than once; all are aligned.
    let places = (0..binary.len()).step_by(4);
    let starts: Vec<usize> = places.filter(|start| binary[*start..].starts_with(OBJECT)).collect();
    ensure!(!starts.is_empty(), "the binary has another object than the tests");
    for start in starts {
        binary[start..start + object.len()].copy_from_slice(&object);
    }
    let path = lab.directory().join("xelb-of-tomorrow");
    fs::write(&path, binary)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(Xelb::find(Some(&path))?)
}

/// What the kernel makes of the instructions of the program that is attached.
fn tag() -> anyhow::Result<u64> {
    let (_, id) = link()?;
    let mut programs = aya::programs::loaded_programs().filter_map(Result::ok);
    Ok(programs.find(|program| program.id() == id).context("no such program")?.tag())
}

#[test]
fn another_binary_with_another_program_takes_over_without_loss() -> anyhow::Result<()> {
    in_lab_alone(3, |lab| {
        let mut scene = Scene::start(lab, &configuration())?;
        let mut other = with_another_program(lab, &scene)?;
        let first = tag()?;
        for what in ["upgrade of the binary", "downgrade of the binary"] {
            let before = tag()?;
            under_load(lab, &mut scene, what, |lab, scene| {
                end(scene, Signal::SIGTERM)?;
                std::mem::swap(&mut scene.xelb, &mut other);
                scene.agent = scene.xelb.agent(lab)?;
                Ok(())
            })?;
            ensure!(tag()? != before, "{what}: still the program with the tag {before:x}");
        }
        ensure!(tag()? == first, "the first binary has another program now");
        Ok(())
    })
}

/// Starts the agent and does not wait for anything.
pub(crate) fn spawn_agent(lab: &Lab, scene: &Scene) -> anyhow::Result<Process> {
    let configuration = configuration_path(lab).display().to_string();
    let arguments = ["agent", "--config", &configuration, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let task = Task::new(scene.xelb.program(), &arguments).log_to(&lab.log("agent"))?;
    Ok(lab.lb().spawn(task)?)
}
