//! PURE: smooth weighted round robin, as nginx has it (commit 52327e0627f4, 2012): in each cycle of
//! as many turns as the sum of weights, every target gets as many turns as its weight, spread
//! evenly.

/// The state of the rotation. Weights may change between turns; 0 gets no turn.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    credits: Vec<i64>,
}

impl RoundRobin {
    /// Whose turn it is; `None` if no weight is above 0.
    pub fn next(&mut self, weights: &[u32]) -> Option<usize> {
        self.credits.resize(weights.len(), 0);
        let mut best: Option<usize> = None;
        let mut total = 0;
        for (place, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
            self.credits[place] += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|best| self.credits[place] > self.credits[best]) {
                best = Some(place);
            }
        }
        self.credits[best?] -= total;
        best
    }

    /// Forgets the credits: for targets that came, went, or moved to another place.
    pub fn reset(&mut self) {
        self.credits.clear();
    }
}
