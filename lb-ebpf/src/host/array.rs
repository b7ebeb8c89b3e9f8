//! A big array of which only the start is used.

use std::vec::Vec;

/// An array without an end: what was never written is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Array<T>(Vec<T>);

impl<T: Copy + Default> Array<T> {
    /// The element at this index.
    #[must_use]
    pub fn get(&self, index: usize) -> T {
        self.0.get(index).copied().unwrap_or_default()
    }

    /// Writes the element at this index.
    pub fn insert(&mut self, index: usize, element: T) {
        if index >= self.0.len() {
            self.0.resize(index + 1, T::default());
        }
        if let Some(place) = self.0.get_mut(index) {
            *place = element;
        }
    }
}

impl<T: Copy + Default> Extend<(usize, T)> for Array<T> {
    fn extend<I: IntoIterator<Item = (usize, T)>>(&mut self, elements: I) {
        for (index, element) in elements {
            self.insert(index, element);
        }
    }
}

impl<T: Copy + Default> FromIterator<(usize, T)> for Array<T> {
    fn from_iter<I: IntoIterator<Item = (usize, T)>>(elements: I) -> Self {
        let mut array = Self(Vec::new());
        array.extend(elements);
        array
    }
}
