//! A warning for the operator: a kind with a stable name, a subject, and a text. `status`, the log,
//! `xelb doctor` and the metric `xelb_warnings` show the same; nothing here decides anything.

use std::{collections::HashMap, fmt};

/// Whether traffic is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Packets are lost, or will be: an error of `xelb doctor`.
    Loss,
    /// Traffic flows, but not as it should: a warning of `xelb doctor`.
    Risk,
}

macro_rules! kinds {
    ($($(#[doc = $help:literal])* $kind:ident, $name:literal, $harm:ident, $remedy:literal;)*) => {
        /// The kinds, in the order in which `status` shows them: loudest first. Names are part of the
        /// API; docs/metrics.md lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WarningKind {
            $($(#[doc = $help])* $kind,)*
        }

        impl WarningKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Whether traffic is lost.
            #[must_use]
            pub const fn harm(self) -> Harm {
                match self { $(Self::$kind => Harm::$harm),* }
            }

            /// What to do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy),* }
            }
        }
    };
}

kinds! {
    /// The program does not run on an interface where it should.
    ProgramGone, "program_gone", Loss,
        "the text says why the agent cannot attach it; the agent tries again every second, and as \
         soon as the interface exists";
    /// A group that listeners use has no targets.
    GroupWithoutTargets, "group_without_targets", Loss,
        "register targets: `xelb get target-groups` shows the group without targets";
    /// No target of a group may take traffic.
    NoTargetInService, "no_target_in_service", Loss,
        "`xelb get targets` shows why no target takes traffic";
    /// A group has fewer healthy targets than its quorum, and its listeners have no other group.
    QuorumLost, "quorum_lost", Loss,
        "`xelb get targets` says why its targets are not healthy; until enough are, its listeners \
         take no new flows";
    /// Targets whose route or MAC is not known.
    NextHopUnresolved, "next_hop_unresolved", Loss,
        "DETAIL of `xelb get targets` has the reason; docs/next-hops.md explains each of them";
    /// A listener on many ports takes what is for an address of the host itself.
    OwnAddressTaken, "own_address_taken", Loss,
        "give the listener another address, or allow it with `attributes: { allow_own_address: true }`";
    /// Answers of nat or fullnat targets come in by an interface without the program.
    AnswersUnseen, "answers_unseen", Loss,
        "add the interface towards the targets to `interfaces`";
    /// No interface has a source address of fullnat, so no host answers ARP for it.
    SourceAddressMissing, "source_address_missing", Loss,
        "add the address to the interface towards the targets (`ip address add ADDRESS/32 dev IFACE`)";
    /// Targets of a group of nat or fullnat get connections, and no answer comes back through this host.
    AnswersMissing, "answers_missing", Loss,
        "route the targets' answers through this host; `xelb doctor target --balancer ADDRESS` on a \
         target says where they go";
    /// A veth whose other end does not take what XDP sends.
    FarEndWithoutProgram, "far_end_without_program", Loss,
        "attach a program that passes all packets to the peer (there: `xelb pass --interface \
         PEER`), or run the agent with --xdp-mode generic";
    /// A driver could not send frames that XDP gave it.
    FramesLost, "frames_lost", Loss,
        "check the counters that the text names (`ethtool -S IFACE`); docs/next-hops.md says what \
         interfaces need";
    /// Packets arrive without the checksums that their senders left to a device.
    PartialChecksums, "partial_checksums", Loss,
        "in the network namespace of the veth peer: ethtool -K PEER tx off";
    /// Generic mode forwards packets with the VLAN tag that a device has removed.
    VlanTagsStripped, "vlan_tags_stripped", Loss,
        "ethtool -K IFACE rxvlan off; for a veth, in the network namespace of its peer: ethtool \
         -K PEER txvlan off";
    /// Listeners of http, https and tls whose configuration no proxy serves.
    ProxyMissing, "proxy_missing", Loss,
        "start `xelb proxy` on this host (`systemctl start xelb-proxy`), or look into its log; \
         `xelb get proxies` shows those that are connected";
    /// A certificate that clients or targets refuse, since it is too old.
    CertificateExpired, "certificate_expired", Loss,
        "renew the certificate, and let the proxy read it: `systemctl reload xelb-proxy` (SIGHUP)";
    /// The local route of a VIP that the proxy serves is not there.
    VipRouteMissing, "vip_route_missing", Loss,
        "add the VIP to the host (`ip address add VIP/32 dev lo`), or let the agent make the route: it \
         needs CAP_NET_ADMIN; it tries again every 5 s";
    /// New flows of modes nat and fullnat find no free port or binding.
    PoolExhausted, "pool_exhausted", Loss,
        "start the agent with a larger --nat-bindings, or shorten idle_timeout of listeners with \
         idle connections; for fullnat with few targets, add an address or more ports to \
         source_nat";
    /// New flows of modes nat and fullnat find no free entry in the flow table.
    FlowTableFull, "flow_table_full", Loss,
        "shorten idle_timeout of the listeners, or distribute the load over more balancers";
    /// Targets of mode nat ask their own listener.
    HairpinRefused, "hairpin_refused", Loss,
        "add an address to source_nat, so that a target can connect to its own listener, or use \
         fullnat";
    /// New flows find no room in the flow memory.
    FlowMemoryFull, "flow_memory_full", Risk,
        "start the agent with a larger --flow-memory, or set `udp_flows: stateless` on UDP \
         listeners whose flows may move";
    /// A certificate that expires within 7 days.
    CertificateExpiresSoon, "certificate_expires_soon", Risk,
        "renew the certificate now, and let the proxy read it: `systemctl reload xelb-proxy` (SIGHUP)";
    /// A connected proxy that serves an older configuration.
    ProxyOutdated, "proxy_outdated", Risk,
        "correct what the text names; the log of that proxy says more";
    /// Unhealthy targets are used because none, or too few, are healthy.
    FailOpen, "fail_open", Risk,
        "`xelb get targets` says why its targets are unhealthy";
    /// Listeners forward to their sorry group.
    SorryGroupInUse, "sorry_group_in_use", Risk,
        "`xelb get targets` says why the targets of the first group are not healthy; the listeners go \
         back as soon as enough are";
    /// Backup targets take new flows.
    BackupsInUse, "backups_in_use", Risk,
        "`xelb get targets` says why the other targets are not healthy";
    /// Listeners switched to a group that has no target in service yet.
    SwitchWaits, "switch_waits", Risk,
        "wait for the first health checks of the group, or check with `xelb get targets` why they \
         fail; the listeners keep their previous targets until those have drained";
    /// Another layout's maps forward until the first verdicts are in.
    LayoutChange, "layout_change", Risk,
        "wait for the first health checks; then it ends without action";
    /// Maps and links cannot be pinned.
    PinsMissing, "pins_missing", Risk,
        "mount the bpffs again (`mount -t bpf bpf /sys/fs/bpf`); the agent pins them again";
    /// An interface has another name now, or its name belongs to another one.
    InterfaceRenamed, "interface_renamed", Risk,
        "give the interface its old name, or add the new name to `interfaces`";
    /// A certificate that expires within 30 days.
    CertificateExpires, "certificate_expires", Risk,
        "renew the certificate, and let the proxy read it: `systemctl reload xelb-proxy` (SIGHUP)";
    /// XDP runs in generic mode.
    GenericMode, "generic_mode", Risk,
        "use an interface whose driver runs XDP programs";
    /// The members of a scaled group cannot be stored, so none is launched or ended.
    ScalingNotStored, "scaling_not_stored", Risk,
        "see to it that the state directory can be written; the agent tries again every second";
    /// Launches of a scaled group fail, or its members do not come into service.
    ScalingLaunches, "scaling_launches", Risk,
        "`xelb get activities GROUP` shows why launches fail; `xelb scale retry GROUP` tries again at \
         once";
    /// The driver of a scaled group fails.
    ScalingDriver, "scaling_driver", Risk,
        "the text has the error of the driver or the hook; `xelb get activities GROUP` shows what was \
         done";
    /// A scaled group needs more targets than its limits allow.
    ScalingAtMaximum, "scaling_at_maximum", Risk,
        "raise the limit (`xelb scale limits GROUP --max N`), or reduce the load";
    /// A scaling policy has no input, so the group is not scaled in.
    ScalingInput, "scaling_input", Risk,
        "`xelb scale explain GROUP` shows which metric is missing";
    /// Processes of a scaled group are suspended.
    ScalingSuspended, "scaling_suspended", Risk,
        "`xelb scale resume GROUP` resumes them";
    /// A hook on events fails.
    EventHookFails, "event_hook_fails", Risk,
        "correct the program or server of the hook; the warning ends with the next call that succeeds";
    /// Events for a hook were dropped.
    EventHookOverflows, "event_hook_overflows", Risk,
        "make the hook faster, or name fewer events in it";
    /// A DNS name of targets that cannot be resolved.
    NameUnresolved, "name_unresolved", Risk,
        "check the DNS server and the record (`dig NAME`); the agent asks again every 30 s or sooner, and \
         the last known addresses stay in use meanwhile";
    /// Addresses of a DNS name that are no targets.
    NameAddressesLeftOut, "name_addresses_left_out", Risk,
        "the text says why; correct the record, or give the group what it lacks";
    /// Targets that this host cannot check.
    HealthUnknown, "health_unknown", Risk,
        "DETAIL of `xelb get targets` says why this host cannot check them";
    /// Probes wait for file descriptors.
    FileDescriptors, "file_descriptors", Risk,
        "raise LimitNOFILE of the agent's unit, or probe less often (`interval`)";
    /// Lines of the log are lost.
    LogLinesLost, "log_lines_lost", Risk,
        "make sure that the reader of the agent's standard error works; restart the agent if \
         standard error is closed";
    /// A veth whose other end leaves checksums to a device.
    ChecksumOffload, "checksum_offload", Risk,
        "in the network namespace of the veth peer: ethtool -K PEER tx off";
    /// Health checks through the tunnel cannot be made.
    ProbePath, "probe_path", Risk,
        "the text names the reason; docs/health-checks.md says what such checks need";
}

impl WarningKind {
    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One warning. It is the same one while kind and subject are; its text may follow what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind of trouble it is.
    pub kind: WarningKind,
    /// What it is about: the name of a group, an interface, a listener, a target; or nothing.
    pub subject: String,
    /// All of it, for people.
    pub text: String,
    /// What several target groups may have in common, so that it is said once; empty for a warning
    /// that stays alone.
    pub cause: String,
}

/// Target groups that a warning names.
const GROUPS_NAMED_MAX: usize = 3;

impl Warning {
    /// A warning.
    #[must_use]
    pub fn new(kind: WarningKind, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), text: text.into(), cause: String::new() }
    }
}

/// The warnings in their order. Those of several target groups with the same cause are one, whose
/// subject is the first group: one target that does not answer may be in a hundred groups.
#[must_use]
pub fn merged(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut subjects: HashMap<(WarningKind, String), Vec<String>> = HashMap::new();
    let mut first = Vec::with_capacity(warnings.len());
    for warning in warnings {
        let Warning { kind, subject, cause, .. } = &warning;
        if !cause.is_empty() {
            let alike = subjects.entry((*kind, cause.clone())).or_default();
            alike.push(subject.clone());
            if alike.len() > 1 {
                continue;
            }
        }
        first.push(warning);
    }
    for warning in &mut first {
        let alike = subjects.get(&(warning.kind, warning.cause.clone()));
        if let Some(alike) = alike.filter(|alike| alike.len() > 1) {
            let more = alike.len().saturating_sub(GROUPS_NAMED_MAX);
            let named = alike.get(..alike.len() - more).unwrap_or_default().join(", ");
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            warning.text = format!("target groups {named}{more}: {}", warning.cause);
        }
    }
    first
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tests compare texts.
impl PartialEq<&str> for Warning {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in WarningKind::ALL {
            assert_eq!(WarningKind::named(kind.name()), Some(*kind));
            assert!(kind.name().bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()));
        }
        assert_eq!(WarningKind::named("unheard_of"), None);
    }

    #[test]
    fn one_cause_is_said_once() {
        let warning = |group: &str, cause: &str| Warning {
            cause: cause.to_owned(),
            ..Warning::new(WarningKind::NextHopUnresolved, group, format!("target group {group}"))
        };
        let shown = |warnings: Vec<Warning>| {
            let warnings = merged(warnings).into_iter();
            warnings.map(|one| format!("{}: {}", one.subject, one.text)).collect::<Vec<_>>()
        };
        let both = vec![warning("a", "no route"), warning("x", ""), warning("b", "no route")];
        assert_eq!(shown(both), ["a: target groups a, b: no route", "x: target group x"]);
        let many = ["a", "b", "c", "d", "e"].map(|group| warning(group, "no route")).into();
        assert_eq!(shown(many), ["a: target groups a, b, c and 2 more: no route"]);
        let apart = vec![warning("a", "no route"), warning("b", "no answer")];
        assert_eq!(shown(apart), ["a: target group a", "b: target group b"]);
    }
}
