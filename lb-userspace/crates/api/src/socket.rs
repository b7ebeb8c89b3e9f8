//! Creating and removing the agent's socket: one agent per socket, and leftovers are replaced.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
};

use nix::unistd::Gid;
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;
use tokio::net::UnixListener;

/// Owner and group may use it.
const SOCKET_MODE: u32 = 0o660;

/// Connections that wait to be accepted.
const QUEUE: i32 = 1024;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another agent answers.
    #[error("another agent answers at {path}; stop it first, or use another path with --socket")]
    InUse {
        /// The socket.
        path: String,
    },
    /// Something else has the name. It is not a leftover socket, so it stays.
    #[error("{path} exists and is not a socket; move it away, or use another path with --socket")]
    NotASocket {
        /// The existing file.
        path: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// The failed action.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// The socket's file: removed when this is dropped, unless another agent has put its own there.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).ok() == Some(self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot remove {}", self.path.display());
        }
    }
}

/// Listens at `path`, for the members of a group. A socket without a listening process is replaced.
pub(super) fn bind(
    path: &Path,
    group: Option<Gid>,
) -> Result<(UnixListener, SocketFile), BindError> {
    let failed = |action| {
        let path = path.display().to_string();
        move |source| BindError::Io { action, path, source }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
    }
    remove_leftover(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("make"))?;
    SockAddr::unix(path).and_then(|at| socket.bind(&at)).map_err(failed("listen at"))?;
    let identity = identity(path).map_err(failed("look at"))?;
    let file = SocketFile { path: path.to_path_buf(), identity };
    let group = group.map(Gid::as_raw);
    lchown(path, None, group).map_err(failed("set the group of"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))
        .map_err(failed("set the permissions of"))?;
    // No client can connect before owner and group are set.
    let listener = listen(socket).map_err(failed("listen at"))?;
    Ok((listener, file))
}

fn listen(socket: Socket) -> io::Result<UnixListener> {
    socket.listen(QUEUE)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

fn remove_leftover(path: &Path) -> Result<(), BindError> {
    let shown = || path.display().to_string();
    // A regular file refuses connections just as a dead socket does, hence this look first.
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: shown() });
        }
        _ => {}
    }
    match probe(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| BindError::Io {
                action: "replace the leftover socket",
                path: shown(),
                source,
            }),
        // A queue that is full belongs to an agent that is busy, not to a dead one.
        Err(error) if error.kind() != ErrorKind::WouldBlock => Ok(()),
        Ok(()) | Err(_) => Err(BindError::InUse { path: shown() }),
    }
}

/// Connects without waiting.
fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
