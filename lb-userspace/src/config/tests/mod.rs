//! Tests of the configuration: good ones, wrong ones, edits, files, and noise.

mod edits;
mod files;
mod good;
mod noise;
mod wrong;

use super::{Checked, ConfigErrors, parse};

/// A good configuration; wrong ones are made from it.
const BASE: &str = include_str!("base.yaml");

fn read(text: &str) -> Result<Checked, ConfigErrors> {
    parse(text, "xelb.yaml").map(|(_, config, warnings)| (config, warnings))
}
