//! PURE: files of a crate that import each other in a circle: none of them can be understood, or moved,
//! without the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    File, Finding,
    imports::{self, Imports},
};

/// Circles in the crates of these files.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let roots = files.iter().filter_map(|file| file.path.strip_suffix("/src/lib.rs"));
    let mut findings = Vec::new();
    for root in roots {
        let imports = imports::of_crate(&format!("{root}/src"), files);
        for circle in circles(&imports) {
            findings.push(finding(&circle, &imports));
        }
    }
    findings
}

fn finding(circle: &BTreeSet<String>, imports: &Imports) -> Finding {
    let mut arrows = Vec::new();
    for from in circle {
        for (to, names) in imports.get(from).into_iter().flatten() {
            if circle.contains(to) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                arrows.push(format!("\n    {from} takes {} from {to}", names.join(", ")));
            }
        }
    }
    let first = circle.first().map_or("", String::as_str);
    let message = format!(
        "{} files import each other in a circle: move what both need to a file below them{}",
        circle.len(),
        arrows.concat()
    );
    Finding::at(first, 0, message)
}

/// The sets of files that reach each other.
fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reached(imports, file))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (file, reached) in &reach {
        if !reached.contains(file) || circles.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let back = |other: &&&str| reach.get(**other).is_some_and(|from| from.contains(file));
        circles.push(reached.iter().filter(back).map(|file| (*file).to_owned()).collect());
    }
    circles
}

/// All files that a file imports, directly or not.
fn reached<'a>(imports: &'a Imports, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let next =
        |file: &str| imports.get(file).into_iter().flat_map(|to| to.keys().map(String::as_str));
    let mut waiting: Vec<&str> = next(file).collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(next(file));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_named_with_what_ties_it() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file("a/src/lib.rs", "mod b;\nmod c;\nmod d;\n"),
            file("a/src/b.rs", "use super::c::C;\npub struct B;\n"),
            file("a/src/c.rs", "use super::d::D;\npub struct C;\n"),
            file("a/src/d.rs", "use super::b::B;\npub struct D;\n"),
            file("a/src/e.rs", "use super::b::B;\n"),
        ];
        let findings = check(&files);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        let text = finding.to_string();
        assert!(text.starts_with("a/src/b.rs: 3 files import each other in a circle"), "{text}");
        assert!(text.contains("a/src/d.rs takes B from a/src/b.rs"), "{text}");
        assert!(!text.contains("e.rs"), "{text}");
        assert_eq!(check(&files[..2]), []);
    }
}
