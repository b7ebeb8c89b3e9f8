//! Numbers of groups, targets and listeners: kept while the thing exists, lowest free one for a
//! new thing.
//!
//! A number that the previous tables use for anything is never free, also when that thing is about
//! to go: packets in flight may still carry it.

/// The numbers of one kind.
pub(super) struct Ids {
    used: Vec<bool>,
    /// All lower numbers are used.
    lowest: usize,
}

impl Ids {
    /// The numbers from 1 to `limit - 1`, without those that are used.
    pub(super) fn new(used: impl Iterator<Item = u16>, limit: usize) -> Self {
        let mut ids = Self { used: vec![false; limit], lowest: 1 };
        for id in used {
            if let Some(place) = ids.used.get_mut(usize::from(id)) {
                *place = true;
            }
        }
        ids
    }

    /// The lowest free number, which is used from now on.
    pub(super) fn take(&mut self) -> Option<u16> {
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
        let mut ids = Ids::new([1, 3, 900].into_iter(), 6);
        let taken: Vec<_> = std::iter::from_fn(|| ids.take()).collect();
        assert_eq!(taken, [2, 4, 5]);
        assert_eq!(Ids::new([].into_iter(), 0).take(), None);
    }
}
