//! Builds the BPF objects, which is to say: the package that embeds them.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{
    process::{self, cargo},
    setup,
};

/// Builds, and says where the objects are.
pub(crate) fn run() -> Result<()> {
    setup::build_tools()?;
    let messages = process::output(cargo().args([
        "build",
        "--package",
        "lb-userspace",
        "--lib",
        "--message-format=json",
    ]))?;
    let folder = out_folder(&messages).context("cargo did not name the folder of the objects")?;
    for object in ["xelb-ebpf", "xelb-decap", "xelb-generate"] {
        let path = folder.join(object);
        let bytes = std::fs::metadata(&path)
            .with_context(|| format!("{} is missing", path.display()))?
            .len();
        println!("{} ({bytes} bytes with debug information)", path.display());
    }
    Ok(())
}

/// The folder that the build script of lb-userspace wrote to, from cargo's messages.
fn out_folder(messages: &str) -> Option<PathBuf> {
    let line = messages.lines().find(|line| {
        line.contains("\"reason\":\"build-script-executed\"") && line.contains("lb-userspace")
    })?;
    let (_, rest) = line.split_once("\"out_dir\":\"")?;
    Some(PathBuf::from(rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_found() {
        let messages = "{\"reason\":\"build-script-executed\",\"package_id\":\"other\",\
                        \"out_dir\":\"/no\"}\n{\"reason\":\"build-script-executed\",\
                        \"package_id\":\"path+lb-userspace#0.1.0\",\"out_dir\":\"/yes/out\"}";
        assert_eq!(out_folder(messages), Some(PathBuf::from("/yes/out")));
        assert_eq!(out_folder(""), None);
    }
}
