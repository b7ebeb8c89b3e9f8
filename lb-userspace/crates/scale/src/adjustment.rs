//! PURE: how a step or simple policy changes a capacity: the arithmetic and rounding of EC2 Auto
//! Scaling. When a policy applies is not decided here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A change of capacity, in the three adjustment types of EC2 Auto Scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// `ChangeInCapacity`: so many targets more, or fewer if negative.
    Change(i32),
    /// `ExactCapacity`: so many targets.
    Exact(u32),
    /// `PercentChangeInCapacity`: so many percent of the capacity more, or fewer if negative.
    Percent(i32),
}

impl Adjustment {
    /// The capacity after the adjustment, before limits.
    ///
    /// `magnitude_min` is `MinAdjustmentMagnitude`: a percentage changes at least so many targets.
    #[must_use]
    pub fn apply(self, capacity: u32, magnitude_min: u32) -> u32 {
        let change = match self {
            Self::Exact(exact) => return exact,
            Self::Change(change) => i64::from(change),
            Self::Percent(percent) => {
                let change = percent_change(capacity, percent);
                i64::from(percent.signum()) * change.abs().max(i64::from(magnitude_min))
            }
        };
        let adjusted = i64::from(capacity).saturating_add(change).max(0);
        u32::try_from(adjusted).unwrap_or(u32::MAX)
    }

    /// Which of the three types it is; a policy uses one of them for all its steps.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Change(_) => "change",
            Self::Exact(_) => "exact",
            Self::Percent(_) => "percent",
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_neutral(self) -> bool {
        matches!(self, Self::Change(0) | Self::Percent(0))
    }

    /// Whether it makes a capacity smaller, as far as that follows from the adjustment alone.
    #[must_use]
    pub const fn is_decrease(self) -> bool {
        matches!(self, Self::Change(..0) | Self::Percent(..0))
    }
}

/// `percent` of `capacity`, rounded as the EC2 Auto Scaling user guide says ("Scaling adjustment
/// types"): above 1 down, between 0 and 1 to 1, between 0 and -1 to -1, below -1 towards zero.
fn percent_change(capacity: u32, percent: i32) -> i64 {
    let hundredths = i64::from(capacity) * i64::from(percent);
    // Integer division rounds towards zero.
    match hundredths / 100 {
        0 => hundredths.signum(),
        whole => whole,
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(formatter, "{change:+}"),
            Self::Exact(exact) => write!(formatter, "={exact}"),
            Self::Percent(percent) => write!(formatter, "{percent:+}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Adjustment::{Change, Exact, Percent};

    #[test]
    fn capacity_after_an_adjustment() {
        // The four rounding examples of the user guide (12.7 -> 12, 0.67 -> 1, -0.58 -> -1,
        // -6.67 -> -6), its example of MinAdjustmentMagnitude (25 % of 4 is 1, at least 2), its
        // 10-target group with +10 % and +30 %, and the edges.
        let cases: &[(u32, Adjustment, u32, u32)] = &[
            (127, Percent(10), 0, 139),
            (67, Percent(1), 0, 68),
            (58, Percent(-1), 0, 57),
            (667, Percent(-1), 0, 661),
            (4, Percent(25), 2, 6),
            (4, Percent(25), 0, 5),
            (10, Percent(10), 0, 11),
            (10, Percent(30), 0, 13),
            (10, Percent(-10), 0, 9),
            (10, Percent(-30), 0, 7),
            (10, Percent(-10), 3, 7),
            (100, Percent(1), 0, 101),
            (10, Percent(0), 5, 10),
            (0, Percent(50), 0, 0),
            (0, Percent(50), 2, 2),
            (3, Percent(-200), 0, 0),
            (5, Change(3), 0, 8),
            (5, Change(3), 9, 8),
            (5, Change(-3), 0, 2),
            (2, Change(-3), 0, 0),
            (u32::MAX, Change(1), 0, u32::MAX),
            (5, Exact(9), 0, 9),
            (5, Exact(0), 3, 0),
        ];
        for &(capacity, adjustment, magnitude_min, expected) in cases {
            let adjusted = adjustment.apply(capacity, magnitude_min);
            assert_eq!(adjusted, expected, "{capacity} {adjustment} at least {magnitude_min}");
        }
    }

    #[test]
    fn adjustments_print_as_they_are_configured() {
        let printed = [Change(2), Change(-1), Exact(3), Percent(10), Percent(-5)];
        assert_eq!(printed.map(|a| a.to_string()), ["+2", "-1", "=3", "+10%", "-5%"]);
    }
}
