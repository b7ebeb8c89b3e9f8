//! The agent's side: creates device, route and rule if a check needs them, repairs them, and
//! removes them at the end.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use lb_plan::warning::Warning;
use nix::net::if_::if_nametoindex;
use tokio::task::JoinHandle;

use super::{
    TunnelError,
    frame_socket::FrameSocket,
    instance::Instance,
    probe_path::ProbePaths,
    routing::{self, Families},
    shared::{NOT_MADE, Shared},
    tun_device::Device,
    tun_reader,
};

/// Time between two attempts to create or repair what is missing.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps the tunnel for probes open. Dropping it closes the tunnel.
#[derive(Debug)]
pub struct TunnelSetup {
    shared: Arc<Shared>,
    /// Families of the VIPs that are probed; none means that there is nothing to do.
    wanted: Families,
    tun_reader: Option<TunReader>,
    /// Where there may be rules of this agent.
    ruled: Option<Instance>,
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct TunReader {
    task: JoinHandle<io::Error>,
    instance: Instance,
    /// Index of the device.
    index: u32,
    /// What rules and routes are there for.
    installed: Families,
}

impl Default for TunnelSetup {
    fn default() -> Self {
        Self::new()
    }
}

impl TunnelSetup {
    /// Nothing is made yet. Rules that an agent before left when it was killed are removed.
    #[must_use]
    pub fn new() -> Self {
        // With its device, another agent lives.
        let free = |instance: &Instance| if_nametoindex(instance.device().as_str()).is_err();
        for instance in Instance::all().filter(free) {
            if let Err(error) = routing::remove(instance) {
                tracing::debug!(%error, "cannot check for routing rules of a previous agent");
            }
        }
        Self {
            shared: Arc::new(Shared::new()),
            wanted: Families::default(),
            tun_reader: None,
            ruled: None,
            retry_at: None,
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sets the probe paths. Opens the tunnel for the first ones, and closes it after the last. Needs
    /// a tokio runtime.
    pub fn update(&mut self, table: ProbePaths) {
        if *self.shared.table() == table {
            return;
        }
        self.wanted = Families::of(table.probe_paths.values().map(|path| path.vip.ip()));
        self.shared.set_table(table);
        self.repair(Instant::now());
    }

    /// Creates and repairs what is missing; to be called about every second.
    pub fn repair(&mut self, now: Instant) {
        if self.wanted.is_empty() {
            self.close();
            self.retry_at = None;
            return;
        }
        self.drop_ended_reader();
        let wanted = self.wanted;
        let whole =
            self.tun_reader.as_ref().is_some_and(|tun_reader| tun_reader.installed == wanted);
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
                    tracing::info!("health checks via tunnel: the probe path works");
                }
                self.shared.set_fault(None);
                self.retry_at = whole.then(|| now + RETRY);
            }
            Err(error) => {
                self.complain(&error);
                // What cannot be repaired is created again: the device may have been deleted, and
                // there is no event for that.
                self.retry_at = match self.tun_reader.take() {
                    Some(tun_reader) => {
                        tun_reader.task.abort();
                        None
                    }
                    None => Some(now + RETRY),
                };
            }
        }
    }

    /// Warnings.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.shared.warnings()
    }

    /// Drops a carrier that has ended: the device was removed.
    fn drop_ended_reader(&mut self) {
        let Some(tun_reader) = self.tun_reader.take_if(|tun_reader| tun_reader.task.is_finished())
        else {
            return;
        };
        if let Some(Ok(error)) = tun_reader.task.now_or_never() {
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
        if let Some(tun_reader) = &mut self.tun_reader {
            routing::install(tun_reader.instance, tun_reader.index, wanted)?;
            tun_reader.installed = wanted;
            return Ok(());
        }
        let frames = FrameSocket::open()?;
        let device = Device::make()?;
        let (instance, index) = (device.instance, device.index);
        // From here on the lane is this agent's, and so are its rules.
        self.remove_rules();
        self.ruled = Some(instance);
        routing::remove(instance)?;
        routing::install(instance, index, wanted)?;
        self.shared.set_mark(instance.mark());
        let task = tokio::spawn(tun_reader::carry(device, frames, Arc::clone(&self.shared)));
        self.tun_reader = Some(TunReader { task, instance, index, installed: wanted });
        Ok(())
    }

    fn remove_rules(&mut self) {
        if let Some(instance) = self.ruled.take()
            && let Err(error) = routing::remove(instance)
        {
            tracing::warn!("health checks via tunnel: {error}; remove it with `ip rule del`");
        }
    }

    fn close(&mut self) {
        // The device goes with the task, and the routes with the device.
        if let Some(tun_reader) = self.tun_reader.take() {
            tun_reader.task.abort();
        }
        self.remove_rules();
        self.shared.set_fault(Some(NOT_MADE.to_owned()));
    }
}

impl Drop for TunnelSetup {
    fn drop(&mut self) {
        self.close();
    }
}
