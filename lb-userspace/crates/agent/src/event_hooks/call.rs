//! The task of a hook: it gathers events, calls, and counts. The agent's loop never waits for it.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lb_config::{EventCall, EventHook, EventWebhook, Verify};
use lb_drivers::{ExecDriver, WebhookNotifier, header_fields};
use lb_files::private_file::read_private;
use lb_health::tls;
use lb_scaling::DriverContext;
use tokio::{
    sync::{Notify, Semaphore},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{
    message::{HookEvent, body},
    queue::Queue,
};
use crate::config_file::webhook_secret;

/// What happens within this time is one call.
const GATHER: Duration = Duration::from_millis(200);
/// Wait before a webhook is called again; it doubles.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// How often a hook that goes on failing is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What the loop and the task of a hook share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    outcome: Mutex<Outcome>,
    wake: Notify,
}

/// How its calls went.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Failures since the last success.
    pub(super) failed_in_a_row: u64,
    pub(super) last_error: String,
    /// When the failure was logged last, by the warning or here.
    logged_at: Option<Instant>,
}

impl Shared {
    pub(super) fn push(&self, event: HookEvent, now: Instant) {
        self.queue().push(event, now);
        self.wake.notify_one();
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn some(&self) {
        while self.queue().waiting() == 0 {
            self.wake.notified().await;
        }
    }

    fn record(&self, hook: &str, result: Result<(), String>, now: Instant) {
        let mut outcome = self.outcome();
        let Err(error) = result else {
            *outcome = Outcome {
                succeeded: outcome.succeeded + 1,
                failed: outcome.failed,
                ..Outcome::default()
            };
            return;
        };
        outcome.failed += 1;
        outcome.failed_in_a_row += 1;
        // The first failure is a warning, which is logged when it begins and when it has ended.
        let since = *outcome.logged_at.get_or_insert(now);
        if now.saturating_duration_since(since) >= LOG_INTERVAL {
            tracing::warn!("event hook {hook} fails: {error}");
            outcome.logged_at = Some(now);
        }
        outcome.last_error = error;
    }
}

/// Calls a hook whenever there are events, until it is dropped.
pub(super) async fn run(
    hook: EventHook,
    host: String,
    shared: Arc<Shared>,
    context: DriverContext,
    places: Arc<Semaphore>,
) {
    for call in 0u64.. {
        shared.some().await;
        sleep(GATHER).await;
        let (events, lost) = shared.queue().take();
        let body = body(&hook.name, &host, lost, &events);
        let key = format!("{}-{}-{call}", hook.name, std::process::id());
        let result = match &hook.call {
            EventCall::Exec(words) => {
                let _place = places.acquire().await.ok();
                exec(words, &body, hook.timeout, &context).await
            }
            EventCall::Webhook(webhook) => post(webhook, &body, &key, hook.timeout, &places).await,
        };
        shared.record(&hook.name, result, Instant::now());
    }
}

/// Runs a program once: what it has done before it failed is not known.
async fn exec(
    words: &[String],
    body: &[u8],
    deadline: Duration,
    context: &DriverContext,
) -> Result<(), String> {
    let Some((path, arguments)) = words.split_first() else {
        return Err("names no program".to_owned());
    };
    let (path, context) = (path.clone(), context.clone());
    let program = spawn_blocking(move || context.program(Path::new(&path))).await;
    let program: ExecDriver = program.map_err(|error| error.to_string())??;
    let program = program.with_arguments(arguments.to_vec());
    program.run_hook(body, deadline).await.map_err(|error| error.message)
}

/// Calls a server, several times where another try may help.
async fn post(
    webhook: &EventWebhook,
    body: &[u8],
    key: &str,
    deadline: Duration,
    places: &Semaphore,
) -> Result<(), String> {
    let mut wait = RETRY_WAIT;
    let mut left = webhook.retries;
    loop {
        let error = {
            let _place = places.acquire().await.ok();
            let attempt = async {
                let webhook = webhook.clone();
                // Secrets are read each time: they may have been replaced.
                let notifier = spawn_blocking(move || notifier(&webhook)).await;
                let notifier = notifier.map_err(|error| (error.to_string(), false))?;
                let notifier = notifier.map_err(|error| (error, false))?;
                let posted = notifier.post(body.to_vec(), key).await;
                posted.map_err(|error| (error.message, error.is_transient))
            };
            match timeout(deadline, attempt).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_elapsed) => (format!("no answer within {deadline:?}"), true),
            }
        };
        let (message, again) = error;
        if !again || left == 0 {
            return Err(format!("{}: {message}", without_path(&webhook.url)));
        }
        left -= 1;
        sleep(wait).await;
        wait *= 2;
    }
}

fn notifier(webhook: &EventWebhook) -> Result<WebhookNotifier, String> {
    let secret = webhook.secret_file.as_deref().map(webhook_secret).transpose()?;
    let headers = match &webhook.headers_file {
        Some(file) => {
            let text = read_private(file).map_err(|error| error.to_string())?;
            header_fields(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
        None => header_fields("")?,
    };
    let verify = webhook.ca.clone().map_or(Verify::System, Verify::File);
    let tls = Arc::new(tls::client_builder(&verify)?.with_no_client_auth());
    WebhookNotifier::new(&webhook.url, secret, headers, tls)
}

/// Scheme and host of a URL: paths of chats are passwords.
fn without_path(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end =
        url.get(host..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or_default()
}
