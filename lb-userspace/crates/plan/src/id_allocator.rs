//! Numbers of groups, targets and listeners: kept while the thing exists, lowest free one for a
//! new thing.
//!
//! A number that the previous tables use for anything is never free, also when that thing is about
//! to go: packets in flight may still carry it.

/// The numbers of one kind, from 1 to `limit - 1`.
pub(super) struct Ids {
    limit: usize,
    /// Which are used; not known until a first one is wanted.
    used: Vec<bool>,
    /// All lower numbers are used.
    lowest: usize,
}

impl Ids {
    /// The numbers below a limit.
    pub(super) const fn below(limit: usize) -> Self {
        Self { limit, used: Vec::new(), lowest: 1 }
    }

    /// The lowest free number, which is used from now on. `used` gives those that were used when the
    /// first one was taken.
    pub(super) fn take<I: IntoIterator<Item = u16>>(
        &mut self,
        used: impl FnOnce() -> I,
    ) -> Option<u16> {
        if self.used.is_empty() {
            self.used.resize(self.limit, false);
            for id in used() {
                if let Some(place) = self.used.get_mut(usize::from(id)) {
                    *place = true;
                }
            }
        }
        let free = self.used.get(self.lowest..)?.iter().position(|used| !used)?;
        let id = self.lowest + free;
        if let Some(place) = self.used.get_mut(id) {
            *place = true;
        }
        self.lowest = id + 1;
        u16::try_from(id).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn the_lowest_free_numbers_come_first() {
        let mut ids = Ids::below(6);
        let taken: Vec<_> = std::iter::from_fn(|| ids.take(|| [1, 3, 900])).collect();
        assert_eq!(taken, [2, 4, 5]);
        assert_eq!(Ids::below(0).take(|| []), None);
    }
}
