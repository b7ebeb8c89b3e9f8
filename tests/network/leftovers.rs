//! What a lab leaves behind when it ends badly: nothing.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use lb_tests::{lab, process::Task, wait, web};

use crate::{
    scene::shared_machine,
    traces::{Traces, is_alive},
};

const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_lab_whose_body_panics_leaves_nothing_behind() -> anyhow::Result<()> {
    let _machine = shared_machine();
    let before = Traces::now()?;
    let (sender, pids) = std::sync::mpsc::channel();
    let panicked = std::panic::catch_unwind(move || {
        lab::run(2, move |lab| -> lb_tests::Result<()> {
            let nginx = lab.web_server(1).map(web::WebServer::pid);
            let sleeper = lab.client(1).spawn(Task::new("sleep", &["1000"]))?;
            sender.send((nginx, sleeper.pid())).ok();
            assert!(fs::exists("/run/netns/t1").unwrap_or_default());
            panic!("as this test wants it");
        })
    });
    assert!(panicked.is_err());
    let (nginx, sleeper) = pids.recv()?;
    assert!(!is_alive(nginx.context("nginx ran")?));
    assert!(!is_alive(sleeper));
    assert_eq!(Traces::now()?.more_than(&before), "");
    Ok(())
}

/// Not a test: the process that the next test kills. It prints the ids of its processes.
#[test]
#[ignore = "holds a lab until it is killed; started by another test"]
fn holder() -> anyhow::Result<()> {
    if env::var_os("XELB_LAB_HOLDER").is_none() {
        return Ok(());
    }
    lab::run(2, |lab| {
        let pids: Vec<String> = [1, 2]
            .iter()
            .filter_map(|number| lab.web_server(*number))
            .map(|server| server.pid().to_string())
            .collect();
        println!("\nHOLDS {}", pids.join(" "));
        loop {
            std::thread::park();
        }
    })
}

#[test]
fn a_lab_whose_process_is_killed_leaves_nothing_behind() -> anyhow::Result<()> {
    let _machine = shared_machine();
    let before = Traces::now()?;
    let mut holder = Command::new(env::current_exe()?)
        .args(["--exact", "leftovers::holder", "--ignored", "--nocapture"])
        .env("XELB_LAB_HOLDER", "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = holder.stdout.take().context("its output is a pipe")?;
    let line = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("HOLDS ").map(str::to_owned));
    // It is killed before anything can fail: a holder that is left behind would hold a lab.
    holder.kill()?;
    holder.wait()?;
    let pids: Vec<u32> = line
        .context("the holder ended early")?
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    assert_eq!(pids.len(), 2);
    wait::until("the servers are gone", LIMIT, || match pids.iter().find(|pid| is_alive(**pid)) {
        None => Ok(()),
        Some(pid) => Err(format!("process {pid} is alive")),
    })?;
    assert_eq!(Traces::now()?.more_than(&before), "");
    Ok(())
}
