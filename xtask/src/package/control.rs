//! `DEBIAN/`: what dpkg knows of the package, and the scripts that it runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::elf::FileHeader64;
use object::endian::Endianness;
use object::read::elf::FileHeader as _;

use super::content::{self, configuration_files};
use super::{Names, read};
use crate::workspace::{Workspace, output};

/// As `Maintainer:` in deploy/debian/control has it; a test compares them.
pub(super) const MAINTAINER: &str = "The xelb authors <xelb@noreply.example>";

/// Scripts that dpkg runs.
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

pub(super) fn put(workspace: &Workspace, xelb: &Path, tree: &Path, names: &Names) -> Result<()> {
    let from = workspace.root.join("deploy/debian");
    let to = tree.join("DEBIAN");
    let sums = checksums(workspace, tree)?;
    let program = fs::read(xelb).with_context(|| format!("cannot read {}", xelb.display()))?;
    let size = output(workspace.program("du").args(["-s", "-k", "--apparent-size"]).arg(tree))?;
    let control = fill(
        &read(&from.join("control"))?,
        &[
            ("@VERSION@", &names.version),
            ("@ARCHITECTURE@", &names.architecture),
            ("@INSTALLED_SIZE@", size.split_whitespace().next().unwrap_or_default()),
            ("@DEPENDS@", &dependencies(&needed_versions(&program)?)?),
        ],
    )?;
    content::write(&to.join("control"), &control)?;
    let conffiles: Vec<String> = configuration_files().map(|path| format!("/{path}\n")).collect();
    content::write(&to.join("conffiles"), &conffiles.concat())?;
    content::write(&to.join("md5sums"), &sums)?;
    for script in SCRIPTS {
        content::write(&to.join(script), &read(&from.join(script))?)?;
        content::mode(&to.join(script), 0o755)?;
    }
    content::mode(&to, 0o755)
}

/// A line for each file but the configuration's, as `md5sum` writes it.
fn checksums(workspace: &Workspace, tree: &Path) -> Result<String> {
    let mut find = workspace.program("find");
    find.current_dir(tree).args(["usr", "-type", "f", "-exec", "md5sum", "{}", "+"]);
    let text = output(&mut find)?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable_by_key(|line| line.split_whitespace().nth(1));
    Ok(lines.join("\n") + "\n")
}

/// The template with its fields; a field that is left is a mistake.
fn fill(template: &str, fields: &[(&str, &str)]) -> Result<String> {
    let text =
        fields.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    if let Some(line) = text.lines().find(|line| line.contains(": @")) {
        bail!("deploy/debian/control: nobody fills {line}");
    }
    Ok(text)
}

/// Versions of symbols that a program needs, library by library (`.gnu.version_r`).
fn needed_versions(program: &[u8]) -> Result<BTreeMap<String, Vec<String>>> {
    let header = FileHeader64::<Endianness>::parse(program).context("no ELF program")?;
    let endian = header.endian()?;
    let sections = header.sections(endian, program)?;
    let mut needed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Some((mut libraries, link)) = sections.gnu_verneed(endian, program)? else {
        return Ok(needed);
    };
    let strings = sections.strings(endian, program, link)?;
    while let Some((library, mut versions)) = libraries.next()? {
        let name = String::from_utf8_lossy(library.file(endian, strings)?).into_owned();
        let list = needed.entry(name).or_default();
        while let Some(version) = versions.next()? {
            list.push(String::from_utf8_lossy(version.name(endian, strings)?).into_owned());
        }
    }
    Ok(needed)
}

/// Debian's packages for these libraries, libc's with the version that has all the symbols.
fn dependencies(needed: &BTreeMap<String, Vec<String>>) -> Result<String> {
    let mut libc = (0, 0);
    let mut packages = Vec::new();
    for (library, versions) in needed {
        match library.split('.').next().unwrap_or_default() {
            "libc" | "libm" | "ld-linux-x86-64" | "ld-linux-aarch64" => {
                let numbers = versions.iter().filter_map(|version| glibc(version));
                libc = numbers.fold(libc, Ord::max);
            }
            "libgcc_s" => packages.push("libgcc-s1".to_owned()),
            _ => bail!("xelb needs {library}, and no Debian package is known for it"),
        }
    }
    packages.insert(0, format!("libc6 (>= {}.{})", libc.0, libc.1));
    Ok(packages.join(", "))
}

/// The numbers of `GLIBC_2.34` or `GLIBC_2.2.5`, as far as they name a release.
fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(libraries: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |versions: &[&str]| versions.iter().map(|&one| one.to_owned()).collect();
        libraries.iter().map(|(name, versions)| ((*name).to_owned(), owned(versions))).collect()
    }

    #[test]
    fn the_newest_symbol_decides() {
        let all = needed(&[
            ("libc.so.6", &["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9"]),
            ("libm.so.6", &["GLIBC_2.29"]),
            ("libgcc_s.so.1", &["GCC_4.2.0"]),
        ]);
        assert_eq!(dependencies(&all).unwrap(), "libc6 (>= 2.34), libgcc-s1");
        let unknown = needed(&[("libssl.so.3", &["OPENSSL_3.0.0"])]);
        assert!(dependencies(&unknown).unwrap_err().to_string().contains("libssl.so.3"));
    }

    #[test]
    fn this_very_program_needs_the_c_library() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let libc = needed_versions(&own).unwrap().remove("libc.so.6").unwrap();
        assert!(libc.iter().any(|version| version.starts_with("GLIBC_2.")), "{libc:?}");
        assert!(needed_versions(b"#!/bin/sh\n").is_err());
    }

    #[test]
    fn no_field_stays_empty() {
        let template = "Version: @VERSION@\nDepends: @DEPENDS@\n";
        let filled = fill(template, &[("@VERSION@", "1"), ("@DEPENDS@", "libc6")]).unwrap();
        assert_eq!(filled, "Version: 1\nDepends: libc6\n");
        let error = fill(template, &[("@VERSION@", "1")]).unwrap_err().to_string();
        assert!(error.ends_with("nobody fills Depends: @DEPENDS@"), "{error}");
    }

    #[test]
    fn there_is_one_maintainer() {
        let control = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/debian/control");
        let expected = format!("Maintainer: {MAINTAINER}");
        assert!(read(&control).unwrap().lines().any(|line| line == expected));
    }
}
