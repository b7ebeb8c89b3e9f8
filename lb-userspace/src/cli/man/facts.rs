//! PURE: what the help of a command does not say: files, variables and exit codes.

use clap::{Arg, Command};

/// Commands that run as services: their pages are in section 8.
const SERVICES: &[&str] = &["xelb-agent", "xelb-decap", "xelb-proxy"];

/// The section of the manual that a command's page is in.
pub(super) fn section_of(page: &str) -> u8 {
    if SERVICES.contains(&page) { 8 } else { 1 }
}

/// Who has a file, or uses a variable.
enum Of {
    /// Commands with this option.
    Option(&'static str),
    /// The command of this page, and those below it.
    Page(&'static str),
    /// Every service.
    Services,
}

impl Of {
    fn is(&self, page: &str, command: &Command) -> bool {
        match self {
            Self::Option(long) => {
                command.get_arguments().any(|argument| argument.get_long() == Some(long))
            }
            Self::Page(name) => {
                page.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            }
            Self::Services => SERVICES.contains(&page),
        }
    }
}

const FILES: &[(&str, &str, &[Of])] = &[
    (
        "/run/xelb/xelb.sock",
        "Socket of the agent, where neither an option nor the environment names another one.",
        &[Of::Option("socket")],
    ),
    (
        "/sys/fs/bpf/xelb",
        "Maps and links of the data path. It forwards packets for as long as they are there.",
        &[Of::Option("bpffs")],
    ),
    (
        "/etc/xelb/xelb.yaml",
        "Configuration that the service of the Debian package starts with; see xelb.yaml(5).",
        &[Of::Page("xelb-agent")],
    ),
    (
        "/var/lib/xelb",
        "State directory of an agent without --config: all revisions of the configuration.",
        &[Of::Page("xelb-agent"), Of::Page("xelb-rollback"), Of::Page("xelb-diff")],
    ),
    (
        "/var/lib/xelb-proxy",
        "What the agent said last. A proxy starts with it when no agent answers.",
        &[Of::Page("xelb-proxy")],
    ),
    (
        "/etc/xelb/checks",
        "Programs that health checks of protocol exec, drivers and hooks may name.",
        &[Of::Option("exec-checks")],
    ),
    (
        "/etc/default/xelb",
        "Options of the services of the Debian package, and variables such as XELB_LOG.",
        &[Of::Services],
    ),
    (
        "~/.config/xelb/contexts.yaml",
        "Contexts: agents by name. XDG_CONFIG_HOME names another folder than ~/.config.",
        &[Of::Option("context"), Of::Page("xelb-context")],
    ),
    (
        "/usr/share/xelb/xelb.schema.json",
        "JSON Schema of the configuration, for editors; part of the Debian package.",
        &[Of::Page("xelb-schema"), Of::Page("xelb-validate")],
    ),
    (
        "/usr/share/doc/xelb/docs",
        "The documentation: operations.md, configuration.md, cli.md and others; part of the Debian \
         package.",
        &[Of::Page("xelb")],
    ),
];

const VARIABLES: &[(&str, &str, &[Of])] = &[
    (
        "XELB_TOKEN",
        "Token for --server, where --token-file is not given.",
        &[Of::Option("token-file")],
    ),
    (
        "XDG_CONFIG_HOME",
        "Folder of xelb/contexts.yaml; default ~/.config.",
        &[Of::Option("context"), Of::Page("xelb-context")],
    ),
    (
        "NO_COLOR",
        "If it is set and not empty, no colours are used, unless --color says so.",
        &[Of::Option("color")],
    ),
    ("VISUAL, EDITOR", "The editor; the first that is set. Default: vi.", &[Of::Page("xelb-edit")]),
    (
        "XELB_LOG",
        "What is logged: error, warn, info, debug or trace. Default: info.",
        &[Of::Services],
    ),
    (
        "NOTIFY_SOCKET, JOURNAL_STREAM",
        "Set by systemd: where the service says that it is ready, and whether the journal reads the \
         log.",
        &[Of::Services],
    ),
];

/// Files of a command: path and meaning.
pub(super) fn files(page: &str, command: &Command) -> Vec<(&'static str, &'static str)> {
    chosen(FILES, page, command)
}

fn chosen(
    table: &[(&'static str, &'static str, &[Of])],
    page: &str,
    command: &Command,
) -> Vec<(&'static str, &'static str)> {
    // What is true of all of xelb is said on its own page only.
    let is = |of: &Of| match of {
        Of::Page("xelb") => page == "xelb",
        of => of.is(page, command),
    };
    table
        .iter()
        .filter(|(.., of)| of.iter().any(is))
        .map(|(name, text, _)| (*name, *text))
        .collect()
}

/// Variables of a command: name and meaning.
pub(super) fn variables(page: &str, command: &Command) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|argument| {
            let name = variable_of(argument)?;
            Some((name, format!("Default of --{}.", argument.get_long()?)))
        })
        .collect();
    let others = chosen(VARIABLES, page, command);
    found.extend(others.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())));
    found
}

/// The variable that is the default of an option: clap's own, or as the help says it.
pub(super) fn variable_of(argument: &Arg) -> Option<String> {
    if let Some(name) = argument.get_env() {
        return Some(name.to_string_lossy().into_owned());
    }
    let help = argument.get_help()?.to_string();
    let (_, rest) = help.split_once("[env: ")?;
    rest.split_once(']').map(|(name, _)| name.to_owned())
}

/// What exit codes 0, 1 and 2 of a command mean.
pub(super) fn exit_codes(page: &str) -> [&'static str; 3] {
    const USAGE: &str = "Wrong usage or invalid configuration. Nothing was changed.";
    match page {
        "xelb-agent" | "xelb-decap" | "xelb-pass" => [
            "Stopped by a signal; with --check, where there is one, the configuration is valid.",
            "Failed at run time: the kernel, a file or another process does not allow it.",
            USAGE,
        ],
        "xelb-proxy" => [
            "Stopped by a signal.",
            "Failed at run time: an address cannot be listened on, or a file cannot be opened.",
            "Wrong usage, or a configuration that has errors or cannot be served.",
        ],
        "xelb-doctor" | "xelb-doctor-target" => [
            "No finding is an error. Warnings do not count.",
            "A finding is an error, or the check failed.",
            "Wrong usage.",
        ],
        "xelb-driver-check" => [
            "All rules are kept.",
            "A rule is broken, or the check was interrupted.",
            "Wrong usage. Nothing was started.",
        ],
        "xelb-validate" => [
            "The configuration is valid, with warnings or without.",
            "Failed at run time.",
            "The configuration is not valid or cannot be read; with --strict, it has warnings.",
        ],
        "xelb-wait" => [
            "The state is reached.",
            "The state is not reached in time, or no agent answers.",
            "Wrong usage, or what is waited for does not exist.",
        ],
        "xelb-status" => [
            "The agent answers; with --check, this balancer can serve.",
            "Failed at run time, such as that no agent answers; with --check, this balancer cannot \
             serve.",
            "Wrong usage.",
        ],
        _ => ["Done.", "Failed at run time, such as that no agent answers.", USAGE],
    }
}
