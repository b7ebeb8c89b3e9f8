//! `xelb explain config`.

use clap::Args;

use super::{
    config_key::{self, ConfigKey},
    output::Format,
    page::Page,
    part_change::wrong,
};

/// Explain a key of the configuration: its type, default and range, and where it may stand
///
/// A KEY is a path, or the end of one: `health_check.interval`, or `interval`. It needs no agent.
///
/// Example: xelb explain config slow_start
///
/// Example: xelb explain config target_groups.targets.weight
#[derive(Debug, Args)]
pub(super) struct ExplainConfig {
    /// The key, such as slow_start
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    format: Format,
}

impl ExplainConfig {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let found = config_key::find(&self.key).map_err(wrong)?;
        self.format.print(&found, |found| found.iter().map(page).collect::<Vec<_>>().join("\n"))
    }
}

fn page(one: &ConfigKey) -> String {
    let mut page = Page::default();
    page.line("key", &one.key);
    page.line("of", &one.of);
    if let Some(protocols) = &one.protocols {
        page.line("protocols", protocols);
    }
    page.line("meaning", &format!("{}: {}", one.title, one.description));
    page.line("type", &one.kind);
    let default = match (&one.default, one.required) {
        (_, true) => "none: the key is required",
        (Some(default), _) => default,
        (None, _) => "not set",
    };
    page.line("default", default);
    let examples = Some(one.examples.join(", ")).filter(|text| !text.is_empty());
    let keys = Some(one.keys.join(", ")).filter(|text| !text.is_empty());
    for (name, value) in
        [("range", &one.range), ("form", &one.form), ("examples", &examples), ("keys", &keys)]
    {
        if let Some(value) = value {
            page.line(name, value);
        }
    }
    page.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_page() {
        let found = config_key::find("target_groups.targets.weight").unwrap();
        let target = found.iter().find(|one| one.protocols.as_deref() == Some("others")).unwrap();
        assert_eq!(
            page(target),
            "key             target_groups[].targets[].weight\n\
             of              Target\n\
             protocols       others\n\
             meaning         Weight: Share of the flows relative to the other targets; 0 takes no new \
             ones.\n\
             type            whole number\n\
             default         100\n\
             range           0 to 1000\n"
        );
    }
}
