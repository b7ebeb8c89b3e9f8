//! Lines that the program in the kernel logs, through aya-log.

use std::time::Duration;

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Prints what the program in the kernel logs: only faults of the agent, so once a second is soon
/// enough.
pub(super) fn follow(ebpf: &mut Ebpf) {
    let mut logger = match EbpfLogger::init(ebpf) {
        Ok(logger) => logger,
        Err(error) => {
            tracing::warn!(%error, "the program in the kernel cannot log");
            return;
        }
    };
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            logger.flush();
        }
    });
}
