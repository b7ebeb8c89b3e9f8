//! PURE: what a metric says: a value, nothing, or that it could not be read. Where samples come
//! from is not decided here.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// One reading of a metric.
///
/// The three cases are kept apart, because only a value may remove targets: an empty answer or an
/// error is not a load of zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// A finite number that is not negative. [`Sample::checked`] turns others into errors.
    Value(f64),
    /// The source answered, and has nothing for this period.
    Empty,
    /// The source could not be read, or gave no usable number.
    Error(String),
}

impl Sample {
    /// The sample with NaN, infinite and negative values as errors. Every decision begins with it.
    #[must_use]
    pub fn checked(&self) -> Self {
        match self {
            Self::Value(value) if !value.is_finite() || *value < 0.0 => {
                Self::Error(format!("{value} is not a load: it must be finite and not negative"))
            }
            // -0.0 prints as "-0".
            Self::Value(value) => Self::Value(value.abs()),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value}"),
            Self::Empty => formatter.write_str("empty"),
            Self::Error(error) => write!(formatter, "error: {error}"),
        }
    }
}

/// What is known of one metric of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The work of the whole group, as the data path and the proxy count it, in units a second.
    Total {
        /// The sum over all targets.
        sample: Sample,
        /// Whether targets are saturated. Then they hide demand, and the total is a lower bound.
        saturated: bool,
    },
    /// What each target reports of itself, for example a share of its CPU time; by member name.
    Reports(BTreeMap<String, Sample>),
}

impl Reading {
    /// A total of unsaturated targets.
    #[must_use]
    pub const fn total(value: f64) -> Self {
        Self::Total { sample: Sample::Value(value), saturated: false }
    }
}

/// The readings of one decision, by metric name. A metric that is missing counts as an error.
pub type Samples = BTreeMap<String, Reading>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_load_is_an_error() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
            let checked = Sample::Value(value).checked();
            assert!(matches!(checked, Sample::Error(_)), "{value}: {checked}");
        }
        for sample in [Sample::Value(0.0), Sample::Value(f64::MAX), Sample::Empty] {
            assert_eq!(sample.checked(), sample);
        }
        assert_eq!(Sample::Value(-0.0).checked().to_string(), "0");
    }
}
