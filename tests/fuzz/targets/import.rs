//! Configurations of other balancers: what the importer writes is read by xelb, or the importer says why not.
//!
//! An input is the format (1 byte) and the text.
#![no_main]

use lb_import::{Format, import};
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 3] = [Format::Ipvs, Format::Keepalived, Format::Haproxy];

fuzz_target!(|input: (u8, &str)| {
    let (format, text) = input;
    let Ok(imported) = import(FORMATS[usize::from(format) % FORMATS.len()], text) else { return };
    if imported.errors().is_none() {
        let read = lb_config::parse(imported.text(), "imported.yaml");
        assert!(read.is_ok(), "it is said to be good, and xelb refuses it: {:?}", read.err());
    }
});
