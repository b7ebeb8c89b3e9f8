//! Options of all commands that ask an agent which is not on this host.

use std::{env, path::PathBuf};

use clap::Args;
use lb_api::{Server, TlsTransport, TokenSource, access::Token};

/// Holds a token where there is no --token-file.
const TOKEN_VARIABLE: &str = "XELB_TOKEN";

#[derive(Debug, Args)]
#[command(next_help_heading = "An agent on another host")]
pub(super) struct RemoteAgent {
    /// Agent that listens for TLS; counts for more than --socket
    #[arg(long, value_name = "https://HOST:PORT")]
    server: Option<Server>,
    /// Authorities that may have signed the agent's certificate (PEM); those of this host without
    /// it
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File with a token, readable by nobody else; `XELB_TOKEN` may hold one, too
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificate to show to the agent (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of --client-cert (PEM), readable by nobody else
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

impl RemoteAgent {
    /// The way to it, if one is named.
    pub(super) fn way(&self) -> Option<TlsTransport> {
        let given = || env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
        let token = match &self.token_file {
            Some(path) => Some(TokenSource::File(path.clone())),
            None => given().map(|token| TokenSource::Given(Token::new(token))),
        };
        Some(TlsTransport {
            server: self.server.clone()?,
            ca: self.ca.clone(),
            token,
            identity: self.client_cert.clone().zip(self.client_key.clone()),
        })
    }
}
