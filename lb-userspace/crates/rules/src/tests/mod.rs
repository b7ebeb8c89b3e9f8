//! Tests of several modules together.

mod agreement;
mod changes;
mod faults;
mod rules;
mod semantics;
mod shadows;
