//! `xelb context`: agents by name, so that nobody has to type where they are.

mod choice;
mod file;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lb_api::Server;
use serde::Serialize;

use super::{
    list::{Column, ListOptions, Listing, Times},
    output::{self, Format},
    page::Page,
    part_change::wrong,
    relative_time,
};
pub(super) use choice::{Environment, Options, transport};
use file::Context;
pub(super) use file::Contexts;

/// Name agents, with their CA certificates and token files, and choose between them
///
/// Contexts are kept in the file xelb/contexts.yaml in `XDG_CONFIG_HOME` or ~/.config. Options such as
/// --server override the environment, and that overrides the current context. `--context NAME`
/// overrides the environment, too.
///
/// Example: xelb context set lb1 --server https://lb1.example.org:7443 --ca ca.pem --token-file token
///
/// Example: xelb context use lb1
#[derive(Debug, Subcommand)]
pub(super) enum ContextCommand {
    /// List the contexts; the current one has a star
    ///
    /// Example: xelb context list
    List {
        #[command(flatten)]
        list: ListOptions,
    },
    /// Make a context the current one
    ///
    /// Example: xelb context use lb1
    Use {
        /// Name of the context
        #[arg(value_name = "NAME", add = super::complete::contexts())]
        name: String,
    },
    /// Add a context, or change what the options name
    ///
    /// Example: xelb context set lb1 --server https://lb1.example.org:7443 --token-file token
    ///
    /// Example: xelb context set local --socket /run/xelb/xelb.sock
    Set(SetContext),
    /// Remove a context
    ///
    /// Example: xelb context delete lb1
    Delete {
        /// Name of the context
        #[arg(value_name = "NAME", add = super::complete::contexts())]
        name: String,
    },
    /// Show one context, or the current one
    ///
    /// Example: xelb context show
    Show {
        /// Name of the context [default: the current one]
        #[arg(value_name = "NAME", add = super::complete::contexts())]
        name: Option<String>,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(super) struct SetContext {
    /// Name of the context
    #[arg(value_name = "NAME", add = super::complete::contexts())]
    name: String,
    /// Socket of the agent, if it runs on this host
    #[arg(long, value_name = "PATH", conflicts_with_all =
        ["server", "ca", "token_file", "client_cert", "client_key"])]
    socket: Option<PathBuf>,
    /// The API of the agent over TLS
    #[arg(long, value_name = "https://HOST:PORT")]
    server: Option<Server>,
    /// CA certificates that the agent's certificate is verified with (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File with the token, readable only by its owner and its group
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of --client-cert (PEM); readable only by its owner and its group
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// A context as it is listed.
#[derive(Debug, Serialize)]
struct ContextRow {
    current: bool,
    name: String,
    #[serde(flatten)]
    context: Context,
}

static CONTEXTS: Listing<ContextRow> = Listing {
    columns: &[
        Column::new("CURRENT", "current", |one: &ContextRow, _| {
            if one.current { "*" } else { "" }.to_owned()
        }),
        Column::new("NAME", "name", |one: &ContextRow, _| one.name.clone()),
        Column::new("AGENT", "server", |one: &ContextRow, _| one.agent()),
        Column::new("CA", "ca", |one: &ContextRow, _| shown(one.context.ca.as_deref())).wide(),
        Column::new("TOKEN FILE", "token_file", |one: &ContextRow, _| {
            shown(one.context.token_file.as_deref())
        }),
    ],
    fields: &[
        "current",
        "name",
        "socket",
        "server",
        "ca",
        "token_file",
        "client_cert",
        "client_key",
    ],
    name: |one| Some(one.name.clone()),
    nothing: "no contexts; `xelb context set NAME --server https://HOST:PORT` makes one",
};

impl ContextRow {
    fn agent(&self) -> String {
        let server = self.context.server.clone();
        server.unwrap_or_else(|| shown(self.context.socket.as_deref()))
    }
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "-".to_owned(), |path| path.display().to_string())
}

impl ContextCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut contexts = Contexts::read()?;
        match self {
            Self::List { list } => {
                list.check(&CONTEXTS).map_err(wrong)?;
                let times = Times { now_ms: relative_time::now_ms(), are_absolute: false };
                let shown = list.show(rows(&contexts), &CONTEXTS, times)?;
                output::print_escaped(&shown.text)
            }
            Self::Show { name, format } => {
                let none =
                    || wrong("there is no current context; `xelb context use NAME`".to_owned());
                let name = name.or_else(|| contexts.current.clone()).ok_or_else(none)?;
                contexts.named(&name).map_err(wrong)?;
                let row = rows(&contexts).into_iter().find(|row| row.name == name);
                format.print(&row, |row| row.as_ref().map(page).unwrap_or_default())
            }
            Self::Use { name } => {
                contexts.named(&name).map_err(wrong)?;
                contexts.current = Some(name.clone());
                contexts.write()?;
                output::print(&format!("{name} is the current context\n"))
            }
            Self::Delete { name } => {
                // One that is not valid can be removed, too.
                if !contexts.contexts.contains_key(&name) {
                    contexts.named(&name).map_err(wrong)?;
                }
                contexts.contexts.remove(&name);
                let was_current = contexts.current.take_if(|current| *current == name).is_some();
                contexts.write()?;
                let now = if was_current { "; there is no current context now" } else { "" };
                output::print(&format!("context {name} is removed{now}\n"))
            }
            Self::Set(set) => {
                let name = set.name.clone();
                set.apply(&mut contexts).map_err(wrong)?;
                contexts.write()?;
                let use_it = match &contexts.current {
                    Some(current) if *current == name => String::new(),
                    _ => format!("; `xelb context use {name}` makes it the current one"),
                };
                output::print(&format!("context {name} is kept{use_it}\n"))
            }
        }
    }
}

fn rows(contexts: &Contexts) -> Vec<ContextRow> {
    let current = contexts.current.as_ref();
    let all = contexts.contexts.iter().map(|(name, context)| ContextRow {
        current: current == Some(name),
        name: name.clone(),
        context: context.clone(),
    });
    all.collect()
}

fn page(row: &ContextRow) -> String {
    let mut page = Page::default();
    page.line("context", &row.name);
    page.line("current", if row.current { "yes" } else { "no" });
    page.line("agent", &row.agent());
    let Context { ca, token_file, client_cert, client_key, .. } = &row.context;
    for (name, path) in [
        ("ca", ca),
        ("token file", token_file),
        ("client cert", client_cert),
        ("client key", client_key),
    ] {
        if let Some(path) = path {
            page.line(name, &path.display().to_string());
        }
    }
    page.text()
}

impl SetContext {
    fn apply(self, contexts: &mut Contexts) -> Result<(), String> {
        let Self { name, socket, server, ca, token_file, client_cert, client_key } = self;
        let is_letter = |one: char| one.is_ascii_alphanumeric() || "-_.".contains(one);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_letter) {
            return Err(format!("`{name}`: use up to 64 letters, digits, `-`, `_` and `.`"));
        }
        let mut context = contexts.contexts.get(&name).cloned().unwrap_or_default();
        if socket.is_some() {
            context = Context::default();
        }
        if let Some(server) = server {
            context.socket = None;
            context.server = Some(server.to_string());
        }
        for (place, path) in [
            (&mut context.socket, socket),
            (&mut context.ca, ca),
            (&mut context.token_file, token_file),
            (&mut context.client_cert, client_cert),
            (&mut context.client_key, client_key),
        ] {
            if let Some(path) = path {
                // It is used from other folders, too.
                let path = std::path::absolute(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                *place = Some(path);
            }
        }
        context.check().map_err(|error| format!("context {name}: {error}"))?;
        if let Some(path) = &context.token_file {
            lb_files::private_file::read_private(path).map_err(|error| error.to_string())?;
        }
        contexts.contexts.insert(name, context);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::list::tests::table, *};

    fn set(name: &str) -> SetContext {
        SetContext {
            name: name.to_owned(),
            socket: None,
            server: None,
            ca: None,
            token_file: None,
            client_cert: None,
            client_key: None,
        }
    }

    #[test]
    fn contexts_are_set_and_listed() {
        let mut contexts = Contexts::default();
        let server = "https://lb1:7443".parse().ok();
        let lb1 = SetContext { server, ca: Some("/ca.pem".into()), ..set("lb1") };
        lb1.apply(&mut contexts).unwrap();
        let socket = Some("/run/xelb/xelb.sock".into());
        SetContext { socket, ..set("local") }.apply(&mut contexts).unwrap();
        contexts.current = Some("local".to_owned());
        assert_eq!(
            table(&CONTEXTS, rows(&contexts)),
            "CURRENT  NAME   AGENT                TOKEN FILE\n\
             \x20        lb1    https://lb1:7443     -\n\
             *        local  /run/xelb/xelb.sock  -\n"
        );
        let server = "https://lb2:7443".parse().ok();
        SetContext { server, ..set("local") }.apply(&mut contexts).unwrap();
        assert_eq!(contexts.named("local").unwrap().socket, None);
        assert_eq!(
            page(&rows(&contexts)[0]),
            "context         lb1\ncurrent         no\nagent           https://lb1:7443\n\
             ca              /ca.pem\n"
        );
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let mut contexts = Contexts::default();
        for (name, token_file, why) in [
            ("a b", None, "use up to 64 letters"),
            ("a", None, "context a: it has no socket and no server"),
            ("a", Some("/no/such/file"), "it has no socket"),
        ] {
            let token_file = token_file.map(PathBuf::from);
            let line = SetContext { token_file, ..set(name) };
            let error = line.apply(&mut contexts).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let server = "https://lb1:7443".parse().ok();
        let token_file = Some("/no/such/file".into());
        let line = SetContext { server, token_file, ..set("a") };
        assert!(line.apply(&mut contexts).unwrap_err().contains("cannot read /no/such/file"));
        assert_eq!(contexts, Contexts::default());
    }
}
