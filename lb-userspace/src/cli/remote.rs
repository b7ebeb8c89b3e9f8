//! Options of all commands that ask an agent which is not on this host.

use std::{env, path::PathBuf};

use clap::Args;
use lb_api::{Server, TlsTransport, TokenSource, access::Token};

/// Holds a token where there is no --token-file.
const TOKEN_VARIABLE: &str = "XELB_TOKEN";

#[derive(Debug, Args)]
#[command(next_help_heading = "An agent on another host")]
pub(super) struct RemoteAgent {
    /// Use the API of this agent over TLS; overrides --socket
    #[arg(long, value_name = "https://HOST:PORT", env = "XELB_SERVER")]
    server: Option<Server>,
    /// CA certificates that the agent's certificate is verified with (PEM) [default: CA
    /// certificates of this host]
    #[arg(long, value_name = "FILE", env = "XELB_CA")]
    ca: Option<PathBuf>,
    /// File with the token, readable only by its owner and its group; overrides the environment
    /// variable `XELB_TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of --client-cert (PEM); readable only by its owner and its group
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

impl RemoteAgent {
    /// Its transport, if one is configured.
    pub(super) fn transport(&self) -> Option<TlsTransport> {
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
