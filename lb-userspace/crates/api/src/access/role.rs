//! PURE: what a caller may do.

use std::{fmt, str::FromStr};

/// Roles of callers. All include `Read`, and `Configure` includes all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at everything, changes nothing.
    Read,
    /// Serves the listeners of the proxy: reads what those need, and reports.
    Proxy,
    /// Takes targets out of service and back, and weighs them.
    Operate,
    /// Changes everything.
    Configure,
}

impl Role {
    /// All of them, from the weakest on.
    pub const ALL: [Self; 4] = [Self::Read, Self::Proxy, Self::Operate, Self::Configure];

    /// Whether a caller with this role may do what needs another one.
    #[must_use]
    pub fn permits(self, needed: Self) -> bool {
        matches!(self, Self::Configure) || matches!(needed, Self::Read) || self == needed
    }

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Proxy => "proxy",
            Self::Operate => "operate",
            Self::Configure => "configure",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            format!("`{name}` is not a role; use `read`, `proxy`, `operate` or `configure`")
        })
    }
}

/// Who asks. Every handler finds it among the extensions of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `NAME (uid N)` on a Unix socket, else the name of the token or of the certificate.
    pub name: String,
    /// The role of the caller.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_named() {
        assert!(Role::ALL.is_sorted());
        assert!(!Role::Operate.permits(Role::Proxy), "the feed has secrets");
        assert!(!Role::Proxy.permits(Role::Operate), "a proxy changes nothing");
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for wrong in ["", "Read", "admin", "read "] {
            let error = wrong.parse::<Role>().unwrap_err();
            assert!(error.starts_with(&format!("`{wrong}` is not a role; use")), "{error}");
        }
    }
}
