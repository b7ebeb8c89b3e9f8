//! The file of contexts: agents by name, with what is needed to ask them. It holds no secrets, but who
//! writes it says where tokens are sent: it has to be as private as a token.

use std::{
    collections::BTreeMap,
    env, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use lb_api::{ClientError, Server};
use lb_files::private_file::{FileError, read_private};
use serde::{Deserialize, Serialize};

use super::super::part_change::wrong;

/// All contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one that holds where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<String>,
    #[serde(default)]
    pub(super) contexts: BTreeMap<String, Context>,
}

/// An agent: its socket, or its server and what that needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) socket: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_key: Option<PathBuf>,
}

impl Context {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(server) = &self.server {
            server.parse::<Server>()?;
        }
        match (&self.socket, &self.server) {
            (Some(_), Some(_)) => return Err("it has a socket and a server".to_owned()),
            (None, None) => return Err("it has no socket and no server".to_owned()),
            _ => {}
        }
        let of_server = [&self.ca, &self.token_file, &self.client_cert, &self.client_key];
        if self.server.is_none() && of_server.into_iter().any(Option::is_some) {
            return Err("a socket needs no ca, token_file, client_cert or client_key".to_owned());
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return Err("client_cert and client_key belong together".to_owned());
        }
        Ok(())
    }
}

impl Contexts {
    /// The context of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&Context, String> {
        let found = self.contexts.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            match names.as_slice() {
                [] => format!(
                    "there is no context {name}, and no other; `xelb context set {name} --server \
                     https://HOST:PORT` makes it"
                ),
                names => format!("there is no context {name}; there are {}", names.join(", ")),
            }
        })?;
        found.check().map_err(|error| format!("context {name}: {error}"))?;
        Ok(found)
    }

    /// The names of all.
    pub(crate) fn names(&self) -> Vec<String> {
        self.contexts.keys().cloned().collect()
    }

    /// Reads the user's file; without it, there are no contexts.
    pub(crate) fn read() -> Result<Self, ClientError> {
        match path() {
            Some(path) => Self::read_from(&path),
            None => Ok(Self::default()),
        }
    }

    fn read_from(path: &Path) -> Result<Self, ClientError> {
        let text = match read_private(path) {
            Ok(text) => text,
            Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(ClientError::Invalid(error.to_string())),
        };
        let read: Result<Option<Self>, _> = serde_saphyr::from_str(&text);
        read.map(Option::unwrap_or_default)
            .map_err(|error| ClientError::Invalid(format!("{}: {error}", path.display())))
    }

    /// Replaces the user's file.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let path = path().ok_or_else(|| {
            wrong("there is no place for contexts: set HOME or XDG_CONFIG_HOME".to_owned())
        })?;
        self.write_to(&path).map_err(|error| {
            anyhow::Error::new(error).context(format!("cannot write {}", path.display()))
        })
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let text = serde_saphyr::to_string(self).map_err(io::Error::other)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Only its owner may read such a file.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

/// Where the user's file is.
fn path() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG Base Directory Specification asks for absolute paths.
    let config = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let config = config.or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(config.join("xelb").join("contexts.yaml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn contexts_are_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/contexts.yaml");
        assert_eq!(Contexts::read_from(&path).unwrap(), Contexts::default());
        let local = Context { socket: Some("/run/xelb/a.sock".into()), ..Context::default() };
        let contexts = Contexts {
            current: Some("local".to_owned()),
            contexts: BTreeMap::from([("local".to_owned(), local)]),
        };
        contexts.write_to(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Contexts::read_from(&path).unwrap(), contexts);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = Contexts::read_from(&path).unwrap_err().to_string();
        assert!(error.contains("has mode 0666"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.yaml");
        for (text, why) in [
            ("current: [", "contexts.yaml: "),
            ("contexts: { a: { url: x } }", "unknown field `url`"),
            ("contexts: {}", "there is no context a, and no other"),
            ("contexts: { b: { socket: /x } }", "there is no context a; there are b"),
            ("contexts: { a: {} }", "context a: it has no socket and no server"),
            ("contexts: { a: { server: x } }", "context a: `x` is not https://HOST:PORT"),
            ("contexts: { a: { socket: /x, ca: /y } }", "a socket needs no ca"),
            (
                "contexts: { a: { server: 'https://h:1', client_key: /y } }",
                "client_cert and client_key belong together",
            ),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = match Contexts::read_from(&path) {
                Ok(contexts) => contexts.named("a").unwrap_err(),
                Err(error) => error.to_string(),
            };
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
