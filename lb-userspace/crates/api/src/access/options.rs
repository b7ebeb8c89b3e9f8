//! Access options of the command line, checked before anything is changed.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use nix::unistd::{Gid, Group};

use super::{AccessError, Authority};

/// Who may use the API in addition to the clients of the main socket.
#[derive(Clone, Debug, Default)]
pub struct AccessOptions {
    /// Group of the main socket.
    pub socket_group: Option<Gid>,
    /// A second socket, for readers.
    pub read: Option<ReadSocket>,
    /// A TCP listener.
    pub remote: Option<Remote>,
}

/// A socket whose users may only look.
#[derive(Clone, Debug)]
pub struct ReadSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub group: Gid,
}

/// A TCP listener, TLS only.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it listens.
    pub address: SocketAddr,
    /// The group that may use it.
    pub authority: Arc<Authority>,
}

/// The group with this name or number, for this option.
pub fn group(option: &'static str, name: &str) -> Result<Gid, AccessError> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let named = || name.to_owned();
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(AccessError::NoGroup { option, name: named() }),
        Err(source) => Err(AccessError::Groups { option, name: named(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_and_numbers() {
        assert_eq!(group("--read-group", "root").unwrap(), Gid::from_raw(0));
        assert_eq!(group("--read-group", "4711").unwrap(), Gid::from_raw(4711));
        for name in ["no-such-group", "", "-1", "99999999999"] {
            let error = group("--read-group", name).unwrap_err();
            assert!(matches!(error, AccessError::NoGroup { .. }), "{name}: {error:?}");
            assert!(error.to_string().starts_with("--read-group: there is no group `"), "{error}");
        }
    }
}
