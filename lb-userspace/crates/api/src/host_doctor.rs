//! What `xelb doctor` finds on the host of the agent, for the API. What looks at the host is given by the
//! agent's program; here is only how often and how long.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::timeout};
use utoipa::ToSchema;

/// How long findings are given to everybody who asks: the host is not looked at more often.
const FRESH: Duration = Duration::from_secs(2);

/// The longest time that a look may take; clients wait for 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// What one check found on the host of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// How bad it is.
    pub severity: FindingSeverity,
    /// The check's stable name.
    pub check: String,
    /// What was checked: `host`, `agent`, `data path`, an interface, a target.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do; nothing when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingSeverity {
    /// As it should be.
    Ok,
    /// It works, but slowly, or not for all clients, or it cannot be checked from here.
    Warning,
    /// Packets are lost, or will be.
    Error,
}

/// Why there are no findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookError {
    /// Whether somebody has to correct something first, such as to configure an interface.
    pub is_usage: bool,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A look at the host.
pub type Look = Pin<Box<dyn Future<Output = Result<Vec<FindingView>, LookError>> + Send>>;

/// What the last look has found, and when.
type Last = Option<(Instant, Vec<FindingView>)>;

/// What looks at the host, one look at a time, and the last findings.
#[derive(Clone)]
pub struct HostDoctor {
    look: Arc<dyn Fn() -> Look + Send + Sync>,
    last: Arc<Mutex<Last>>,
    patience: Duration,
}

impl fmt::Debug for HostDoctor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HostDoctor").finish_non_exhaustive()
    }
}

impl HostDoctor {
    /// One that looks in this way.
    pub fn new(look: impl Fn() -> Look + Send + Sync + 'static) -> Self {
        Self { look: Arc::new(look), last: Arc::default(), patience: PATIENCE }
    }

    /// One for an agent that cannot look at its host.
    pub(super) fn absent() -> Self {
        let message = "this agent cannot look at its host; run `xelb doctor` there".to_owned();
        let error = LookError { is_usage: false, message };
        Self::new(move || Box::pin(std::future::ready(Err(error.clone()))))
    }

    /// The findings of a look, or of one that is not older than [`FRESH`].
    pub(super) async fn findings(&self) -> Result<Vec<FindingView>, LookError> {
        let doctor = self.clone();
        // Goes on when the client has gone: the next one gets what it finds.
        let look = tokio::spawn(async move {
            let mut last = doctor.last.lock().await;
            if let Some((at, findings)) = &*last
                && at.elapsed() < FRESH
            {
                return Ok(findings.clone());
            }
            let findings = (doctor.look)().await?;
            *last = Some((Instant::now(), findings.clone()));
            Ok(findings)
        });
        let failed = |message: String| LookError { is_usage: false, message };
        match timeout(self.patience, look).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!(
                "looking at the host takes longer than {} s; try again, the host may be busy",
                self.patience.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counting(looks: &Arc<AtomicUsize>, takes: Duration) -> HostDoctor {
        let looks = Arc::clone(looks);
        HostDoctor::new(move || {
            let number = looks.fetch_add(1, Ordering::SeqCst) + 1;
            Box::pin(async move {
                tokio::time::sleep(takes).await;
                let message = format!("look {number}");
                let (check, subject) = ("kernel".to_owned(), "host".to_owned());
                let severity = FindingSeverity::Ok;
                Ok(vec![FindingView { severity, check, subject, message, remedy: None }])
            })
        })
    }

    #[tokio::test]
    async fn many_who_ask_share_a_look() {
        let looks = Arc::default();
        let doctor = counting(&looks, Duration::from_millis(50));
        let one = || async { doctor.findings().await.unwrap()[0].message.clone() };
        let (first, second, third) = tokio::join!(one(), one(), one());
        assert_eq!([first, second, third], ["look 1", "look 1", "look 1"]);
        assert_eq!(looks.load(Ordering::SeqCst), 1);
        // Later, it is looked again.
        if let Some((at, _)) = &mut *doctor.last.lock().await {
            *at = at.checked_sub(FRESH).unwrap();
        }
        assert_eq!(one().await, "look 2");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_an_error() {
        let looks = Arc::default();
        let mut doctor = counting(&looks, Duration::from_hours(1));
        doctor.patience = Duration::from_millis(50);
        for _ in 0..2 {
            let error = doctor.findings().await.unwrap_err();
            assert!(error.message.contains("takes longer than 0 s"), "{error:?}");
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1, "the first one still looks");
    }

    #[tokio::test]
    async fn an_agent_that_cannot_look_says_so() {
        let error = HostDoctor::absent().findings().await.unwrap_err();
        assert!(error.message.contains("run `xelb doctor` there"), "{error:?}");
    }
}
