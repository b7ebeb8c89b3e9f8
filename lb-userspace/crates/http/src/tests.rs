//! The engine as a whole: exchanges through both sides, and random bytes.

mod exchanges;
mod leniency;
mod lenient_reader;
mod persistence;
mod random_bytes;
mod relay;
mod reuse;
mod single_reading;
