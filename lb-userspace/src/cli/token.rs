//! `xelb token`.

use anyhow::Context as _;
use clap::Args;
use lb_api::access::{Role, Token, is_name};

use super::output;

/// Make a token for somebody who uses the API from another host
///
/// Prints the token, which is kept nowhere, and a line for the file of `xelb agent --tokens`, which
/// holds its SHA-256 alone. The agent reads that file at its start and on SIGHUP.
///
/// Example: xelb token alice operate
#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    /// Whose it is: it stands in logs and revisions
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it is for: `read`, `operate` (also drain and weigh targets) or `configure` (everything)
    #[arg(value_name = "ROLE")]
    role: Role,
}

impl TokenCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { name, role } = self;
        let token = Token::random().ok().context("there are no random numbers")?;
        let (secret, digest) = (token.reveal(), token.digest());
        output::print(&format!("token: {secret}\nline:  {name} {role} {digest}\n"))
    }
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name has up to 64 letters, digits and any of `-_.@`".to_owned())
}
