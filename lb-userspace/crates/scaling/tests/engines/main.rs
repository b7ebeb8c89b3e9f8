//! Drivers against what they drive. Needs root.

mod checked;
mod podman;
mod scaled;
