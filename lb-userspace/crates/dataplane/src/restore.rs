//! What somebody has taken away while the agent runs: links, pins, whole interfaces. Looks whether the
//! program still runs where it should, and makes good what is missing.
//!
//! Asking is cheap, and changes nothing where all is well: a link that is given the program that it
//! has already stays as it is (`bpf_xdp_link_update` in net/core/dev.c).

use lb_common::abi::program;

use super::{
    Attached, DataPath, LoadError, Maps,
    attach::{AttachError, attach_exactly, interface_index, interface_name},
    links::LinkPin,
    load::load_program,
};

impl DataPath {
    /// Attaches the program again where it is gone, and pins again what is no longer pinned. Says
    /// whether anything has changed; what cannot be made good is in [`DataPath::attached`] and
    /// [`DataPath::pins_fault`].
    pub fn restore(&mut self) -> bool {
        if self.maps == Maps::Beside {
            return false;
        }
        let before = self.attached.clone();
        let pinned = self.restore_all();
        let fault = pinned.as_ref().err().map(|error| with_source(error)).unwrap_or_default();
        let changed = self.pins_fault != fault || pinned.unwrap_or_default();
        self.pins_fault = fault;
        changed || self.attached != before
    }

    /// Says whether pins of maps were missing.
    fn restore_all(&mut self) -> Result<bool, LoadError> {
        let folder = self.pins.path().display().to_string();
        if self.pins.restore()? {
            tracing::warn!(folder, "the folder of pins had been removed; it is there again");
        }
        let pinned = self.balancer.restore_pins(&self.pins)?;
        if !pinned.is_empty() {
            let maps = pinned.join(", ");
            tracing::warn!(folder, maps, "pins of maps had been removed; they are there again");
        }
        let names: Vec<String> = self.attached.iter().map(|one| one.name.clone()).collect();
        let program = load_program(self.balancer.ebpf(), program::BALANCE)?;
        self.attached = attach_exactly(program, &self.pins, &names, self.mode, &self.attached)?;
        Ok(!pinned.is_empty())
    }

    /// Why maps and links cannot be pinned; empty while they are.
    #[must_use]
    pub fn pins_fault(&self) -> &str {
        &self.pins_fault
    }
}

/// Why a link of an agent before is in its mode.
pub(super) const TAKEN_OVER: &str = "taken over from the agent before";

/// An interface and the name that it has now, if that is not the configured one.
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) index: u32,
    pub(super) renamed: String,
}

/// The interface with this name; where there is none, the known one, which has another name now.
pub(super) fn find<'a>(name: &'a str, known: Option<&Attached>) -> Result<Found<'a>, AttachError> {
    let missing = match interface_index(name) {
        Ok(index) => return Ok(Found { name, index, renamed: String::new() }),
        Err(error) => error,
    };
    let index = known.map_or(0, |known| known.index);
    let renamed = interface_name(index).ok_or(missing)?;
    Ok(Found { name, index, renamed })
}

/// What is known of interfaces before the first look: of those that do not exist. Where a link is left
/// on an interface that none of these names belongs to, that is the interface, and has got another name
/// since: its packets go on. Any other is waited for.
pub(super) fn presumed(pinned: &[LinkPin], names: &[String]) -> Vec<Attached> {
    let found: Vec<_> = names.iter().map(|name| (name, interface_index(name))).collect();
    let is_named =
        |index| found.iter().any(|(_, found)| found.as_ref().is_ok_and(|one| *one == index));
    let mut left = pinned
        .iter()
        .filter(|pin| !is_named(pin.index))
        .filter_map(|pin| Some((pin, interface_name(pin.index)?)));
    found
        .iter()
        .filter_map(|(name, found)| Some((*name, found.as_ref().err()?)))
        .map(|(name, error)| {
            let known = Attached { name: name.clone(), ..Attached::default() };
            match left.next() {
                Some((pin, renamed)) => Attached {
                    index: pin.index,
                    native: pin.native,
                    reason: TAKEN_OVER.to_owned(),
                    renamed,
                    ..known
                },
                None => Attached { fault: with_source(error), ..known },
            }
        })
        .collect()
}

/// What is known of an interface after another look; `new`: the program had to be attached again.
pub(super) fn again(known: &Attached, now: Attached, new: bool) -> Attached {
    if !new {
        let (native, reason) = (known.native, known.reason.clone());
        let reattached_count = known.reattached_count;
        return Attached { native, reason, reattached_count, ..now };
    }
    let Attached { name, index, .. } = known;
    if *index == 0 {
        tracing::info!(
            interface = name,
            mode = now.mode(),
            "the interface exists now; the program is attached"
        );
        return now;
    }
    let why = match interface_name(*index) {
        _ if now.index == *index => "its link had been removed, or was dead".to_owned(),
        Some(other) => format!("another interface has this name now; the former one is {other}"),
        None => "the interface was removed and made again".to_owned(),
    };
    tracing::warn!(
        interface = name,
        mode = now.mode(),
        "the program was gone from this interface ({why}); it is attached again"
    );
    Attached { reattached_count: known.reattached_count + 1, ..now }
}

pub(super) fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
