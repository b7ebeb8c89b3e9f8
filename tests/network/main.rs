//! Network tests: real hosts in network namespaces, real servers and clients, observed where
//! packets arrive. They need root and the programs that `cargo xtask setup` installs; without them
//! they fail, they are not skipped.
//!
//! One lab stands at a time: the tests measure times, and a machine may have few cores.

mod lab;

use std::sync::{Mutex, MutexGuard, PoisonError};

use lb_tests::{Lab, requirements};

static MACHINE: Mutex<()> = Mutex::new(());

/// The machine to oneself; a test that failed does not keep it.
fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `body` in a lab of its own.
fn in_lab<T: Send + 'static>(
    targets: u8,
    body: impl FnOnce(&mut Lab) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let _machine = machine();
    requirements::check(requirements::TEST_TOOLS)?;
    lb_tests::lab::run(targets, body)
}
