//! The configuration file of a running agent is broken in every known way, and repaired.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use lb_tests::{Lab, Xelb, agent::configuration_path};
use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::scene::{LIMIT, WEB, in_lab, json, says, start_web, tables, wait_json};

/// The configuration with another weight of the second target.
fn weighing(weight: u32) -> String {
    WEB.replace("10.0.0.12 }", &format!("10.0.0.12, weight: {weight} }}"))
}

/// Removes any object at a path.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::IsADirectory => fs::remove_dir(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => other?,
    }
    Ok(())
}

/// A way to break a file, and its message.
type Spoil = (&'static str, fn(&Path) -> Result<()>, &'static str);

const SPOILS: &[Spoil] = &[
    (
        "half-written",
        |path| {
            let half = WEB.find("10.0.0.12").unwrap_or_default();
            Ok(fs::write(path, &WEB[..half])?)
        },
        ":10:9: is not valid YAML: unclosed bracket '{'",
    ),
    ("empty", |path| Ok(fs::write(path, "")?), ": `interfaces` is missing"),
    (
        "a directory",
        |path| {
            remove(path)?;
            Ok(fs::create_dir(path)?)
        },
        ": is a directory without a configuration",
    ),
    ("100 MB", |path| Ok(fs::File::create(path)?.set_len(100_000_000)?), ": is larger than 16 MiB"),
    ("removed", remove, ": cannot read the file: No such file or directory"),
    (
        "a pipe",
        |path| {
            remove(path)?;
            Ok(mkfifo(path, Mode::S_IRWXU)?)
        },
        ": is not a regular file",
    ),
    (
        "a symlink to nothing",
        |path| {
            remove(path)?;
            Ok(symlink("/nonexistent/xelb.yaml", path)?)
        },
        ": cannot read the file: No such file or directory",
    ),
    (
        "a symlink to itself",
        |path| {
            remove(path)?;
            Ok(symlink(path, path)?)
        },
        ": cannot read the file: Too many levels of symbolic links",
    ),
    (
        "a symlink to a wrong file",
        |path| {
            let other = path.with_extension("wrong");
            fs::write(&other, WEB.replace("10.0.0.12", "10.0.0.1200"))?;
            remove(path)?;
            Ok(symlink(other, path)?)
        },
        ":10:20: target_groups[0].targets[1].address: `10.0.0.1200` is not an address or a DNS name",
    ),
];

/// Waits until the agent has nothing to complain of, and the second target has a weight.
fn wait_weight(lab: &Lab, xelb: &Xelb, weight: u32) -> Result<()> {
    wait_json(lab, xelb, "get targets", |targets| targets[1]["weight"] == weight)?;
    wait_json(lab, xelb, "status", |status| status["last_error"] == "")?;
    Ok(())
}

#[test]
fn a_broken_file_changes_nothing_and_a_repaired_one_is_reloaded() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start_web(lab, xelb)?;
        let path: PathBuf = configuration_path(lab);
        let mut weight = 100;
        for (name, spoil, said) in SPOILS {
            let before = tables()?;
            spoil(&path)?;
            let expected = format!("{}{said}", path.display());
            wait_json(lab, xelb, "status", |status| {
                status["last_error"].as_str().is_some_and(|error| error.starts_with(&expected))
            })?;
            let shown = says(lab, xelb, "status")?;
            ensure!(shown.contains("LAST ERROR") && shown.contains(said), "{name}: {shown}");
            ensure!(tables()? == before, "{name}: the maps have changed");
            let targets = json(lab, xelb, "get targets")?;
            ensure!(targets[1]["weight"] == weight, "{name}: {targets}");
            ensure!(agent.ended()?.is_none(), "{name}: the agent has ended");

            // As it was: there is nothing to complain of any more, and nothing to do.
            remove(&path)?;
            fs::write(&path, weighing(weight))?;
            wait_weight(lab, xelb, weight)?;
            ensure!(tables()? == before, "{name}: the maps have changed with the same file");
            // And it is still followed.
            weight += 1;
            fs::write(&path, weighing(weight))?;
            wait_weight(lab, xelb, weight)?;
            xelb.wait_healthy(lab, 2, LIMIT)?;
        }
        Ok(())
    })
}

/// Deployments write a new file next to the old one, and change a symlink.
#[test]
fn a_symlink_is_followed() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start_web(lab, xelb)?;
        let path = configuration_path(lab);
        for weight in [3, 4] {
            let release = lab.directory().join(format!("release-{weight}.yaml"));
            fs::write(&release, weighing(weight))?;
            let next = path.with_extension("next");
            symlink(&release, &next)?;
            fs::rename(&next, &path)?;
            wait_weight(lab, xelb, weight)?;
        }
        Ok(())
    })
}
