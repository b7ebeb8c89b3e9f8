//! `cargo xtask build-ebpf`: builds the BPF objects the way `cargo build` does, and describes them.
//!
//! The number of instructions is that of the code, not what the verifier walks: the budget test of
//! the data path bounds the latter.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use object::{Object as _, ObjectSection as _, SectionKind};

use crate::setup;
use crate::workspace::{self, Workspace, human};

/// Every BPF instruction is 8 bytes, except 64-bit immediate loads, which count twice (RFC 9669,
/// section 3).
const INSTRUCTION_SIZE: u64 = 8;

/// Balancer, decapsulator, packet generator of test runs, generator and sink of real packets.
const OBJECTS: [&str; 4] = ["xelb-ebpf", "xelb-decap", "xelb-generate", "xelb-traffic"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    setup::ensure(workspace, setup::BPF_NEEDS)?;
    let folder = build(workspace)?;
    for object in OBJECTS {
        describe(&folder.join(object))?;
    }
    println!("build-ebpf: done ({})", human(start.elapsed()));
    Ok(())
}

/// Prints the size of an object and of each program in it.
fn describe(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let sections =
        program_sections(&bytes).with_context(|| format!("{} is no BPF object", path.display()))?;
    println!("{} ({} bytes)", path.display(), bytes.len());
    for section in sections {
        println!("  {:<20} {:>7} instructions", section.name, section.instructions);
    }
    Ok(())
}

/// Builds the agent's library, whose build script builds the objects, and gives their folder.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = workspace.cargo(["build", "--package", "lb-dataplane", "--lib"]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let messages = workspace::output(&mut command)?;
    let out_dir =
        out_dir(&messages).ok_or_else(|| anyhow!("cargo ran no build script of lb-dataplane"))?;
    Ok(PathBuf::from(out_dir))
}

/// The output directory of lb-dataplane's build script, from cargo's messages (one JSON a line).
fn out_dir(messages: &str) -> Option<String> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "build-script-executed")
        .filter(|message| message["package_id"].as_str().is_some_and(is_dataplane))
        .find_map(|message| Some(message["out_dir"].as_str()?.to_owned()))
}

/// Whether an id is that of lb-dataplane. An id names the package unless its folder is called like it.
fn is_dataplane(id: &str) -> bool {
    id.contains("#lb-dataplane@") || id.contains("/lb-dataplane#")
}

#[derive(Debug, PartialEq, Eq)]
struct ProgramSection {
    name: String,
    instructions: u64,
}

/// The sections of an object that hold code. `.text` has the functions that programs call.
fn program_sections(bytes: &[u8]) -> Result<Vec<ProgramSection>> {
    let file = object::File::parse(bytes)?;
    let mut sections = Vec::new();
    for section in file.sections() {
        if section.kind() == SectionKind::Text && section.size() > 0 {
            sections.push(ProgramSection {
                name: section.name()?.to_owned(),
                instructions: section.size() / INSTRUCTION_SIZE,
            });
        }
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_directory_is_that_of_the_right_package() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///x/lb-dataplane#0.1.0"}
            {"reason":"build-script-executed","package_id":"registry+https://x#libc@0.2.1","out_dir":"/a"}
            {"reason":"build-script-executed","package_id":"path+file:///x/lb-dataplane#0.1.0","out_dir":"/b"}
            not json"#;
        assert_eq!(out_dir(messages).as_deref(), Some("/b"));
        let named = messages.replace("lb-dataplane#0.1.0", "dataplane#lb-dataplane@0.1.0");
        assert_eq!(out_dir(&named).as_deref(), Some("/b"));
        assert_eq!(out_dir("{}"), None);
    }

    /// A little-endian ELF header, then `.text` of 24 bytes, an empty `xdp` and a string table.
    fn object_with(code_size: u64) -> Vec<u8> {
        let names = b"\0.text\0xdp\0.shstrtab\0";
        let names_offset = 64 + code_size;
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([1, 0, 247, 0, 1, 0, 0, 0]); // relocatable, BPF
        bytes.extend([0; 16]); // entry, program headers
        bytes.extend((names_offset + names.len() as u64).to_le_bytes());
        bytes.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 4, 0, 3, 0]);
        bytes.extend(vec![0; usize::try_from(code_size).unwrap()]);
        bytes.extend(names);
        let sections: [(u32, u32, u64, u64, u64); 4] = [
            (0, 0, 0, 0, 0),
            (1, 1, 6, 64, code_size),
            (7, 1, 6, 64, 0),
            (11, 3, 0, names_offset, names.len() as u64),
        ];
        for (name, kind, flags, offset, size) in sections {
            bytes.extend(name.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            for word in [flags, 0, offset, size, 0, 0, 0] {
                let width = 8;
                bytes.extend(&word.to_le_bytes()[..width]);
            }
        }
        bytes
    }

    #[test]
    fn instructions_are_counted_per_section_with_code() {
        let sections = program_sections(&object_with(24)).unwrap();
        let expected = ProgramSection { name: ".text".to_owned(), instructions: 3 };
        assert_eq!(sections, [expected]);
        assert!(program_sections(b"no object").is_err());
    }
}
