//! What paths, queries and headers may carry: read by the handlers, and described in the OpenAPI
//! document. How a wrong one is refused is not said here, but in [`super::extract`].
//!
//! Numbers of 64 bits without a sign are described as `usize`: the format that OpenAPI has for them,
//! `int64`, leaves out half of what is taken.

use std::net::SocketAddr;

use axum::{
    extract::FromRequestParts,
    http::{header::IF_MATCH, request::Parts},
};
use lb_config::{Protocol, Selector, TargetAddress};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::failure::Failure;

/// A target group of the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfGroup {
    /// Name of the target group.
    pub(super) group: String,
}

/// A target of the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfTarget {
    /// Name of the target group.
    pub(super) group: String,
    /// Address of the target, without brackets, or the DNS name that its addresses come from.
    #[param(value_type = String)]
    pub(super) address: TargetAddress,
}

/// Which of several targets of an address.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OnPort {
    /// Port of the target, where the address alone does not name it.
    #[param(maximum = 65535)]
    pub(super) port: Option<u16>,
}

/// A revision of the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfRevision {
    /// Number of the revision.
    #[param(value_type = usize)]
    pub(super) number: u64,
}

/// The requested part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Only items whose tags fit, such as `env=prod,tier in (web,api),!old`.
    #[serde(default, deserialize_with = "selector")]
    #[param(value_type = Option<String>)]
    pub(super) selector: Option<Selector>,
    /// Number of items to skip.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    pub(super) offset: usize,
    /// Maximum number of items; default: all.
    #[param(value_type = Option<usize>)]
    pub(super) limit: Option<usize>,
}

/// The requested targets.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PartOfTargets {
    /// Only targets of this group; none when there is no such group.
    pub(super) group: Option<String>,
    /// Only targets whose tags fit, such as `env=prod,tier in (web,api),!old`.
    #[serde(default, deserialize_with = "selector")]
    #[param(value_type = Option<String>)]
    pub(super) selector: Option<Selector>,
    /// Number of items to skip.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    pub(super) offset: usize,
    /// Maximum number of items; default: all.
    #[param(value_type = Option<usize>)]
    pub(super) limit: Option<usize>,
}

/// The requested revisions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Before {
    /// Only revisions below this number: `next` of the previous answer.
    #[param(value_type = Option<usize>)]
    pub(super) before: Option<u64>,
    /// Maximum number of revisions; default: all.
    #[param(value_type = Option<usize>)]
    pub(super) limit: Option<usize>,
}

/// What a revision is compared with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct To {
    /// Number of the other revision.
    #[param(value_type = usize)]
    pub(super) to: u64,
}

/// The requested events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    /// Number of the first event; default: the oldest kept event.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    pub(super) since: u64,
    /// Seconds to wait for the next event if there is none yet; default: 0.
    #[serde(default)]
    #[param(value_type = Option<usize>, maximum = 30)]
    pub(super) wait: u64,
}

/// The packet to explain.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Ends {
    /// The client: ADDRESS:PORT, or [ADDRESS]:PORT for IPv6.
    #[param(value_type = String, example = "198.51.100.7:40000")]
    pub(super) from: SocketAddr,
    /// The destination, in the same form.
    #[param(value_type = String, example = "203.0.113.10:80")]
    pub(super) to: SocketAddr,
    /// Protocol of the packet; default: tcp.
    #[serde(default = "tcp", deserialize_with = "protocol")]
    #[param(inline, value_type = Option<PacketProtocol>)]
    pub(super) protocol: Protocol,
    /// Whether the packet belongs to an established flow; default: false, it begins one.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) established: bool,
}

fn selector<'text, D: Deserializer<'text>>(text: D) -> Result<Option<Selector>, D::Error> {
    let text = String::deserialize(text)?;
    text.parse().map(Some).map_err(|error| D::Error::custom(format!("`selector`: {error}")))
}

/// Protocol of a packet.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum PacketProtocol {
    Tcp,
    Udp,
    Quic,
}

const fn tcp() -> Protocol {
    Protocol::Tcp
}

fn protocol<'text, D: Deserializer<'text>>(text: D) -> Result<Protocol, D::Error> {
    match PacketProtocol::deserialize(text) {
        Ok(PacketProtocol::Tcp) => Ok(Protocol::Tcp),
        Ok(PacketProtocol::Udp) => Ok(Protocol::Udp),
        Ok(PacketProtocol::Quic) => Ok(Protocol::Quic),
        Err(_) => Err(D::Error::custom("`protocol` must be tcp, udp or quic")),
    }
}

/// How a change is made.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Forced {
    /// Whether listeners may be left without targets that take flows; default: false.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) force: bool,
    /// Why, for the history: at most 1,000 characters.
    #[param(value_type = Option<String>, max_length = 1000)]
    pub(super) message: Option<Reason>,
}

/// How a configuration is replaced.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Applied {
    /// Whether listeners may be left without targets that take flows; default: false.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) force: bool,
    /// Whether objects in service that the configuration leaves out are removed; default: false,
    /// the change is refused.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) prune: bool,
    /// Why, for the history: at most 1,000 characters.
    #[param(value_type = Option<String>, max_length = 1000)]
    pub(super) message: Option<Reason>,
}

/// Why a change is made, in the words of who asks.
#[derive(Default)]
pub(super) struct Reason(pub(super) String);

/// Characters of a reason.
const REASON_MAX: usize = 1000;

impl<'text> Deserialize<'text> for Reason {
    fn deserialize<D: Deserializer<'text>>(text: D) -> Result<Self, D::Error> {
        let text = String::deserialize(text)?;
        let count = text.chars().count();
        if count > REASON_MAX {
            let message = format!("`message` has {count} characters; at most {REASON_MAX}");
            return Err(D::Error::custom(message));
        }
        Ok(Self(text))
    }
}

/// How a target is changed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Changed {
    /// Port of the target, where the address alone does not name it.
    #[param(maximum = 65535)]
    pub(super) port: Option<u16>,
    /// Whether listeners may be left without targets that take flows; default: false.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) force: bool,
    /// Why, for the history: at most 1,000 characters.
    #[param(value_type = Option<String>, max_length = 1000)]
    pub(super) message: Option<Reason>,
}

/// How a target is removed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Removed {
    /// Port of the target, where the address alone does not name it.
    #[param(maximum = 65535)]
    pub(super) port: Option<u16>,
    /// Whether its flows end at once; default: false, they have the deregistration delay.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) now: bool,
    /// Whether listeners may be left without targets that take flows; default: false.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub(super) force: bool,
    /// Why, for the history: at most 1,000 characters.
    #[param(value_type = Option<String>, max_length = 1000)]
    pub(super) message: Option<Reason>,
}

/// Where a stream begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is only in the document; watch.rs reads the header")]
pub(super) struct LastEvent {
    /// The stream begins with the event after this one; default: the next event.
    #[param(rename = "last-event-id", value_type = Option<usize>)]
    number: Option<u64>,
}

/// The revision that a change was made from, by the header `if-match`.
pub(super) struct Base(pub(super) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(tag) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = tag.to_str().unwrap_or_default();
        let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => Ok(Self(Some(number))),
            None => Err(Failure::bad_request(format!(
                "`if-match` is {text} and must be the `etag` of the configuration, such as \"7\""
            ))),
        }
    }
}

impl IntoParams for Base {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // What fits into 64 bits.
        let tag = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^\"[0-9]{1,19}\"$"));
        let parameter = ParameterBuilder::new()
            .name("if-match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The `etag` of the configuration that the change is based on. The change is \
                 refused if another configuration is current.",
            ))
            .schema(Some(tag));
        vec![parameter.build()]
    }
}
