//! The drivers that are built in, by their settings.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    docker::{DockerDriver, DockerSettings},
    driver::Driver,
    settings::SettingsError,
    static_targets::StaticDriver,
    systemd::{SystemdDriver, SystemdSettings},
};

/// A driver that is built in, as an object with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BuiltInSettings {
    /// Instances of a template unit.
    Systemd(SystemdSettings),
    /// Containers of Docker or Podman.
    Docker(DockerSettings),
    /// Targets that exist already.
    Static(StaticSettings),
}

impl BuiltInSettings {
    /// The driver of these settings.
    pub fn driver(self) -> Result<Box<dyn Driver>, SettingsError> {
        Ok(match self {
            Self::Systemd(settings) => Box::new(SystemdDriver::new(settings)?),
            Self::Docker(settings) => Box::new(DockerDriver::new(settings)?),
            Self::Static(StaticSettings { addresses, file }) => {
                Box::new(StaticDriver::new(addresses, file))
            }
        })
    }
}

/// Targets that exist already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticSettings {
    /// Addresses with ports, in the order in which they are assigned.
    pub addresses: Vec<SocketAddr>,
    /// Where assignments are kept: one file for each group.
    pub file: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_objects_with_one_key() {
        let text = r#"{"systemd": {"unit": "app@.service", "addresses": ["10.0.0.5"],
                       "ports": [9000, 9099]}}"#;
        let settings: BuiltInSettings = serde_json::from_str(text).unwrap();
        let BuiltInSettings::Systemd(settings) = settings else { panic!("{settings:?}") };
        assert_eq!(settings.ports, [9000, 9099]);
        assert_eq!(settings.directory, PathBuf::from("/var/lib/xelb/members"));
        let text = r#"{"docker": {"image": "web:1", "port": 80, "imagge": "x"}}"#;
        let error = serde_json::from_str::<BuiltInSettings>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `imagge`"), "{error}");
    }
}
