//! PURE: the text of a scrape, from what was observed and the list of all metrics.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

use super::{Observation, catalogue, proxy_observation::ProxyObservation};

/// Room that a sample takes in the text, about; only saves copying while the text grows.
const SAMPLE_BYTES: usize = 90;

impl Observation {
    /// The text of the scrape, in the format OpenMetrics 1.0.
    pub fn into_text(self) -> Result<String, fmt::Error> {
        let samples = 500 + 10 * self.targets.len() + 5 * self.snapshot.listeners.len();
        let mut text = String::with_capacity(samples * SAMPLE_BYTES);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Observation {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        catalogue::families().try_for_each(|family| family.encode(self, &mut encoder))
    }
}

impl ProxyObservation {
    /// The text of the scrape, in the format OpenMetrics 1.0.
    pub(super) fn into_text(self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for ProxyObservation {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        catalogue::of_proxy().try_for_each(|family| family.encode(self, &mut encoder))
    }
}
