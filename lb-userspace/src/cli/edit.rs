//! `xelb edit`.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, bail};
use clap::Args;
use lb_config::{Change, Part};

use super::{
    complete,
    object::{self, KindWord, parse_kind},
    output,
    part_change::{How, wrong},
};

/// Change a listener, a target group, a rule, a target or the configuration in your editor
///
/// The editor of VISUAL or EDITOR (else vi) gets the object as YAML. What you save becomes a new
/// revision. If somebody else has changed the configuration meanwhile, nothing is changed.
///
/// Example: xelb edit target-group web
///
/// Example: xelb edit config
#[derive(Debug, Args)]
pub(super) struct Edit {
    /// Kind of the object: listener, target-group (tg), rule, target or config
    #[arg(value_parser = parse_kind, add = complete::kinds())]
    kind: KindWord,
    /// Name of the object; a target is GROUP/ADDRESS, a rule LISTENER/RULE
    #[arg(value_name = "NAME", num_args = 0.., add = complete::objects())]
    name: Vec<String>,
    #[command(flatten)]
    how: How,
}

impl Edit {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (objects, rest) = object::objects(&self.kind, &self.name, true).map_err(wrong)?;
        let (Some(object), []) = (objects.first(), rest.as_slice()) else {
            return Err(wrong("one object at a time can be edited".to_owned()));
        };
        let present = self.how.socket.client()?.configuration().await?;
        let Some(revision) = present.revision else {
            let text = "this agent takes its configuration from a file; edit that file, and the \
                        agent reloads it";
            return Err(wrong(text.to_owned()));
        };
        let before = present.document.part(&object.path);
        let before = before.map_err(|error| wrong(error.to_string()))?;
        let path = &object.path;
        let (file, kept) = temporary(&text_of(&before, &path.object(), revision)?)?;
        let status = edit(&kept)?;
        if !status.success() {
            bail!("the editor ended with {status}; nothing was changed");
        }
        let text = fs::read_to_string(&kept).context("cannot read what the editor has written")?;
        let after = Part::parse(&text);
        if text.trim().is_empty() || after.as_ref().is_ok_and(|after| is_same(after, &before)) {
            return output::print("nothing was changed\n");
        }
        let made = match after {
            Ok(value) => {
                let change = Change::Set { path: path.clone(), value };
                self.how.make(vec![change], Some(revision)).await
            }
            Err(error) => Err(wrong(format!("{}:{error}", kept.display()))),
        };
        if made.is_err() {
            let (_, kept) = file.keep().context("cannot keep what you have written")?;
            output::print_error(&format!("what you have written is in {}", kept.display()));
        }
        made
    }
}

/// Whether both say the same, wherever it was written.
fn is_same(one: &Part, other: &Part) -> bool {
    serde_json::to_value(one).ok() == serde_json::to_value(other).ok()
}

/// What the editor shows.
fn text_of(part: &Part, object: &str, revision: u64) -> anyhow::Result<String> {
    let yaml = serde_saphyr::to_string(part)?;
    Ok(format!(
        "# {object} of revision {revision}. Save and leave the editor to apply your changes.\n\
         # An empty or unchanged file changes nothing.\n{yaml}"
    ))
}

/// A file that only its owner can read, with this text.
fn temporary(text: &str) -> anyhow::Result<(tempfile::NamedTempFile, std::path::PathBuf)> {
    let mut file = tempfile::Builder::new()
        .prefix("xelb-edit-")
        .suffix(".yaml")
        .tempfile()
        .context("cannot make a temporary file")?;
    file.write_all(text.as_bytes()).context("cannot write the temporary file")?;
    let path = file.path().to_path_buf();
    Ok((file, path))
}

/// Lets the user edit the file. The variable may have options, so a shell reads it.
fn edit(file: &Path) -> anyhow::Result<ExitStatus> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| env::var_os(name).filter(|value| !value.is_empty()));
    let mut command = editor.unwrap_or_else(|| OsString::from("vi"));
    command.push(" \"$1\"");
    let status = Command::new("sh").arg("-c").arg(&command).arg("sh").arg(file).status();
    status.with_context(|| format!("cannot run the editor {}", command.display()))
}
