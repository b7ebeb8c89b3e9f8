//! What is known of interfaces before and after a look: those that do not exist, have got another name, or
//! have lost their program.

use super::{
    Attached,
    attach::{interface_index, interface_name},
    attach_error::{AttachError, with_source},
    links::{LinkPin, taken_over},
};

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

/// Initial state of interfaces that do not exist. A link that is left on an interface with none of
/// these names belongs to a renamed interface: its packets are still forwarded. Any other is waited
/// for.
pub(super) fn attachments_from_pins(pinned: &[LinkPin], names: &[String]) -> Vec<Attached> {
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
                    reason: taken_over(pin.native).to_owned(),
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
        let previous = known.previous.clone();
        return Attached { native, reason, previous, reattached_count, ..now };
    }
    let Attached { name, index, .. } = known;
    let mut previous = known.previous.clone();
    if *index == 0 {
        tracing::info!(
            interface = name,
            mode = now.mode(),
            "the interface exists now; the program is attached"
        );
        return now;
    }
    let why = match interface_name(*index) {
        _ if now.index == *index => "its link was removed or dead".to_owned(),
        Some(other) => {
            previous.clone_from(&other);
            format!("another interface has this name now; the previous one is {other}")
        }
        None => "the interface was removed and created again".to_owned(),
    };
    tracing::warn!(
        interface = name,
        mode = now.mode(),
        "the program was no longer attached to this interface ({why}); it is attached again"
    );
    Attached { previous, reattached_count: known.reattached_count + 1, ..now }
}
