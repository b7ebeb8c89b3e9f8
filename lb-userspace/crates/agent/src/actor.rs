//! PURE: who has caused an event by a command.

use super::Event;

/// Who has caused what happens now, and why.
pub(super) struct Actor {
    pub(super) who: String,
    pub(super) message: String,
}

impl Actor {
    /// Names them in an event of a target that comes, goes, drains or no longer drains.
    pub(super) fn sign(&self, event: &mut Event) {
        let ends = [event.from.as_str(), event.to.as_str()];
        if ends.iter().any(|state| matches!(*state, "" | "draining" | "unused")) {
            event.who.clone_from(&self.who);
            event.message.clone_from(&self.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_command_does_is_signed() {
        let actor = Actor { who: "ann".to_owned(), message: "disk".to_owned() };
        for (from, to, signed) in [
            ("", "initial", true),
            ("healthy", "", true),
            ("healthy", "draining", true),
            ("unused", "healthy", true),
            ("draining", "healthy", true),
            ("healthy", "unhealthy", false),
            ("initial", "healthy", false),
        ] {
            let (from, to) = (from.to_owned(), to.to_owned());
            let mut event = Event { from, to, ..Event::default() };
            actor.sign(&mut event);
            let wanted = if signed { ("ann", "disk") } else { ("", "") };
            assert_eq!((event.who.as_str(), event.message.as_str()), wanted, "{event:?}");
        }
    }
}
