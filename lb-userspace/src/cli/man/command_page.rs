//! PURE: the manual page of a command, of its help and of what the help does not say.

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{ManualPage, facts, source};

/// Adds the page of a command, whose options are all known to it, and those of its commands.
pub(super) fn add(command: &Command, parent: Option<&str>, pages: &mut Vec<ManualPage>) {
    let name = name(command);
    pages.push(ManualPage {
        text: page(command, &name, parent),
        section: facts::section_of(&name),
        name: name.clone(),
    });
    for sub in visible(command) {
        add(sub, Some(&name), pages);
    }
}

/// The name of its page.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

/// What a command does, without its examples and exit codes, which have sections; and the examples.
fn described(command: &Command) -> (String, Vec<String>) {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let example = |line: &str| line.trim().strip_prefix("Example: ").map(str::to_owned);
    let examples = about.lines().filter_map(example).collect();
    let is_text = |line: &&str| example(line).is_none() && !line.starts_with("Exit codes: ");
    let text: Vec<&str> = about.lines().filter(is_text).collect();
    let text = text.join("\n");
    (text.trim().to_owned(), examples)
}

/// A part of the page that clap_mangen writes.
fn written(part: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut text = Vec::new();
    // A vector takes everything.
    part(&mut text).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    // What every part begins with stands once, at the top of the page.
    let at = text.find(".SH ").unwrap_or(0);
    text[at..].to_owned()
}

fn page(command: &Command, name: &str, parent: Option<&str>) -> String {
    let (description, examples) = described(command);
    let mut top = Roff::new();
    source::title(&mut top, name, facts::section_of(name));
    let man = Man::new(command.clone());
    let mut text = top.render();
    text += &written(|out| man.render_name_section(out));
    text += &written(|out| man.render_synopsis_section(out));
    text += &without_top(&body(&description));
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        text += &written(|out| man.render_options_section(out));
    }
    text += &without_top(&rest(command, name, parent, &examples));
    source::clean(&text)
}

/// The source of a part, without the definitions that stand at the top of a page.
fn without_top(part: &Roff) -> String {
    let text = part.render();
    let at = text.find(".SH ").unwrap_or(0);
    text[at..].to_owned()
}

fn body(description: &str) -> Roff {
    let mut roff = Roff::new();
    source::section(&mut roff, "DESCRIPTION");
    for (index, line) in description.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(line)]);
    }
    roff
}

fn rest(command: &Command, name: &str, parent: Option<&str>, examples: &[String]) -> Roff {
    let mut roff = Roff::new();
    if command.has_subcommands() {
        source::section(&mut roff, "COMMANDS");
        for sub in visible(command) {
            let page = self::name(sub);
            let section = facts::section_of(&page);
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            source::item(&mut roff, vec![bold(page), roman(format!("({section})"))], &about);
        }
    }
    source::section(&mut roff, "EXIT STATUS");
    for (code, meaning) in facts::exit_codes(name).into_iter().enumerate() {
        source::item(&mut roff, vec![bold(code.to_string())], meaning);
    }
    let variables = facts::variables(name, command);
    if !variables.is_empty() {
        source::section(&mut roff, "ENVIRONMENT");
        for (variable, meaning) in variables {
            source::item(&mut roff, vec![bold(variable)], &meaning);
        }
    }
    let files = facts::files(name, command);
    if !files.is_empty() {
        source::section(&mut roff, "FILES");
        for (path, meaning) in files {
            source::item(&mut roff, vec![source::path(path)], meaning);
        }
    }
    source::section(&mut roff, "EXAMPLES");
    let examples: Vec<&str> = examples.iter().map(String::as_str).collect();
    source::literal(&mut roff, &examples);
    source::see_also(&mut roff, &related(command, parent));
    roff
}

/// Pages that are read with this one: what it belongs to, what belongs to it, and the configuration.
fn related(command: &Command, parent: Option<&str>) -> Vec<(String, u8)> {
    let mut names: Vec<String> = Vec::new();
    if parent.is_some_and(|parent| parent != "xelb") {
        names.extend(parent.map(str::to_owned));
    }
    names.extend(visible(command).map(name));
    if parent.is_some() {
        names.insert(0, "xelb".to_owned());
    }
    let mut pages: Vec<(String, u8)> = names
        .into_iter()
        .map(|name| {
            let section = facts::section_of(&name);
            (name, section)
        })
        .collect();
    pages.push(("xelb.yaml".to_owned(), 5));
    pages
}
