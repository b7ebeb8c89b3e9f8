//! PURE: whether a condition holds for a request. How rules are found quickly is not here.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::{
    condition::{Condition, QueryValue},
    pattern::{BadEscape, Case, Escapes, Pattern},
    request::RequestHead,
};

/// A condition whose patterns are read.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Host(Vec<Pattern>),
    Path(Vec<Pattern>),
    Method(Vec<String>),
    Header { name: String, values: Vec<Pattern> },
    Query(Vec<(Option<Pattern>, Pattern)>),
    SourceIp(Vec<IpNet>),
    Regex(RegexCondition),
}

/// Regular expressions of a condition, with their numbers in the rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegexCondition {
    pub(crate) subject: Subject,
    pub(crate) values: Vec<String>,
    /// Number of the subject; expressions of one subject are evaluated together.
    pub(crate) set: usize,
    /// Number of each expression in its set.
    pub(crate) places: Vec<usize>,
}

/// What regular expressions are applied to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Host,
    Path,
    /// Any line of the header of this name, which is in lower case.
    Header(String),
}

/// A request, and what is derived from it once for all conditions.
pub(crate) struct Subjects<'a> {
    pub(crate) request: &'a RequestHead<'a>,
    /// [`RequestHead::bare_host`].
    pub(crate) host: &'a str,
    peer: IpAddr,
}

/// Answers whether one of several regular expressions matches.
pub(crate) trait RegexAnswers {
    /// Whether one of the expressions matches the subject; for a header, one of its lines.
    fn any(&mut self, condition: &RegexCondition, subjects: &Subjects<'_>) -> bool;
}

impl<'a> Subjects<'a> {
    pub(crate) fn new(request: &'a RequestHead<'a>, host: &'a str) -> Self {
        Self { request, host, peer: request.peer.to_canonical() }
    }
}

impl Matcher {
    pub(crate) fn new(condition: &Condition) -> Result<Self, BadEscape> {
        let patterns = |values: &[String], case| -> Result<Vec<Pattern>, BadEscape> {
            values.iter().map(|value| Pattern::new(value, Escapes::No, case)).collect()
        };
        // `number` gives the numbers when all rules are there.
        let regex = |subject, values: &[String]| {
            let (values, places) = (values.to_vec(), Vec::new());
            Self::Regex(RegexCondition { subject, values, set: 0, places })
        };
        Ok(match condition {
            // Hosts of requests are in lower case already, so patterns are, too.
            Condition::Host(values) => {
                let lower: Vec<String> = values.iter().map(|v| v.to_ascii_lowercase()).collect();
                Self::Host(patterns(&lower, Case::Counts)?)
            }
            Condition::Path(values) => Self::Path(patterns(values, Case::Counts)?),
            Condition::Method(values) => Self::Method(values.clone()),
            Condition::Header { name, values } => Self::Header {
                name: name.to_ascii_lowercase(),
                values: patterns(values, Case::Folded)?,
            },
            Condition::Query(values) => {
                Self::Query(values.iter().map(query).collect::<Result<_, _>>()?)
            }
            Condition::SourceIp(networks) => {
                Self::SourceIp(networks.iter().map(canonical).collect())
            }
            Condition::HostRegex(values) => regex(Subject::Host, values),
            Condition::PathRegex(values) => regex(Subject::Path, values),
            Condition::HeaderRegex { name, values } => {
                regex(Subject::Header(name.to_ascii_lowercase()), values)
            }
        })
    }

    /// Whether one of its values matches.
    pub(crate) fn holds(&self, subjects: &Subjects<'_>, regexes: &mut impl RegexAnswers) -> bool {
        let request = subjects.request;
        match self {
            Self::Host(values) => any(values, subjects.host.as_bytes()),
            Self::Path(values) => any(values, request.path.as_bytes()),
            Self::Method(values) => values.iter().any(|value| value == request.method),
            Self::Header { name, values } => request.header(name).any(|line| any(values, line)),
            Self::Query(values) => request.parameters().any(|(key, value)| {
                values.iter().any(|(own_key, own_value)| {
                    own_key.as_ref().is_none_or(|own| own.matches(key.as_bytes()))
                        && own_value.matches(value.as_bytes())
                })
            }),
            Self::SourceIp(networks) => {
                networks.iter().any(|network| network.contains(&subjects.peer))
            }
            Self::Regex(condition) => regexes.any(condition, subjects),
        }
    }
}

fn any(patterns: &[Pattern], text: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

fn query(value: &QueryValue) -> Result<(Option<Pattern>, Pattern), BadEscape> {
    let pattern = |text: &String| Pattern::new(text, Escapes::Yes, Case::Folded);
    Ok((value.key.as_ref().map(pattern).transpose()?, pattern(&value.value)?))
}

/// An IPv4 network that is written as part of `::ffff:0:0/96` becomes an IPv4 network, as the
/// addresses of peers do.
fn canonical(network: &IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && v6.prefix_len() >= 96
        && let Some(address) = Ipv6Addr::to_ipv4_mapped(&v6.network())
        && let Ok(v4) = IpNet::new(address.into(), v6.prefix_len() - 96)
    {
        return v4;
    }
    *network
}
