//! An agent whose configuration is a directory: files come, change, go, and are wrong.

use std::{fs, os::unix::fs::symlink, path::PathBuf, thread, time::Duration};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET},
    process::Task,
};

use crate::scene::{LIMIT, WEB, fails, in_lab, json, run, tables, wait_json};

/// A second service, in a file of its own.
const SHOP: &str = "target_groups:
  - name: shop
    protocol: tcp
    port: 8080
    forwarding: ipip
    targets: [{ address: 10.0.0.11 }]
listeners:
  - name: shop
    address: 203.0.113.10
    port: 8080
    protocol: tcp
    default_action: { forward: { target_group: shop } }
";

fn wait_listeners(lab: &Lab, xelb: &Xelb, count: usize) -> Result<()> {
    wait_json(lab, xelb, "get listeners", |all| {
        all.as_array().is_some_and(|all| all.len() == count)
    })?;
    wait_json(lab, xelb, "status", |status| status["last_error"] == "")?;
    Ok(())
}

/// An agent with a directory of one file.
fn start(lab: &Lab, xelb: &Xelb) -> Result<(Process, PathBuf)> {
    let directory = lab.directory().join("conf.d");
    fs::create_dir(&directory)?;
    let shown = directory.display().to_string();
    fs::write(directory.join("10-web.yaml"), WEB)?;
    let options = ["agent", "--config", &shown, "--bpffs", PIN_DIR, "--socket", SOCKET];
    let agent = lab.lb().spawn(Task::new(xelb.program(), &options))?;
    xelb.wait_healthy(lab, 2, LIMIT)?;
    ensure!(json(lab, xelb, "status")?["source"] == format!("directory {shown}"));
    Ok((agent, directory))
}

fn wait_error(lab: &Lab, xelb: &Xelb, says: &str) -> Result<()> {
    let is_said = |status: &serde_json::Value| {
        status["last_error"].as_str().is_some_and(|error| error.contains(says))
    };
    wait_json(lab, xelb, "status", is_said).map(drop)
}

#[test]
fn files_of_a_directory_come_change_and_go() -> Result<()> {
    in_lab(|lab, xelb| {
        let (mut agent, directory) = start(lab, xelb)?;
        let path = |name: &str| directory.join(name);

        // A new file, and a change of it.
        fs::write(path("20-shop.yaml"), SHOP)?;
        wait_listeners(lab, xelb, 2)?;
        fs::write(path("20-shop.yaml"), SHOP.replace("10.0.0.11", "10.0.0.12"))?;
        let moved = |targets: &serde_json::Value| {
            let of_shop =
                targets.as_array().into_iter().flatten().find(|one| one["group"] == "shop");
            of_shop.is_some_and(|one| {
                one["address"].as_str().is_some_and(|at| at.contains("10.0.0.12"))
            })
        };
        wait_json(lab, xelb, "get targets", moved)?;

        // A way to save a file: for a moment it is not there, and its listener must not go.
        let before = tables()?;
        fs::rename(path("20-shop.yaml"), path("20-shop.yaml~"))?;
        thread::sleep(Duration::from_millis(300));
        ensure!(tables()? == before, "a file that is being replaced has taken its listener along");
        fs::rename(path("20-shop.yaml~"), path("20-shop.yaml"))?;
        wait_listeners(lab, xelb, 2)?;
        ensure!(tables()? == before);

        // A removed file takes what it had along.
        fs::remove_file(path("20-shop.yaml"))?;
        wait_listeners(lab, xelb, 1)?;
        ensure!(agent.ended()?.is_none(), "the agent has ended");
        Ok(())
    })
}

#[test]
fn one_wrong_file_of_a_directory_changes_nothing() -> Result<()> {
    in_lab(|lab, xelb| {
        let (_agent, directory) = start(lab, xelb)?;
        let path = |name: &str| directory.join(name);
        fs::write(path("20-shop.yaml"), SHOP)?;
        wait_listeners(lab, xelb, 2)?;
        // Whatever is wrong with one file changes nothing, and is said with its place.
        let before = tables()?;
        let double = SHOP
            .replace("name: shop", "name: web")
            .replace("target_group: shop", "target_group: web");
        for (text, said) in [
            (
                double.as_str(),
                ":2:5: target_groups[0]: there are two target groups named web; the other is in ",
            ),
            ("", ": is empty; write its keys"),
            ("interfaces: [eth0]\n", ":1:1: interfaces: is set in "),
        ] {
            fs::write(path("30-more.yaml"), text)?;
            wait_error(lab, xelb, &format!("{}{said}", path("30-more.yaml").display()))?;
            ensure!(tables()? == before, "{text}: the maps have changed");
        }
        fs::remove_file(path("30-more.yaml"))?;
        symlink("nothing", path("30-more.yaml"))?;
        wait_error(lab, xelb, "30-more.yaml: cannot read the file")?;
        ensure!(tables()? == before, "the maps have changed");
        fs::remove_file(path("30-more.yaml"))?;
        wait_listeners(lab, xelb, 2)?;

        // So is a change by command.
        let refused = run(lab, xelb, &["target", "add", "web", "10.0.0.13", "--socket", SOCKET])?;
        fails(&refused, 2, &["change the files there, and the agent reloads them"])?;
        Ok(())
    })
}
