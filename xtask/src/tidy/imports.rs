//! PURE: which file of a crate takes names from which other, as `use` and paths say it. What a file
//! re-exports (`pub use`), and tests, do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, code};

/// Re-exports that are followed on the way to where a name is defined.
const REEXPORTS_MAX: usize = 8;

/// From a file to the files that it takes names from, and the names.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A module: its path below the crate's root.
type Module = Vec<String>;

/// What one file says.
#[derive(Default)]
struct Source {
    path: String,
    /// Code without comments, literals and unit tests.
    code: String,
    /// Local name to path, of every `use`.
    uses: BTreeMap<String, Vec<String>>,
    /// Modules all of whose names it has.
    globs: Vec<Vec<String>>,
}

/// The imports between the files of the crate whose sources are in the folder `src`.
pub(super) fn of_crate(src: &str, files: &[File]) -> Imports {
    let mut modules: BTreeMap<Module, Source> = BTreeMap::new();
    for file in files {
        if let Some(module) = module_of(src, &file.path) {
            let code = without_tests(&code::only(&file.text));
            let (uses, globs) = uses(&code);
            modules.insert(module, Source { path: file.path.clone(), code, uses, globs });
        }
    }
    let mut imports = Imports::new();
    for (module, source) in &modules {
        for path in mentioned(source) {
            if let Some((file, name)) = find(&modules, module, &path, REEXPORTS_MAX)
                && !are_one(&source.path, &file)
            {
                imports
                    .entry(source.path.clone())
                    .or_default()
                    .entry(file)
                    .or_default()
                    .insert(name);
            }
        }
    }
    imports
}

/// Whether two files are one unit: the same, or a module and a part of it in its own folder.
fn are_one(one: &str, other: &str) -> bool {
    let folder = |path: &str| {
        path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).map(|path| format!("{path}/"))
    };
    let holds =
        |one: &str, other: &str| folder(one).is_some_and(|folder| other.starts_with(&folder));
    one == other || holds(one, other) || holds(other, one)
}

/// The module that a file is; `None` for tests, binaries of their own, and files of other crates.
fn module_of(src: &str, path: &str) -> Option<Module> {
    let inside = path.strip_prefix(src)?.strip_prefix('/')?.strip_suffix(".rs")?;
    let is_test = |part: &str| part == "tests" || part.ends_with("_tests");
    if inside.split('/').any(is_test) || inside == "main" || inside.ends_with("_main") {
        return None;
    }
    let mut module: Module = inside.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    Some(module)
}

/// Code up to its unit tests.
fn without_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code.get(..end).unwrap_or_default().to_owned()
}

/// Every `use` of a file, by the name that it gives; and the modules whose names it has all.
fn uses(code: &str) -> (BTreeMap<String, Vec<String>>, Vec<Vec<String>>) {
    let (mut names, mut globs) = (BTreeMap::new(), Vec::new());
    for (_, tree) in use_trees(code) {
        leaves(tree, &[], &mut |mut path, name| {
            if name == "*" {
                path.pop();
                globs.push(path);
            } else {
                names.insert(name.to_owned(), path);
            }
        });
    }
    (names, globs)
}

/// The trees of `use`, and whether each hands names on.
fn use_trees(code: &str) -> impl Iterator<Item = (bool, &str)> {
    code.split("use ").skip(1).zip(code.split("use ")).filter_map(|(after, before)| {
        let word = before.rsplit(['\n', ';', '}', '{']).next().unwrap_or_default().trim();
        let is_public = word.starts_with("pub");
        (word.is_empty() || is_public).then_some(())?;
        Some((is_public, after.split(';').next()?))
    })
}

/// Every name of a tree of `use`, with its path.
fn leaves(tree: &str, prefix: &[String], each: &mut impl FnMut(Vec<String>, &str)) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let (head, rest) = tree.split_at(open);
        let mut prefix = prefix.to_vec();
        prefix.extend(segments(head));
        let inner = rest.trim_start_matches('{');
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        for part in parts(inner) {
            leaves(part, &prefix, each);
        }
        return;
    }
    let (path, alias) =
        tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut whole = prefix.to_vec();
    whole.extend(segments(path).filter(|segment| segment != "self" || prefix.is_empty()));
    if let Some(last) = whole.last().cloned() {
        each(whole, alias.unwrap_or(&last));
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> + '_ {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned)
}

/// The parts of a list in braces.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (position, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(list.get(start..position));
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.extend(list.get(start..));
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// The paths that a file takes names by: those that it imports for itself, and those in its code.
fn mentioned(source: &Source) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (is_public, tree) in use_trees(&source.code) {
        if !is_public {
            leaves(tree, &[], &mut |path, _| paths.push(path));
        }
    }
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let code = without_uses(&source.code);
    for (position, _) in code.match_indices("::") {
        let before = code.get(..position).unwrap_or_default();
        let head = before.rsplit(|character| !is_word(character)).next().unwrap_or_default();
        let start = position - head.len();
        let is_first = !code.get(..start).unwrap_or_default().ends_with("::");
        if !is_first || head.is_empty() {
            continue;
        }
        let rest = code.get(start..).unwrap_or_default();
        let end = rest.find(|character| !is_word(character) && character != ':');
        let path: Vec<String> =
            segments(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()).collect();
        // By the name of an imported module.
        match source.uses.get(head) {
            Some(known) => {
                let mut whole = known.clone();
                whole.extend(path.into_iter().skip(1));
                paths.push(whole);
            }
            None => paths.push(path),
        }
    }
    paths
}

/// Code without its `use` statements.
fn without_uses(code: &str) -> String {
    let mut rest = code.to_owned();
    for (_, tree) in use_trees(code) {
        rest = rest.replace(tree, "");
    }
    rest
}

/// The file that defines what a path means in a module, and its name.
fn find(
    modules: &BTreeMap<Module, Source>,
    module: &Module,
    path: &[String],
    patience: usize,
) -> Option<(String, String)> {
    let mut place = module.clone();
    let mut rest = path;
    let mut is_start = true;
    while let Some((segment, after)) = rest.split_first() {
        match segment.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                place.pop()?;
            }
            name => {
                let mut child = place.clone();
                child.push(name.to_owned());
                if modules.contains_key(&child) {
                    place = child;
                } else {
                    // Not a path into this crate.
                    return if is_start { None } else { defined(modules, &place, name, patience) };
                }
            }
        }
        is_start = false;
        rest = after;
    }
    None
}

/// The file that defines a name of a module, behind its re-exports.
fn defined(
    modules: &BTreeMap<Module, Source>,
    module: &Module,
    name: &str,
    patience: usize,
) -> Option<(String, String)> {
    let source = modules.get(module)?;
    let patience = patience.checked_sub(1)?;
    if let Some(path) = source.uses.get(name) {
        return find(modules, module, path, patience);
    }
    if defines(&source.code, name) {
        return Some((source.path.clone(), name.to_owned()));
    }
    source.globs.iter().find_map(|glob| {
        let path: Vec<String> = glob.iter().cloned().chain([name.to_owned()]).collect();
        find(modules, module, &path, patience)
    })
}

/// Whether the code has an item with this name.
fn defines(code: &str, name: &str) -> bool {
    const ITEMS: &[&str] = &["struct", "enum", "fn", "trait", "type", "const", "static", "union"];
    let words: Vec<&str> = code
        .split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .any(|pair| matches!(pair, [item, found] if ITEMS.contains(item) && *found == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let files: Vec<File> = files.iter().map(file).collect();
        let mut lines = Vec::new();
        for (from, to) in of_crate("a/src", &files) {
            for (to, names) in to {
                let names = names.into_iter().collect::<Vec<_>>().join(" ");
                lines.push(format!("{from} -> {to}: {names}"));
            }
        }
        lines
    }

    #[test]
    fn names_are_followed_to_where_they_are_defined() {
        let files = [
            ("a/src/lib.rs", "mod b;\nmod c;\npub use b::B;\npub struct Root;\n"),
            (
                "a/src/b.rs",
                "use super::Root;\npub struct B(Root);\npub fn other() {}\npub fn thing() {}\n#[cfg(test)]\nmod tests {\nuse crate::c::C;\n}\n",
            ),
            (
                "a/src/c/mod.rs",
                "pub mod d;\nuse super::{B, b::{self, other}};\nuse std::fmt;\npub struct C;\n",
            ),
            ("a/src/c/d.rs", "fn d() { crate::b::thing(); super::C; Vec::new(); }\n// crate::no\n"),
            ("a/src/c/tests.rs", "use crate::b::B;\n"),
        ];
        assert_eq!(
            imports(&files),
            [
                "a/src/b.rs -> a/src/lib.rs: Root",
                "a/src/c/d.rs -> a/src/b.rs: thing",
                "a/src/c/mod.rs -> a/src/b.rs: B other",
            ]
        );
    }

    #[test]
    fn imported_modules_lead_to_names() {
        let files = [
            ("a/src/lib.rs", "mod b;\nmod c;\n"),
            ("a/src/b.rs", "pub fn f() {}\n"),
            ("a/src/c.rs", "use crate::b as other;\nfn c() { other::f(); }\n"),
        ];
        assert_eq!(imports(&files), ["a/src/c.rs -> a/src/b.rs: f"]);
    }
}
