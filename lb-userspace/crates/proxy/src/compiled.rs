//! PURE: a snapshot as workers use it: rewrites, header changes and references to groups are checked and
//! compiled once, not for each request.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lb_http::{
    field_edits::{EditError, FieldEdits},
    forwarded::Scheme,
};
use lb_rules::{
    Action, Condition, FixedResponse, Forward, HeaderChange, ListenerEnd, Match, Redirect,
    Rewriter, Rule, sticky::Keys,
};

use crate::{
    group_loads::GroupLoads,
    snapshot::{Group, Listener, Snapshot},
};

/// Why a snapshot cannot be served. The old one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Two listeners have one name or one address.
    #[error("listener {0}: another listener has the same name or address; give it another one")]
    DuplicateListener(String),
    /// Two groups have one name.
    #[error("target group {0}: another group has the same name; give it another one")]
    DuplicateGroup(String),
    /// A rule forwards to a group that is not there.
    #[error("listener {listener}, rule {rule}: there is no target group {group}; add it")]
    UnknownGroup {
        /// The listener.
        listener: String,
        /// The rule.
        rule: String,
        /// The name that it has.
        group: String,
    },
    /// A header change that cannot be made.
    #[error("listener {listener}, rule {rule}: {source}")]
    Header {
        /// The listener.
        listener: String,
        /// The rule.
        rule: String,
        /// What is wrong.
        #[source]
        source: EditError,
    },
    /// A transform that does not compile.
    #[error("listener {listener}, rule {rule}: the transform does not compile: {reason}")]
    Transform {
        /// The listener.
        listener: String,
        /// The rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
}

/// A compiled snapshot.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) listeners: Vec<Arc<CompiledListener>>,
    pub(crate) groups: Vec<Arc<Group>>,
    /// What workers count together, in the order of the groups.
    pub(crate) loads: Vec<GroupLoads>,
    pub(crate) sticky_keys: Keys,
    by_name: HashMap<String, usize>,
}

/// A listener with compiled rules.
#[derive(Debug)]
pub(crate) struct CompiledListener {
    pub(crate) name: Arc<str>,
    pub(crate) config: Listener,
    pub(crate) scheme: Scheme,
    pub(crate) end: ListenerEnd,
    /// Whether a rule has a condition on header fields.
    pub(crate) needs_headers: bool,
    rules: Vec<CompiledRule>,
    default_rule: CompiledRule,
}

/// A rule with what follows from it.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) name: Arc<str>,
    /// `None` for the default action.
    pub(crate) priority: Option<u32>,
    pub(crate) action: CompiledAction,
    /// `None`: the URI stays as it is.
    pub(crate) rewriter: Option<Rewriter>,
    pub(crate) request: FieldEdits,
    pub(crate) response: FieldEdits,
}

/// An action with its target groups found.
#[derive(Debug)]
pub(crate) enum CompiledAction {
    Forward {
        forward: Forward,
        /// Places of its groups in the snapshot.
        groups: Vec<usize>,
    },
    Redirect(Redirect),
    Fixed(FixedResponse),
}

impl Compiled {
    /// Checks and compiles a snapshot. What is counted in the old one goes on.
    pub(crate) fn new(snapshot: Snapshot, old: Option<&Self>) -> Result<Self, SnapshotError> {
        let mut groups: HashMap<&str, usize> = HashMap::new();
        for (place, group) in snapshot.groups.iter().enumerate() {
            if groups.insert(&group.name, place).is_some() {
                return Err(SnapshotError::DuplicateGroup(group.name.clone()));
            }
        }
        let mut addresses = HashSet::new();
        let mut by_name = HashMap::new();
        let mut listeners = Vec::new();
        for (place, listener) in snapshot.listeners.into_iter().enumerate() {
            let is_new_name = by_name.insert(listener.name.clone(), place).is_none();
            // Port 0 is any free port.
            let is_new_address = listener.address.port() == 0 || addresses.insert(listener.address);
            if !is_new_name || !is_new_address {
                return Err(SnapshotError::DuplicateListener(listener.name));
            }
            listeners.push(Arc::new(CompiledListener::new(listener, &groups)?));
        }
        let loads = snapshot.groups.iter().map(|group| {
            let old_loads = old.and_then(|old| old.loads_of(&group.name));
            GroupLoads::new(group, old_loads)
        });
        Ok(Self {
            listeners,
            loads: loads.collect(),
            groups: snapshot.groups.into_iter().map(Arc::new).collect(),
            sticky_keys: snapshot.sticky_keys,
            by_name,
        })
    }

    fn loads_of(&self, group: &str) -> Option<&GroupLoads> {
        self.loads.get(self.groups.iter().position(|one| one.name == group)?)
    }

    /// Place of a listener.
    pub(crate) fn listener(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

impl CompiledListener {
    fn new(config: Listener, groups: &HashMap<&str, usize>) -> Result<Self, SnapshotError> {
        let rules = config.rules.rules();
        let compile = |rule: &Rule| CompiledRule::new(rule, &config.name, groups);
        let compiled = rules.rules().map(compile).collect::<Result<_, _>>()?;
        let default_action =
            CompiledAction::new(rules.default_action(), &config.name, "default", groups)?;
        let is_header = |condition: &Condition| {
            matches!(condition, Condition::Header { .. } | Condition::HeaderRegex { .. })
        };
        let needs_headers = rules.rules().any(|rule| rule.conditions.iter().any(is_header));
        Ok(Self {
            name: config.name.as_str().into(),
            scheme: if config.tls.is_some() { Scheme::Https } else { Scheme::Http },
            end: rules.listener(),
            needs_headers,
            rules: compiled,
            default_rule: CompiledRule {
                name: "default".into(),
                priority: None,
                action: default_action,
                rewriter: None,
                request: FieldEdits::default(),
                response: FieldEdits::default(),
            },
            config,
        })
    }

    /// What is done where no rule matches.
    pub(crate) const fn default_action(&self) -> &CompiledAction {
        &self.default_rule.action
    }

    /// The compiled form of what the index has found.
    pub(crate) fn rule(&self, found: Match<'_>) -> &CompiledRule {
        match found {
            Match::Rule { place, .. } => self.rules.get(place).unwrap_or(&self.default_rule),
            Match::Default(_) => &self.default_rule,
        }
    }
}

impl CompiledRule {
    fn new(
        rule: &Rule,
        listener: &str,
        groups: &HashMap<&str, usize>,
    ) -> Result<Self, SnapshotError> {
        let header = |source| SnapshotError::Header {
            listener: listener.to_owned(),
            rule: rule.name.clone(),
            source,
        };
        let rewriter =
            Rewriter::new(&rule.transforms).map_err(|error| SnapshotError::Transform {
                listener: listener.to_owned(),
                rule: rule.name.clone(),
                reason: error.to_string(),
            })?;
        let has_transforms = rule.transforms.url.is_some() || rule.transforms.host.is_some();
        // A checked rule has exactly one action.
        let closed = Action::FixedResponse(FixedResponse {
            status: 503,
            content_type: None,
            body: String::new(),
        });
        let action = rule.actions.first().unwrap_or(&closed);
        Ok(Self {
            name: rule.name.as_str().into(),
            priority: Some(rule.priority),
            action: CompiledAction::new(action, listener, &rule.name, groups)?,
            rewriter: has_transforms.then_some(rewriter),
            request: edits(&rule.headers.request).map_err(header)?,
            response: edits(&rule.headers.response).map_err(header)?,
        })
    }
}

impl CompiledAction {
    fn new(
        action: &Action,
        listener: &str,
        rule: &str,
        groups: &HashMap<&str, usize>,
    ) -> Result<Self, SnapshotError> {
        let forward = match action {
            Action::Forward(forward) => forward,
            Action::Redirect(redirect) => return Ok(Self::Redirect(redirect.clone())),
            Action::FixedResponse(fixed) => return Ok(Self::Fixed(fixed.clone())),
        };
        let place = |group: &lb_rules::WeightedGroup| {
            let unknown = || SnapshotError::UnknownGroup {
                listener: listener.to_owned(),
                rule: rule.to_owned(),
                group: group.name.clone(),
            };
            groups.get(group.name.as_str()).copied().ok_or_else(unknown)
        };
        let places = forward.target_groups.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self::Forward { forward: forward.clone(), groups: places })
    }
}

fn edits(changes: &[HeaderChange]) -> Result<FieldEdits, EditError> {
    let mut edits = FieldEdits::default();
    for change in changes {
        match change {
            HeaderChange::Set { name, value } => edits.set(name, value)?,
            HeaderChange::Add { name, value } => edits.add(name, value)?,
            HeaderChange::Remove { name } => edits.remove(name)?,
        }
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use lb_rules::{Index, Protocol, RuleSet, sticky::SameSite};

    use super::*;
    use crate::attributes::{GroupAttributes, ListenerAttributes};

    fn listener(name: &str, address: &str, group: &str) -> Listener {
        let end = ListenerEnd { protocol: Protocol::Http, port: 80 };
        let rules = RuleSet::new(Vec::new(), Action::forward(group), end).unwrap();
        Listener {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            rules: Arc::new(Index::new(rules).unwrap()),
            tls: None,
            certificates: None,
            attributes: ListenerAttributes::default(),
            same_site: SameSite::Lax,
        }
    }

    fn group(name: &str) -> Group {
        Group {
            name: name.to_owned(),
            targets: Vec::new(),
            choice: lb_rules::choice::Settings::default(),
            stickiness: None,
            tls: None,
            attributes: GroupAttributes::default(),
        }
    }

    fn check(listeners: Vec<Listener>, groups: &[&str], expected: Option<&SnapshotError>) {
        let groups = groups.iter().map(|name| group(name)).collect();
        let sticky_keys = Keys::new([0; 32], Vec::new());
        let snapshot = Snapshot { revision: 1, listeners, groups, sticky_keys };
        assert_eq!(Compiled::new(snapshot, None).err().as_ref(), expected);
    }

    #[test]
    fn a_snapshot_with_a_contradiction_is_refused() {
        let (one, other) = ("127.0.0.1:1", "127.0.0.1:2");
        check(vec![listener("a", one, "g"), listener("b", other, "g")], &["g"], None);
        let duplicate = |name: &str| SnapshotError::DuplicateListener(name.to_owned());
        check(
            vec![listener("a", one, "g"), listener("a", other, "g")],
            &["g"],
            Some(&duplicate("a")),
        );
        check(
            vec![listener("a", one, "g"), listener("b", one, "g")],
            &["g"],
            Some(&duplicate("b")),
        );
        check(vec![], &["g", "h", "g"], Some(&SnapshotError::DuplicateGroup("g".to_owned())));
        let unknown = SnapshotError::UnknownGroup {
            listener: "a".to_owned(),
            rule: "default".to_owned(),
            group: "x".to_owned(),
        };
        check(vec![listener("a", one, "x")], &["g"], Some(&unknown));
    }
}
