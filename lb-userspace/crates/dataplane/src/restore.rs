//! Restores what was removed while the agent runs: links, pins, whole interfaces. Looks whether the
//! program still runs where it should, and makes good what is missing.
//!
//! Asking is cheap, and changes nothing where all is well: a link that is given the program that it
//! has already stays as it is (`bpf_xdp_link_update` in net/core/dev.c).

use lb_common::abi::program;

use super::{
    DataPath, LoadError, Maps, attach_error::with_source, interfaces::attach_exactly,
    load_program::load_program,
};

impl DataPath {
    /// Attaches the program again where it is gone, and pins again what is no longer pinned. Says
    /// whether anything has changed; what cannot be made good is in [`DataPath::attached`] and
    /// [`DataPath::pins_fault`].
    pub fn restore(&mut self) -> bool {
        if self.maps == Maps::Migrating {
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
            tracing::warn!(folder, "the folder of pins was removed; it is created again");
        }
        let pinned = self.balancer.restore_pins(&self.pins)?;
        if !pinned.is_empty() {
            let maps = pinned.join(", ");
            tracing::warn!(folder, maps, "pins of maps were removed; the maps are pinned again");
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
