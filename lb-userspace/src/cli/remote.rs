//! Options of all commands that ask an agent which may be on another host.

use std::path::PathBuf;

use clap::Args;
use lb_api::Server;

use super::{complete, context::Options};

#[derive(Debug, Args)]
#[command(next_help_heading = "An agent on another host")]
pub(super) struct RemoteAgent {
    /// Ask the agent of this context; see `xelb context` [env: XELB_CONTEXT]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["socket", "server"],
        add = complete::contexts())]
    context: Option<String>,
    /// Use the API of this agent over TLS; overrides --socket [env: XELB_SERVER]
    #[arg(long, value_name = "https://HOST:PORT")]
    server: Option<Server>,
    /// CA certificates that the agent's certificate is verified with (PEM) [env: XELB_CA] [default: CA
    /// certificates of this host]
    #[arg(long, value_name = "FILE")]
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
    /// What the options say, with the socket of another one.
    pub(super) fn options(&self, socket: Option<PathBuf>) -> Options {
        Options {
            context: self.context.clone(),
            socket,
            server: self.server.clone(),
            ca: self.ca.clone(),
            token_file: self.token_file.clone(),
            identity: self.client_cert.clone().zip(self.client_key.clone()),
        }
    }
}
