//! `--keep`: leaves the network up and says how to play with it, from any shell of the machine.

use std::thread;

use lb_tests::{
    Lab, Process, Xelb,
    agent::configuration_path,
    process::Task,
    topology::{VIP_V4, VIP_V6},
};

use crate::screen::Screen;

/// Prints the commands and waits for a signal, which ends the process elsewhere.
pub(crate) fn keep(lab: &Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<()> {
    screen.step("The network stays up");
    // A process on every host gives the host a number that `nsenter` understands.
    let mut doors: Vec<(String, Process)> = Vec::new();
    for host in lab.hosts() {
        let door = host.spawn(Task::new("sleep", &["infinity"]))?;
        doors.push((host.name().to_owned(), door));
    }
    let enter = |name: &str| {
        doors
            .iter()
            .find(|(host, _)| host == name)
            .map(|(_, door)| format!("nsenter --target {} --net --mount", door.pid()))
            .unwrap_or_default()
    };
    let lb = enter("lb");
    let xelb = xelb.program().display();
    screen.line("From another shell, as root:");
    screen.line("");
    for command in [
        format!("{} curl -i http://{VIP_V4}/", enter("client1")),
        format!("{} curl -i 'http://[{VIP_V6}]/'", enter("client2")),
        format!("{lb} {xelb} get targets"),
        format!("{lb} {xelb} stats"),
        format!("{lb} {xelb} target drain web 10.0.0.11"),
        format!("{lb} vi {}", configuration_path(lab).display()),
        format!("{} tcpdump -ni t1 ip proto 4 or ip proto 41", enter("switch")),
        format!("{} ip address", enter("t1")),
    ] {
        screen.line(format!("  {command}"));
    }
    screen.line("");
    screen.line("All hosts, and the process on each to give to `nsenter --target`:");
    let all: Vec<String> =
        doors.iter().map(|(name, door)| format!("{name} {}", door.pid())).collect();
    screen.line(format!("  {}", all.join(", ")));
    screen.line("");
    screen.line("Ctrl-C here removes everything.");
    loop {
        thread::park();
    }
}
