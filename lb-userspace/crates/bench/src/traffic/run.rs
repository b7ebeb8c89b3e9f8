//! A whole run of `xelb bench traffic`: path, plan, sink, packets, counters.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    EgressPath, Plan, Request, Sink, SinkOptions, TrafficError, TrafficOutcome, egress, generate,
    outcome::Run,
};

/// How long the sink waits for packets after the last one was sent.
const SETTLE: Duration = Duration::from_millis(100);

/// A requested run.
#[derive(Clone, Debug)]
pub struct Task {
    /// Interface that packets leave by.
    pub interface: String,
    /// The next hop, if it is given.
    pub mac: Option<[u8; 6]>,
    /// What is sent.
    pub request: Request,
    /// Whether the interface has a program that passes everything meanwhile.
    pub hold: bool,
    /// Where packets are counted on this machine, and the file of the network namespace if that is
    /// another.
    pub sink: Option<(SinkOptions, Option<PathBuf>)>,
}

impl Task {
    /// Checks everything before the first packet; shows the plan to `announce`; ends early, and well,
    /// when `stop` is set.
    pub async fn run(
        self,
        announce: impl FnOnce(&Plan, &EgressPath),
        stop: Arc<AtomicBool>,
    ) -> Result<TrafficOutcome, TrafficError> {
        let Self { interface, mac, request, hold, sink } = self;
        let path = EgressPath::find(&interface, request.to, mac).await?;
        let plan = Plan::new(&request, &path, Plan::cpus()?)?;
        let sink = match sink {
            Some((options, Some(namespace))) => Some(Sink::start_in(&namespace, &options)?),
            Some((options, None)) => Some(Sink::start(&options)?),
            None => None,
        };
        announce(&plan, &path);
        let before = egress::transmitted(path.interface).await?;
        let (sent, plan) = {
            let (interface, path, stop) = (interface.clone(), path.clone(), Arc::clone(&stop));
            tokio::task::spawn_blocking(move || {
                generate(&plan, &path, &interface, hold, &stop).map(|sent| (sent, plan))
            })
            .await
            .map_err(|_| TrafficError::Thread)??
        };
        tokio::time::sleep(SETTLE).await;
        let after = egress::transmitted(path.interface).await?;
        let arrived = sink.map(|sink| sink.arrived()).transpose()?;
        let counted = [
            after.packets.saturating_sub(before.packets),
            after.dropped.saturating_sub(before.dropped),
        ];
        let stopped = stop.load(Ordering::Relaxed);
        let run = Run { interface: &interface, plan: &plan, stopped };
        Ok(TrafficOutcome::new(run, sent, counted, arrived))
    }
}
