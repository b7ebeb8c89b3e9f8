//! PURE: tables as text that people can read and that stays as it is: shares in place of slots, times
//! from the start of the script.

use std::{collections::BTreeMap, fmt::Write as _};

use lb_common::{
    Address, Family, Listener, Mode, Slot, Switches, Target, listener::protocol::UDP,
    target::TargetState, wide::WideKey,
};
use lb_plan::{GroupTable, Tables, WidePrefix};

/// Everything in the maps.
pub(super) fn tables(tables: &Tables, begins: u32) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{line}");
    };
    for (key, listener) in &tables.listeners {
        let address = ip(key.family, key.address);
        let place =
            format!("{} {}:{}", protocol(key.protocol), bracketed(&address), key.port.get());
        line(format!("listener {place} -> {}", shown_listener(tables, *listener)));
    }
    for (prefix, listeners) in &tables.wide {
        for range in listeners.ranges.iter().filter(|range| range.protocol != 0) {
            let protocol = protocol(u8::try_from(range.protocol).unwrap_or(0));
            let place = format!("{} ports {}-{}", shown_prefix(prefix), range.first, range.last);
            line(format!("wide {protocol} {place} -> {}", shown_listener(tables, range.listener)));
        }
    }
    for (id, group) in &tables.groups {
        shown_group(tables, *id, group, begins, &mut line);
    }
    for (id, until) in &tables.resting {
        line(format!("target id {id} rests until {}", second(*until, begins)));
    }
    for (number, pool) in &tables.pools {
        let address = ip(pool.family, pool.address);
        let last = u32::from(pool.first_port) + pool.count.saturating_sub(1);
        line(format!("pool {number}: {address}, ports {}-{last}", pool.first_port));
    }
    let on = [
        (Switches::ECHO_REPLY, "pings"),
        (Switches::WIDE_LISTENERS, "wide listeners"),
        (Switches::NAT, "translation"),
    ];
    line(format!("on: {}", names(&on, tables.switches.flags, ", ")));
    text
}

fn shown_group(
    tables: &Tables,
    id: u16,
    group: &GroupTable,
    begins: u32,
    line: &mut impl FnMut(String),
) {
    let slots = group.slots.len();
    let armed: Vec<&Slot> = group.slots.iter().filter(|slot| slot.is_armed()).collect();
    let mut homes: BTreeMap<u16, usize> = BTreeMap::new();
    let mut owners: BTreeMap<u16, usize> = BTreeMap::new();
    for slot in group.slots.iter() {
        *owners.entry(slot.current).or_default() += 1;
        if slot.is_armed() {
            *homes.entry(slot.home).or_default() += 1;
        }
    }
    let ring = match slots {
        0 => "no ring".to_owned(),
        slots => format!("{slots} slots at {}, {} armed", group.ring.base(), armed.len()),
    };
    line(format!("group {}: id {id}, {ring}", group.name));
    let of_group = tables.targets.iter().filter(|(_, target)| target.group == id);
    for (id, target) in of_group {
        let mut parts = vec![format!("id {id}"), shown_target(target, begins)];
        let owned = owners.remove(id).unwrap_or(0);
        parts.push(share(owned, slots));
        if let Some(count) = homes.remove(id) {
            parts.push(format!("home of {count} armed"));
        }
        let address = bracketed(&ip(target.family, target.address));
        line(format!("  {address}:{}: {}", target.port.get(), parts.join(", ")));
    }
    if let Some(count) = owners.remove(&0) {
        line(format!("  nobody: {}", share(count, slots)));
    }
}

fn shown_target(target: &Target, begins: u32) -> String {
    let mode = Mode::try_from(target.mode).map_or("no mode", Mode::name);
    let state = match TargetState::try_from(target.state) {
        Ok(TargetState::Initial) => "initial",
        Ok(TargetState::Healthy) => "healthy",
        Ok(TargetState::Unhealthy) => "unhealthy",
        Ok(TargetState::Draining) => "draining",
        Ok(TargetState::Unused) => "unused",
        Err(_) => "no state",
    };
    let flags = [
        (u32::from(Target::RESOLVED), "resolved"),
        (u32::from(Target::ROUTABLE), "routable"),
        (u32::from(Target::ACCEPTING), "accepting"),
        (u32::from(Target::LEAVING), "leaving"),
        (u32::from(Target::TAGGED), "tagged"),
    ];
    let mut text = format!("{mode}, {state}, {}", names(&flags, target.flags.into(), " "));
    if target.vlan.get() != 0 {
        let _written = write!(text, ", vlan {}", target.vlan.get());
    }
    if target.since != 0 {
        let _written = write!(text, ", since {}", second(target.since, begins));
    }
    if target.until != 0 {
        let _written = write!(text, ", until {}", second(target.until, begins));
    }
    text
}

fn shown_listener(tables: &Tables, listener: Listener) -> String {
    let Listener { id, group, idle_timeout, flags } = listener;
    let group = tables.groups.get(&group).map_or("a missing group", |group| &group.name);
    let all = [
        (Listener::NAT, "translated"),
        (Listener::TRACKED, "tracked"),
        (Listener::QUIC, "quic"),
        (Listener::STICKY, "sticky"),
        (Listener::RESETS, "resets"),
    ];
    let mut text = format!("{group}: id {id}, idle {idle_timeout} s");
    if flags != 0 {
        let all = all.map(|(flag, name)| (u32::from(flag), name));
        let _written = write!(text, ", {}", names(&all, flags.into(), " "));
    }
    text
}

/// Names of the flags that are set.
fn names(all: &[(u32, &str)], flags: u32, between: &str) -> String {
    let set = all.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name);
    let set: Vec<&str> = set.collect();
    if set.is_empty() { "nothing".to_owned() } else { set.join(between) }
}

fn share(count: usize, all: usize) -> String {
    if all == 0 {
        return "no slots".to_owned();
    }
    let tenths = (count * 1000 + all / 2) / all;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A second of the clock, as time from the start of the script.
fn second(second: u32, begins: u32) -> String {
    format!("{:+} s", second.wrapping_sub(begins).cast_signed())
}

fn protocol(number: u8) -> &'static str {
    if number == UDP { "udp" } else { "tcp" }
}

fn ip(family: u8, address: Address) -> String {
    Family::try_from(family)
        .map_or_else(|_| "no address".to_owned(), |family| address.to_ip(family).to_string())
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn shown_prefix(prefix: &WidePrefix) -> String {
    let WideKey { family, address } = prefix.key;
    let family = u8::try_from(u32::from_ne_bytes(family)).unwrap_or(0);
    let length = prefix.length - WideKey::FAMILY_BITS;
    format!("{}/{length}", ip(family, Address::v6(address)))
}
