//! Podman passes the check of a driver.

use std::time::Duration;

use lb_drivers::{CheckOptions, DockerDriver, Grade, check};
use serde_json::json;

use crate::podman::Podman;

#[tokio::test]
async fn podman_passes_the_check() {
    let podman = Podman::start();
    let settings = json!({
        "image": "xelb-test:1", "port": 80, "command": ["/bin/sh", "-c", "sleep 1000"],
        "socket": podman.socket(), "stop_seconds": 0,
    });
    let driver = DockerDriver::new(serde_json::from_value(settings).unwrap()).unwrap();
    let options = CheckOptions {
        poll_interval: Duration::from_millis(50),
        kill_after: [20, 150, 10_000].map(Duration::from_millis).into(),
        ..CheckOptions::new("web", "c0de")
    };
    let report = check(&driver, &options).await;
    assert!(report.is_passed(), "\n{report}");
    assert!(report.findings.iter().all(|f| f.grade != Grade::NotSupported), "\n{report}");
}
