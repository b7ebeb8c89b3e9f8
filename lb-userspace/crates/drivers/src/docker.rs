//! The driver whose members are containers of Docker or Podman, over the Unix socket of its API
//! (Docker Engine API; Podman serves the same). The name of a member is that of its container; group
//! and template are labels. Images are not pulled.

mod container;
mod socket;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use http::{Method, StatusCode};
use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    driver::{Calling, Driver, Request},
    settings::SettingsError,
};
pub(crate) use container::GROUP_LABEL;
use container::{Inspected, Listed, TEMPLATE_LABEL};
use socket::Socket;

/// Containers of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerSettings {
    /// The image; it is there already.
    pub image: String,
    /// The port that members serve, in their containers.
    pub port: u16,
    /// The socket of the API.
    #[serde(default = "default_socket")]
    pub socket: PathBuf,
    /// The network whose address a member has. Default: the first that the engine names.
    #[serde(default)]
    pub network: Option<String>,
    /// The command; that of the image if it is empty.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables of its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The most memory of a member, in bytes; 0 for no limit.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Time between SIGTERM and SIGKILL, in seconds.
    #[serde(default = "default_stop_seconds")]
    pub stop_seconds: u32,
}

fn default_socket() -> PathBuf {
    "/run/docker.sock".into()
}

const fn default_stop_seconds() -> u32 {
    10
}

/// A driver of containers.
#[derive(Debug)]
pub struct DockerDriver {
    settings: DockerSettings,
    socket: Socket,
}

impl DockerDriver {
    /// The driver of these settings.
    pub fn new(settings: DockerSettings) -> Result<Self, SettingsError> {
        if settings.image.trim().is_empty() {
            return Err(SettingsError::new("image", "must not be empty"));
        }
        if settings.port == 0 {
            return Err(SettingsError::new("port", "expected 1 to 65535"));
        }
        if !settings.socket.is_absolute() {
            return Err(SettingsError::new("socket", "expected an absolute path"));
        }
        if settings.network.as_deref().is_some_and(|network| network == "host" || network == "none")
        {
            let reason = "members of the networks host and none have no address of their own";
            return Err(SettingsError::new("network", reason));
        }
        if let Some(key) =
            settings.environment.keys().find(|key| key.is_empty() || key.contains('='))
        {
            return Err(SettingsError::new(
                "environment",
                format!("{key:?} is no name of a variable"),
            ));
        }
        let socket = Socket::new(settings.socket.clone());
        Ok(Self { settings, socket })
    }

    async fn run(&self, request: &Request) -> CallResult {
        match request.verb {
            Verb::List => self.list(request).await.map(Answer::Members),
            Verb::Ensure => self.ensure(request).await.map(Answer::Member),
            Verb::End => self.end(request).await.map(|()| Answer::Done),
            Verb::Describe => self.existing(request).await.map(Answer::Member),
            Verb::Stop => {
                self.existing(request).await?;
                self.stop(&request.name).await.map(|()| Answer::Done)
            }
            Verb::Start => {
                self.existing(request).await?;
                self.start(&request.name).await?;
                self.existing(request).await.map(Answer::Member)
            }
        }
    }

    async fn list(&self, request: &Request) -> Result<Vec<Reported>, CallError> {
        let label = format!("{GROUP_LABEL}={}", request.group);
        let filters = json!({ "label": [label] }).to_string();
        let path = format!("/containers/json?all=true&filters={}", socket::escaped(&filters));
        let reply = self.socket.ask(Method::GET, &path, None).await?;
        let containers: Vec<Listed> = reply.expect(&[StatusCode::OK])?.parse()?;
        Ok(containers.iter().filter_map(|one| one.reported(&self.settings)).collect())
    }

    /// The container of this name, if there is one. It must be of the group.
    async fn find(&self, request: &Request) -> Result<Option<Reported>, CallError> {
        let path = format!("/containers/{}/json", request.name);
        let reply = self.socket.ask(Method::GET, &path, None).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let container: Inspected = reply.expect(&[StatusCode::OK])?.parse()?;
        if container.group() != Some(&request.group) {
            let message = format!(
                "there is a container {} that is no member of group {}",
                request.name, request.group
            );
            return Err(CallError::new(ErrorClass::Fatal, message));
        }
        Ok(Some(container.reported(&request.name, &self.settings)))
    }

    async fn existing(&self, request: &Request) -> Result<Reported, CallError> {
        self.find(request).await?.ok_or_else(|| {
            CallError::new(ErrorClass::Fatal, format!("there is no container {}", request.name))
        })
    }

    async fn ensure(&self, request: &Request) -> Result<Reported, CallError> {
        let found = if let Some(found) = self.find(request).await? {
            found
        } else {
            self.create(request).await?;
            self.existing(request).await?
        };
        // It was created by a call that was killed before it started it.
        if found.state == MemberState::Launching && found.address.is_none() {
            self.start(&request.name).await?;
            return self.existing(request).await;
        }
        Ok(found)
    }

    /// Creates it, or finds that another call has done so.
    async fn create(&self, request: &Request) -> Result<(), CallError> {
        let path = format!("/containers/create?name={}", request.name);
        let body = self.body(request);
        let reply = self.socket.ask(Method::POST, &path, Some(&body)).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Err(reply.error(ErrorClass::Template, "pull the image first")),
            StatusCode::BAD_REQUEST => Err(reply.error(ErrorClass::Template, "")),
            // Podman says 500 where Docker says 409.
            StatusCode::CONFLICT => Ok(()),
            StatusCode::INTERNAL_SERVER_ERROR if reply.says("already in use") => Ok(()),
            _ => reply.expect(&[StatusCode::CREATED]).map(drop),
        }
    }

    fn body(&self, request: &Request) -> Value {
        let settings = &self.settings;
        let environment: Vec<String> =
            settings.environment.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut body = json!({
            "Image": settings.image,
            "Env": environment,
            "Labels": { GROUP_LABEL: request.group, TEMPLATE_LABEL: request.template },
            "HostConfig": {
                // With it, a container that has exited was stopped by somebody.
                "RestartPolicy": { "Name": "unless-stopped" },
                "Memory": settings.memory_bytes,
            },
        });
        if !settings.command.is_empty() {
            body["Cmd"] = json!(settings.command);
        }
        if let Some(network) = &settings.network {
            body["HostConfig"]["NetworkMode"] = json!(network);
        }
        body
    }

    async fn start(&self, name: &str) -> Result<(), CallError> {
        let path = format!("/containers/{name}/start");
        let reply = self.socket.ask(Method::POST, &path, None).await?;
        // What it says of a command that cannot be run differs by engine, and so does the status.
        let is_wrong =
            ["executable file not found", "no such file or directory", "not found in $PATH"]
                .iter()
                .any(|words| reply.says(words));
        if is_wrong && reply.status != StatusCode::NOT_FOUND {
            return Err(reply.error(ErrorClass::Template, ""));
        }
        reply.expect(&[StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED]).map(drop)
    }

    async fn stop(&self, name: &str) -> Result<(), CallError> {
        let path = format!("/containers/{name}/stop?t={}", self.settings.stop_seconds);
        let reply = self.socket.ask(Method::POST, &path, None).await?;
        reply.expect(&[StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED]).map(drop)
    }

    async fn end(&self, request: &Request) -> Result<(), CallError> {
        let Some(member) = self.find(request).await? else { return Ok(()) };
        if member.state == MemberState::Running {
            self.stop(&request.name).await?;
        }
        let path = format!("/containers/{}?force=true&v=true", request.name);
        let reply = self.socket.ask(Method::DELETE, &path, None).await?;
        reply.expect(&[StatusCode::NO_CONTENT, StatusCode::OK, StatusCode::NOT_FOUND]).map(drop)
    }
}

impl Driver for DockerDriver {
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a> {
        Box::pin(async move {
            timeout(deadline, self.run(request)).await.unwrap_or_else(|_elapsed| {
                let message = format!(
                    "{} has not answered within {deadline:?}",
                    self.settings.socket.display()
                );
                Err(CallError::new(ErrorClass::Transient, message))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> DockerSettings {
        serde_json::from_value(json!({ "image": "web:1", "port": 80 })).unwrap()
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let refused = |settings| DockerDriver::new(settings).err().map(|error| error.key);
        assert_eq!(refused(settings()), None);
        assert_eq!(refused(DockerSettings { image: " ".to_owned(), ..settings() }), Some("image"));
        assert_eq!(refused(DockerSettings { port: 0, ..settings() }), Some("port"));
        assert_eq!(refused(DockerSettings { socket: "x".into(), ..settings() }), Some("socket"));
        let network = Some("host".to_owned());
        assert_eq!(refused(DockerSettings { network, ..settings() }), Some("network"));
        let environment = [("A=B".to_owned(), String::new())].into();
        assert_eq!(refused(DockerSettings { environment, ..settings() }), Some("environment"));
    }
}
