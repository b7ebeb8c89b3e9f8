//! The files of the package: which, where, with which mode, and which are packed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Names, licences};
use crate::workspace::{Workspace, output, run};

/// Files of the workspace, each with its place and its mode.
const FILES: &[(&str, &str, u32)] = &[
    ("deploy/systemd/xelb-agent.service", "usr/lib/systemd/system/xelb-agent.service", 0o644),
    ("deploy/systemd/xelb-decap@.service", "usr/lib/systemd/system/xelb-decap@.service", 0o644),
    ("deploy/systemd/xelb-proxy.service", "usr/lib/systemd/system/xelb-proxy.service", 0o644),
    ("deploy/systemd/xelb.preset", "usr/lib/systemd/system-preset/50-xelb.preset", 0o644),
    ("deploy/default", "etc/default/xelb", 0o644),
    ("deploy/keepalived/check-xelb", "usr/share/xelb/keepalived/check-xelb", 0o755),
    ("deploy/keepalived/notify-xelb", "usr/share/xelb/keepalived/notify-xelb", 0o755),
    ("deploy/keepalived/keepalived.conf", "usr/share/xelb/keepalived/keepalived.conf", 0o644),
    // Targets and the seed of the hash are confidential.
    ("deploy/xelb.yaml", "etc/xelb/xelb.yaml", 0o640),
    ("README.md", "usr/share/doc/xelb/README.md", 0o644),
    ("CHANGELOG.md", "usr/share/doc/xelb/CHANGELOG.md", 0o644),
];

/// Programs that are examples, as `xelb driver check` can call them.
const DRIVERS: &str = "deploy/drivers";
const DRIVERS_PLACE: &str = "usr/share/xelb/drivers";

/// Files that come along if they are there: folder of the workspace, end of the name, place.
const KINDS: &[(&str, &str, &str)] = &[
    ("docs", ".md", "usr/share/doc/xelb/docs"),
    ("docs/pictures", ".svg", "usr/share/doc/xelb/docs/pictures"),
    ("docs", ".schema.json", "usr/share/xelb"),
    ("deploy/prometheus", ".yaml", "usr/share/xelb/prometheus"),
    ("deploy/prometheus", ".yml", "usr/share/xelb/prometheus"),
    ("deploy/grafana", ".json", "usr/share/xelb/grafana"),
];

/// Shells, and where they look for completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/xelb"),
    ("zsh", "usr/share/zsh/vendor-completions/_xelb"),
    ("fish", "usr/share/fish/vendor_completions.d/xelb.fish"),
];

const MAN: &str = "usr/share/man";
const DOC: &str = "usr/share/doc/xelb";

/// Files that a user changes and that an upgrade leaves alone.
pub(super) fn configuration_files() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(_, to, _)| *to).filter(|to| to.starts_with("etc/"))
}

/// Puts everything but `DEBIAN/` into the tree.
pub(super) fn put(workspace: &Workspace, xelb: &Path, tree: &Path, names: &Names) -> Result<()> {
    for (from, to, mode) in FILES {
        copy(&workspace.root.join(from), &tree.join(to), *mode)?;
    }
    for (folder, end, to) in KINDS {
        for from in files(&workspace.root.join(folder), end)? {
            let name = from.file_name().context("a file without a name")?;
            copy(&from, &tree.join(to).join(name), 0o644)?;
        }
    }
    for from in files(&workspace.root.join(DRIVERS), "")? {
        let name = from.file_name().context("a file without a name")?;
        copy(&from, &tree.join(DRIVERS_PLACE).join(name), 0o755)?;
    }
    let program = tree.join("usr/bin/xelb");
    copy(xelb, &program, 0o755)?;
    let strip = ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"];
    run(workspace.program("strip").args(strip).arg(&program))?;
    for (shell, to) in COMPLETIONS {
        let script = output(workspace.program_at(xelb).args(["completions", shell]))?;
        write(&tree.join(to), &script)?;
    }
    let man = tree.join(MAN);
    output(workspace.program_at(xelb).args(["man", "--dir"]).arg(&man))?;
    write(&tree.join(DOC).join("copyright"), &licences::own(workspace)?)?;
    let others = tree.join(DOC).join("third-party-licences");
    write(&others, &licences::of_others(workspace)?)?;
    let changelog = tree.join(DOC).join("changelog");
    write(&changelog, &changelog_of_debian(names))?;
    let mut long = manual_pages(&man)?;
    long.extend([others, changelog, tree.join(DOC).join("CHANGELOG.md")]);
    for file in &long {
        run(workspace.program("gzip").args(["-9", "--no-name"]).arg(file))?;
    }
    modes_of_folders(tree)?;
    for file in manual_pages(&man)? {
        mode(&file, 0o644)?;
    }
    Ok(())
}

/// The manual pages of all sections.
fn manual_pages(man: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for section in ["man1", "man5", "man8"] {
        pages.extend(files(&man.join(section), "")?);
    }
    Ok(pages)
}

/// What has changed is in CHANGELOG.md; Debian wants a file of this form.
fn changelog_of_debian(names: &Names) -> String {
    let Names { version, date, .. } = names;
    format!(
        "xelb ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n \
         -- {}  {date}\n",
        super::control::MAINTAINER
    )
}

/// Files of a folder whose names end so, in order; none if there is no such folder.
fn files(folder: &Path, end: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let fits = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end));
        if fits && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path, permissions: u32) -> Result<()> {
    make_folder_of(to)?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    mode(to, permissions)
}

pub(super) fn write(to: &Path, text: &str) -> Result<()> {
    make_folder_of(to)?;
    fs::write(to, text).with_context(|| format!("writing {}", to.display()))?;
    mode(to, 0o644)
}

fn make_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().context("a path without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

/// Modes do not depend on the umask of who builds.
pub(super) fn mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}

fn modes_of_folders(folder: &Path) -> Result<()> {
    mode(folder, 0o755)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            modes_of_folders(&path)?;
        }
    }
    Ok(())
}
