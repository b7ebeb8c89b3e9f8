//! Auto scaling of a target group: how many targets it should have is in `lb_scale`'s settings, and
//! this says by which driver they come and go.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use lb_scale::CheckedSettings;
use serde::{Deserialize, Serialize};

use super::{health::ReportPlace, tags::Tags};
use crate::Document;

/// The `scaling` of a target group.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// How many targets there should be.
    pub settings: Arc<CheckedSettings>,
    /// What starts and ends them.
    pub driver: Driver,
    /// What runs before a new member takes traffic.
    pub launch_hook: Option<Hook>,
    /// What runs before a drained member is ended.
    pub terminate_hook: Option<Hook>,
    /// The least healthy members of an instance refresh, in percent of the desired capacity.
    pub min_healthy_percent: u32,
    /// Which members end first; the next one decides where one sees no difference.
    pub termination: Vec<Termination>,
    /// Members that are kept ready.
    pub warm_pool: Option<WarmPool>,
    /// Metrics from outside, which policies may name.
    pub metrics: Vec<Metric>,
    /// Tags of its members.
    pub tags: Tags,
}

/// Numbers of checked settings are finite.
impl Eq for Scaling {}

/// A metric from outside: a number for the work of the whole group, or what each target reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, unique in its group.
    pub name: String,
    /// Where it comes from.
    pub source: MetricSource,
    /// How old a value may be.
    pub max_age: Duration,
}

/// Where a metric comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricSource {
    /// A Prometheus server is asked.
    Prometheus {
        /// Its URL, without `/api/v1`.
        url: String,
        /// An expression with one value.
        query: String,
        /// The CA certificates to trust; those of the host if not set.
        ca: Option<PathBuf>,
    },
    /// A program prints it.
    Exec {
        /// Its file, and its arguments; not empty.
        command: Vec<String>,
        /// How long it may run.
        timeout: Duration,
    },
    /// Each target reports its own, from 0 to 1, with the answers to its health checks.
    Report(ReportPlace),
    /// Somebody sends it to the API.
    Post,
}

/// What starts and ends the members of a group. It is stored with them, so that they can be ended
/// when it has left the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// A program.
    Exec {
        /// Its file.
        program: PathBuf,
        /// What it creates members from: any keys.
        parameters: Document,
    },
    /// Declared targets, which are neither started nor ended.
    Static {
        /// Where they are; at least one, none twice.
        targets: Vec<SocketAddr>,
    },
    /// A server.
    Webhook {
        /// Where it is.
        url: String,
        /// The file with the key of its signatures.
        secret_file: PathBuf,
        /// The CA certificates to trust; those of the host if not set.
        ca: Option<PathBuf>,
        /// What it creates members from: any keys.
        parameters: Document,
    },
    /// systemd of this host.
    Systemd(Units),
    /// Docker or Podman of this host.
    Docker(Containers),
}

/// Members that are instances of a template unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// The template unit, such as `app@.service`.
    pub unit: String,
    /// Addresses of this host; at least one, none twice.
    pub addresses: Vec<IpAddr>,
    /// The first and the last port.
    pub ports: [u16; 2],
    /// Another text makes another template.
    pub revision: Option<String>,
}

/// Members that are containers of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containers {
    /// The image, which the engine has.
    pub image: String,
    /// The port that members serve, in their containers.
    pub port: u16,
    /// The socket of the engine.
    pub socket: PathBuf,
    /// The network whose address a member has; the engine's choice if not set.
    pub network: Option<String>,
    /// The command; that of the image if it is empty.
    pub command: Vec<String>,
    /// Variables of its environment.
    pub environment: BTreeMap<String, String>,
    /// The most memory of a member, in bytes; 0 for no limit.
    pub memory_bytes: u64,
    /// Time between SIGTERM and SIGKILL; whole seconds.
    pub stop_timeout: Duration,
    /// Another text makes another template.
    pub revision: Option<String>,
}

impl Driver {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exec { .. } => "exec",
            Self::Static { .. } => "static",
            Self::Webhook { .. } => "webhook",
            Self::Systemd(_) => "systemd",
            Self::Docker(_) => "docker",
        }
    }

    /// Whether it runs something on this host.
    pub(crate) const fn runs_here(&self) -> bool {
        match self {
            Self::Exec { .. } | Self::Systemd(_) | Self::Docker(_) => true,
            Self::Static { .. } | Self::Webhook { .. } => false,
        }
    }
}

/// A lifecycle hook: a program that runs while a member waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its file.
    pub program: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether a member goes on if the program does not end in time.
    pub continues: bool,
}

/// Which of two members ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// The one with fewer flows.
    LeastFlows,
    /// The one that was launched last.
    Newest,
    /// The one that was launched first.
    Oldest,
    /// The one of another template than that of new members.
    OldTemplate,
}

/// Members that are launched before they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmPool {
    /// How many.
    pub size: u32,
    /// Whether they run; else they are stopped.
    pub running: bool,
}
