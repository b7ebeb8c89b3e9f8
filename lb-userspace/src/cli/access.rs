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
    /// Group whose members may change everything through --socket [default: group of the agent's
    /// process]
    #[arg(long, value_name = "GROUP")]
    socket_group: Option<String>,
    /// Second socket, for read-only access
    #[arg(long, value_name = "PATH", requires = "read_group")]
    read_socket: Option<PathBuf>,
    /// Group whose members may use --read-socket
    #[arg(long, value_name = "GROUP", requires = "read_socket")]
    read_group: Option<String>,
    /// Also serve the API over TLS at this address; every client needs a token or a certificate
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        requires_all = ["tls_cert", "tls_key", "tokens"],
    )]
    listen: Option<SocketAddr>,
    /// Server certificate for --listen, with its intermediate certificates (PEM)
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert (PEM); readable only by its owner and its group
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_key: Option<PathBuf>,
    /// CA certificates that client certificates are verified with (PEM); --tokens gives each client
    /// a role
    #[arg(long, value_name = "FILE", requires = "listen")]
    tls_client_ca: Option<PathBuf>,
    /// File with the clients of --listen and their roles: a line for each token (`xelb token`
    /// prints it) and for each client certificate
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
            // Clap accepts all of them, or none.
            _ => None,
        };
        Ok(AccessOptions { socket_group, read, remote })
    }
}
