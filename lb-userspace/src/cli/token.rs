//! `xelb token`.

use anyhow::Context as _;
use clap::Args;
use lb_api::access::{Role, Token, is_name};

use super::output;

/// Generate a token for a client that uses the API from another host
///
/// It prints the token and a line for the file of `xelb agent --tokens`. The line has only the
/// SHA-256 of the token, and the token is stored nowhere. The agent reads that file when it starts
/// and on SIGHUP.
///
/// Example: xelb token alice operate
#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    /// Name of the client, for logs and revisions
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Role of the client: `read`, `proxy` (a `xelb proxy` on another host), `operate` (also drain
    /// targets and change their weights) or `configure` (everything)
    #[arg(value_name = "ROLE")]
    role: Role,
}

impl TokenCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { name, role } = self;
        let token = Token::random().ok().context("cannot generate a random token")?;
        let (secret, digest) = (token.reveal(), token.digest());
        output::print(&format!("token: {secret}\nline:  {name} {role} {digest}\n"))
    }
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err("use up to 64 letters, digits and any of `-_.@`".to_owned())
}
