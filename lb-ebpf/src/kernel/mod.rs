//! The kernel side of the two traits, for the binaries only: kept tiny, since host tests cannot see
//! it. Everything unsafe of the data path is here.

mod atomic;
mod direct;
pub(crate) mod frame;
mod listeners;
pub(crate) mod maps;
mod mask;
mod memory;
mod nat;
mod nat_stages;
pub(crate) mod programs;
pub(crate) mod run;
pub(crate) mod settings;
mod stages;
mod tables;
