//! One metric: its name, type, labels and help, and how its samples are written. Which metrics there
//! are is said in the catalogue.

use std::fmt;

use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeLabel as _, EncodeLabelSet, LabelSetEncoder, MetricEncoder,
        NoLabelSet,
    },
    metrics::MetricType,
    registry::Unit,
};

use super::Observation;

/// The types that are used, of those that OpenMetrics has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows; its name ends with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values are below each of several bounds.
    Histogram,
    /// Always 1: its labels say something; its name ends with `_info`.
    Info,
}

/// One metric, whose samples are made from an observation `O`.
pub(super) struct Family<O: 'static = Observation> {
    /// As it is exported, with all its suffixes.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The labels of every sample, in this order.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    /// Writes its samples.
    pub(super) samples: fn(&O, &mut Samples<'_>) -> fmt::Result,
}

/// A value in one of two formats.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// Takes the samples of one metric.
pub(super) struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    kind: Kind,
    labels: &'static [&'static str],
}

impl Samples<'_> {
    /// One sample: the values of its labels, in the order of the family's, and its value, which of
    /// [`Kind::Info`] is always 1.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Into<Value>) -> fmt::Result {
        if labels.len() != self.labels.len() {
            return Err(fmt::Error);
        }
        let pairs = Pairs { names: self.labels, values: labels };
        match (self.kind, value.into()) {
            (Kind::Info, _) => self.encoder.encode_info(&pairs),
            (kind, value) if labels.is_empty() => encode(&mut self.encoder, kind, value),
            (kind, value) => encode(&mut self.encoder.encode_family(&pairs)?, kind, value),
        }
    }

    /// A histogram with labels: the sum of its values, and bounds with how many values are between each and
    /// the one before.
    pub(super) fn add_histogram(
        &mut self,
        labels: &[&str],
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        if labels.len() != self.labels.len() {
            return Err(fmt::Error);
        }
        let pairs = Pairs { names: self.labels, values: labels };
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut encoder = self.encoder.encode_family(&pairs)?;
        encoder.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
    }
}

fn encode(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => {
            encoder.encode_counter::<NoLabelSet, u64, u64>(&value, None)
        }
        (Kind::Counter, Value::Real(value)) => {
            encoder.encode_counter::<NoLabelSet, f64, u64>(&value, None)
        }
        (_, Value::Whole(value)) => encoder.encode_gauge(&value),
        (_, Value::Real(value)) => encoder.encode_gauge(&value),
    }
}

/// Names and values of labels.
struct Pairs<'a> {
    names: &'a [&'static str],
    values: &'a [&'a str],
}

impl EncodeLabelSet for Pairs<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.names
            .iter()
            .zip(self.values)
            .try_for_each(|(name, value)| (*name, *value).encode(encoder.encode_label()))
    }
}

impl<O> Family<O> {
    /// Writes the metric with all its samples.
    pub(super) fn encode(&self, seen: &O, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (stem, unit) = self.stem();
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let encoder = encoder.encode_descriptor(stem, self.help, unit.as_ref(), kind)?;
        (self.samples)(seen, &mut Samples { encoder, kind: self.kind, labels: self.labels })
    }

    /// Its name without the suffixes that the encoder adds, and its unit.
    fn stem(&self) -> (&'static str, Option<Unit>) {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let name = self.name.strip_suffix(suffix).unwrap_or(self.name);
        let units = [("_bytes", Unit::Bytes), ("_seconds", Unit::Seconds)];
        let found = units.into_iter().find_map(|(end, unit)| Some((name.strip_suffix(end)?, unit)));
        found.map_or((name, None), |(stem, unit)| (stem, Some(unit)))
    }
}
