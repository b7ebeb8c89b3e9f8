//! Lines of the access log, and files that are opened again.

use std::fs;

use lb_config::LogFormat;
use lb_proxy_control::{LogDestination, LogFile, Signal};

use crate::support::{
    ConfigFile, RunningService, free_port, get, local, target, two_groups, wait_until,
};

#[test]
fn a_log_that_was_moved_is_opened_again() {
    let port = free_port();
    let web = target("web");
    let file = ConfigFile::new(&two_groups(port, web, web));
    let (log, moved) = (file.path("access.log"), file.path("access.log.1"));
    let mut options = file.options();
    options.access_log =
        Some(LogDestination { file: LogFile::Path(log.clone()), format: LogFormat::Json });
    let service = RunningService::start(options);
    let has = |path, text: &str| fs::read_to_string(path).is_ok_and(|log| log.contains(text));
    get(local(port), "/first");
    wait_until("the line is written", || has(&log, "/first"));
    fs::rename(&log, &moved).unwrap();
    service.signal(Signal::Hangup);
    wait_until("the log is opened again", || log.exists());
    get(local(port), "/second");
    service.stop();
    assert!(has(&log, "/second") && !has(&log, "/first"));
    assert!(has(&moved, "/first") && !has(&moved, "/second"));
}

#[test]
fn a_listener_may_have_a_log_of_its_own() {
    let port = free_port();
    let web = target("web");
    let text = two_groups(port, web, web)
        + "    attributes: { access_log: { file: FOLDER/own.log, format: alb } }\n";
    let file = ConfigFile::new(&text);
    let service = file.serve();
    get(local(port), "/order/1");
    service.stop();
    let log = fs::read_to_string(file.path("own.log")).unwrap();
    assert!(log.starts_with("http ") && log.contains("/order/1"), "{log}");
    assert_eq!(log.lines().count(), 1);
}
