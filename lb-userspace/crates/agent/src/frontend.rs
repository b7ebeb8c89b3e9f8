//! The servers that answer requests about the agent outside of its loop: the API and the metrics.
//! The agent knows only this of them.

use std::future::Future;

use lb_dataplane::StatsSource;

use super::AgentHandle;

/// What has its sockets and waits for an agent to answer for.
pub trait Frontend: Send + 'static {
    /// Answers as long as the process lives, in a separate thread.
    fn serve(
        self,
        agent: AgentHandle,
        stats: StatsSource,
    ) -> impl Future<Output = ()> + Send + 'static;
}
