//! Making the agent's socket: one agent a socket, no leftovers in the way.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::Path,
};

use thiserror::Error;
use tokio::net::UnixListener;

/// Owner and group may use it.
const SOCKET_MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another agent answers.
    #[error(
        "another agent answers at {path}; stop it first, or give this one another socket with \
         --socket"
    )]
    InUse {
        /// The socket.
        path: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Listens at `path`. A socket that nobody answers at is replaced.
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |action| {
        let path = path.display().to_string();
        move |source| BindError::Io { action, path, source }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
    }
    match UnixStream::connect(path) {
        Ok(_) => {
            return Err(BindError::InUse { path: path.display().to_string() });
        }
        // The kernel refuses connections to files that are no sockets, too: those stay.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path).map_err(failed("replace the dead socket"))?;
        }
        // Nothing there, or something that binding will name.
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed("listen at"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))
        .map_err(failed("set the permissions of"))?;
    Ok(listener)
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}
