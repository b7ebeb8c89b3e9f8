//! Hooks that are called: programs and servers, good and bad ones.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use lb_config::EventWebhook;
use lb_health::{ExecUser, Programs};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{sleep, timeout},
};

use super::*;

const LONG: Duration = Duration::from_secs(30);

fn hooks() -> EventHooks {
    EventHooks::new(DriverContext {
        programs: Programs::Anywhere,
        user: ExecUser::find("root").unwrap(),
        state_dir: PathBuf::new(),
        read_secret: crate::config_file::webhook_secret,
    })
}

fn exec(folder: &Path, script: &str) -> EventCall {
    let program = folder.join("program");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    EventCall::Exec(vec![program.display().to_string(), folder.display().to_string()])
}

fn hook(call: EventCall, timeout: Duration) -> EventHook {
    let events = vec![EventName::AgentStarted, EventName::WarningRaised];
    EventHook { name: "pager".to_owned(), events, call, timeout }
}

async fn until(hooks: &EventHooks, wanted: impl Fn(&EventHookView) -> bool) -> EventHookView {
    let wait = async {
        loop {
            let view = hooks.views().remove(0);
            if wanted(&view) {
                return view;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{:?}", hooks.views()))
}

#[tokio::test]
async fn a_storm_is_one_call_and_other_events_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = hooks();
    let call = exec(folder.path(), "cat >> $1/seen; echo >> $1/seen");
    hooks.configure(&[hook(call, LONG)]);
    for number in 0..50 {
        hooks.say(EventName::AgentStarted, number.to_string());
        hooks.say(EventName::ConfigurationApplied, "other");
    }
    let view = until(&hooks, |view| view.succeeded == 1).await;
    assert_eq!((view.failed, view.waiting, view.calls.as_str()), (0, 0, "exec"));
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["events"].as_array().unwrap().len(), 50);
    assert_eq!((&seen["version"], &seen["hook"]), (&1.into(), &"pager".into()));
    assert_eq!(seen["events"][49]["text"], "49");
    assert!(hooks.warnings(Instant::now()).is_empty());
    // The same hook goes on, another one starts anew.
    let call = exec(folder.path(), "true");
    hooks.configure(&[hook(call.clone(), LONG)]);
    assert_eq!(hooks.views()[0].succeeded, 1);
    hooks.configure(&[EventHook { name: "other".to_owned(), ..hook(call, LONG) }]);
    assert_eq!(hooks.views()[0].succeeded, 0);
}

#[tokio::test]
async fn a_program_that_fails_or_hangs_is_a_warning_until_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = hooks();
    let script = "test -e $1/good && exit 0; test -e $1/hang && { sleep 1000 & echo $! > $1/pid; wait; }; \
                  echo 'no pager' >&2; exit 3";
    let second = Duration::from_secs(1);
    hooks.configure(&[hook(exec(folder.path(), script), second)]);
    hooks.say(EventName::AgentStarted, "");
    let view = until(&hooks, |view| view.failed == 1).await;
    assert!(view.last_error.ends_with("program: it exits with code 3: no pager"), "{view:?}");
    let [warning] = hooks.warnings(Instant::now()).try_into().unwrap();
    assert_eq!((warning.kind, warning.subject.as_str()), (WarningKind::EventHookFails, "pager"));
    // A hook is not called for its own failure.
    hooks.warned(&WarningChanges { begun: vec![warning], ended: vec![] });
    assert_eq!(hooks.views()[0].waiting, 0);

    fs::write(folder.path().join("hang"), "").unwrap();
    hooks.say(EventName::AgentStarted, "");
    let view = until(&hooks, |view| view.failed == 2).await;
    assert!(view.last_error.ends_with("has not ended in time; killed"), "{view:?}");
    let child = fs::read_to_string(folder.path().join("pid")).unwrap();
    let alive = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    timeout(LONG, async {
        while alive() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the whole process group is killed");

    fs::write(folder.path().join("good"), "").unwrap();
    hooks.say(EventName::AgentStarted, "");
    let view = until(&hooks, |view| view.succeeded == 1).await;
    assert_eq!((view.failed, view.last_error.as_str()), (2, ""));
    assert!(hooks.warnings(Instant::now()).is_empty());
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest_events_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut hooks = hooks();
    hooks.configure(&[hook(exec(folder.path(), "sleep 1000"), LONG)]);
    hooks.say(EventName::AgentStarted, "first");
    until(&hooks, |view| view.waiting == 0).await;
    let begun = Instant::now();
    for _ in 0..queue::WAITING_MAX + 7 {
        hooks.say(EventName::AgentStarted, "");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "the loop would have waited");
    let view = &hooks.views()[0];
    assert_eq!((view.waiting, view.lost), (1000, 7));
    let [warning] = hooks.warnings(Instant::now()).try_into().unwrap();
    assert_eq!(warning.kind, WarningKind::EventHookOverflows);
    assert_eq!(
        warning.text,
        "event hook pager: 7 events were dropped, since 1000 waited for the hook"
    );
}

/// A server that answers with these statuses in turn; what it was sent.
async fn server(statuses: &'static [u16]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
    let serve = async move {
        let mut seen = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}]}") {
                let mut part = [0; 4096];
                let count = stream.read(&mut part).await.unwrap();
                assert!(count > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&part[..count]);
            }
            let answer =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen.push(String::from_utf8(request).unwrap());
        }
        seen
    };
    (url, tokio::spawn(serve))
}

fn private(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test]
async fn a_webhook_is_called_again_when_that_may_help() {
    let folder = tempfile::tempdir().unwrap();
    let (url, served) = server(&[503, 204]).await;
    let webhook = EventWebhook {
        url,
        secret_file: Some(private(folder.path(), "secret", "key")),
        headers_file: Some(private(folder.path(), "headers", "Authorization: Bearer abc\n")),
        ca: None,
        retries: 1,
    };
    let mut hooks = hooks();
    hooks.configure(&[hook(EventCall::Webhook(webhook), LONG)]);
    hooks.say(EventName::AgentStarted, "x");
    let view = until(&hooks, |view| view.succeeded == 1).await;
    assert_eq!((view.failed, view.calls.as_str()), (0, "webhook"));
    let seen = served.await.unwrap();
    let key = |text: &str| {
        text.lines().find(|line| line.starts_with("idempotency-key")).map(str::to_owned)
    };
    assert_eq!(key(&seen[0]), key(&seen[1]));
    for request in seen {
        assert!(request.starts_with("POST /secret-path HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer abc\r\n"), "{request}");
        assert!(request.contains(&format!("{}: ", lb_drivers::SIGNATURE_HEADER)), "{request}");
    }
}

#[tokio::test]
async fn a_webhook_that_refuses_is_not_called_again() {
    let (url, served) = server(&[404]).await;
    let webhook = EventWebhook { url, secret_file: None, headers_file: None, ca: None, retries: 5 };
    let mut hooks = hooks();
    hooks.configure(&[hook(EventCall::Webhook(webhook), LONG)]);
    hooks.say(EventName::AgentStarted, "x");
    let view = until(&hooks, |view| view.failed == 1).await;
    assert!(view.last_error.ends_with("the webhook answers with status 404 Not Found"), "{view:?}");
    assert!(!view.last_error.contains("secret-path"), "{view:?}");
    let seen = served.await.unwrap();
    assert!(!seen[0].contains(lb_drivers::SIGNATURE_HEADER), "{}", seen[0]);
}
