//! Options of `xelb agent` that say who may use its API.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use lb_api::access::{
    AccessError, AccessOptions, Authority, AuthorityFiles, ReadSocket, Remote, group,
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Access to the API")]
pub(super) struct Access {
    /// Group whose members may change everything through --socket; that of the agent without it
    #[arg(long, value_name = "GROUP")]
    socket_group: Option<String>,
    /// A second socket, whose users may look and change nothing
    #[arg(long, value_name = "PATH", requires = "read_group")]
    read_socket: Option<PathBuf>,
    /// Group whose members may use --read-socket
    #[arg(long, value_name = "GROUP", requires = "read_socket")]
    read_group: Option<String>,
    /// Listen for TLS at this address, too; everybody needs a credential there
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        requires_all = ["tls_cert", "tls_key", "tokens"],
    )]
    listen: Option<SocketAddr>,
    /// Certificate for --listen, with those between it and its authority (PEM)
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert (PEM), readable by nobody else
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_key: Option<PathBuf>,
    /// Authorities of client certificates (PEM); --tokens says what each of them may do
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_client_ca: Option<PathBuf>,
    /// Who may use --listen, and what for: a line for each token (`xelb token` makes them) and each
    /// certificate
    #[arg(long, value_name = "FILE", requires = "listen")]
    tokens: Option<PathBuf>,
}

impl Access {
    /// Checks it, and reads the files.
    pub(super) fn options(self, socket: &Path) -> Result<AccessOptions, AccessError> {
        let socket_group =
            self.socket_group.map(|name| group("--socket-group", &name)).transpose()?;
        let read = match (self.read_socket, self.read_group) {
            (Some(path), Some(name)) => {
                if path == socket {
                    return Err(AccessError::OnePlace { path: path.display().to_string() });
                }
                Some(ReadSocket { path, group: group("--read-group", &name)? })
            }
            _ => None,
        };
        let remote = match (self.listen, self.tls_cert, self.tls_key, self.tokens) {
            (Some(address), Some(certificate), Some(key), Some(tokens)) => {
                let client_ca = self.tls_client_ca;
                let files = AuthorityFiles { certificate, key, client_ca, tokens };
                Some(Remote { address, authority: Arc::new(Authority::load(files)?) })
            }
            // Clap lets through all of them, or none.
            _ => None,
        };
        Ok(AccessOptions { socket_group, read, remote })
    }
}
