//! The agent's side: makes device, route and rule when some check wants them, mends them, and takes
//! them away in the end.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use nix::net::if_::if_nametoindex;
use tokio::task::JoinHandle;

use super::{
    TunnelError,
    aim::AimTable,
    carrier,
    device::Device,
    frames::FrameSocket,
    lane::Lane,
    rules::{self, Families},
    shared::{NOT_MADE, Shared},
};
use crate::warning::Warning;

/// Between two attempts to make or mend what is missing.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps the data path's way open for probes. Dropping it closes the way.
#[derive(Debug)]
pub struct TunnelKeeper {
    shared: Arc<Shared>,
    /// Families of the VIPs that are probed; none means that there is nothing to do.
    wanted: Families,
    carrier: Option<Carrier>,
    /// Where there may be rules of this agent.
    ruled: Option<Lane>,
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Carrier {
    task: JoinHandle<io::Error>,
    lane: Lane,
    /// Index of the device.
    index: u32,
    /// What rules and routes are there for.
    installed: Families,
}

impl Default for TunnelKeeper {
    fn default() -> Self {
        Self::new()
    }
}

impl TunnelKeeper {
    /// Nothing is made yet. Rules that an agent before left when it was killed are removed.
    #[must_use]
    pub fn new() -> Self {
        // With its device, another agent lives.
        let free = |lane: &Lane| if_nametoindex(lane.device().as_str()).is_err();
        for lane in Lane::all().filter(free) {
            if let Err(error) = rules::remove(lane) {
                tracing::debug!(%error, "no look for routing rules of a former agent");
            }
        }
        Self {
            shared: Arc::new(Shared::new()),
            wanted: Families::default(),
            carrier: None,
            ruled: None,
            retry_at: None,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where probes go from now on. Makes the way when there are the first ones, closes it after
    /// the last. Needs a tokio runtime.
    pub fn update(&mut self, table: AimTable) {
        if *self.shared.table() == table {
            return;
        }
        self.wanted = Families::of(table.aims.values().map(|aim| aim.vip.ip()));
        self.shared.set_table(table);
        self.tend(Instant::now());
    }

    /// Makes and mends what is missing; to be called every second or so.
    pub fn tend(&mut self, now: Instant) {
        if self.wanted.is_empty() {
            self.close();
            self.retry_at = None;
            return;
        }
        self.bury();
        let wanted = self.wanted;
        let whole = self.carrier.as_ref().is_some_and(|carrier| carrier.installed == wanted);
        // A new family does not wait; what has failed does.
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        if whole && !self.shared.take_astray() {
            return;
        }
        match self.open() {
            Ok(()) => {
                if self.shared.fault().is_some() {
                    tracing::info!("health checks via tunnel: the way is open");
                }
                self.shared.set_fault(None);
                self.retry_at = whole.then(|| now + RETRY);
            }
            Err(error) => {
                self.complain(&error);
                // What cannot be mended is made anew: the device may have been deleted, of which
                // nobody tells.
                self.retry_at = match self.carrier.take() {
                    Some(carrier) => {
                        carrier.task.abort();
                        None
                    }
                    None => Some(now + RETRY),
                };
            }
        }
    }

    /// What people must be told.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.shared.warnings()
    }

    /// Lets go of a carrier that has ended: the device is gone.
    fn bury(&mut self) {
        let Some(carrier) = self.carrier.take_if(|carrier| carrier.task.is_finished()) else {
            return;
        };
        if let Some(Ok(error)) = carrier.task.now_or_never() {
            self.complain(&TunnelError::Gone(error));
        }
    }

    /// Says what is wrong, once.
    fn complain(&self, error: &TunnelError) {
        let fault = error.to_string();
        if self.shared.fault().as_ref() != Some(&fault) {
            // The agent logs it as a warning, once.
            tracing::debug!("health checks via tunnel: {fault}");
        }
        self.shared.set_fault(Some(fault));
    }

    fn open(&mut self) -> Result<(), TunnelError> {
        let wanted = self.wanted;
        if let Some(carrier) = &mut self.carrier {
            rules::install(carrier.lane, carrier.index, wanted)?;
            carrier.installed = wanted;
            return Ok(());
        }
        let frames = FrameSocket::open()?;
        let device = Device::make()?;
        let (lane, index) = (device.lane, device.index);
        // From here on the lane is this agent's, and so are its rules.
        self.remove_rules();
        self.ruled = Some(lane);
        rules::remove(lane)?;
        rules::install(lane, index, wanted)?;
        self.shared.set_mark(lane.mark());
        let task = tokio::spawn(carrier::carry(device, frames, Arc::clone(&self.shared)));
        self.carrier = Some(Carrier { task, lane, index, installed: wanted });
        Ok(())
    }

    fn remove_rules(&mut self) {
        if let Some(lane) = self.ruled.take()
            && let Err(error) = rules::remove(lane)
        {
            tracing::warn!("health checks via tunnel: {error}; remove it with `ip rule del`");
        }
    }

    fn close(&mut self) {
        // The device goes with the task, and the routes with the device.
        if let Some(carrier) = self.carrier.take() {
            carrier.task.abort();
        }
        self.remove_rules();
        self.shared.set_fault(Some(NOT_MADE.to_owned()));
    }
}

impl Drop for TunnelKeeper {
    fn drop(&mut self) {
        self.close();
    }
}
