//! PURE: files of a crate that import each other in a circle: none of them can be understood, or moved,
//! without the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    File, Finding,
    imports::{self, Imports},
};

/// Circles that were there when this check came: each is to be parted, none may grow, and none may be added.
const KNOWN: &[&[&str]] = &[
    &["lb-common/src/head.rs", "lb-common/src/target.rs"],
    &[
        "lb-ebpf/src/family.rs",
        "lb-ebpf/src/fault.rs",
        "lb-ebpf/src/header/ipv6.rs",
        "lb-ebpf/src/listener.rs",
        "lb-ebpf/src/parse.rs",
    ],
    &["lb-ebpf/src/flow_hash.rs", "lb-ebpf/src/nat/mod.rs"],
    &["lb-ebpf/src/kernel/stages.rs", "lb-ebpf/src/kernel/tables.rs"],
    &["lb-ebpf/src/memory.rs", "lb-ebpf/src/recall.rs", "lb-ebpf/src/tables.rs"],
    &[
        "lb-userspace/crates/agent/src/balancer.rs",
        "lb-userspace/crates/agent/src/macs.rs",
        "lb-userspace/crates/agent/src/options.rs",
        "lb-userspace/crates/agent/src/reload.rs",
        "lb-userspace/crates/agent/src/run.rs",
        "lb-userspace/crates/agent/src/source.rs",
        "lb-userspace/crates/agent/src/transitions.rs",
        "lb-userspace/crates/agent/src/view.rs",
        "lb-userspace/crates/agent/src/warnings.rs",
    ],
    &[
        "lb-userspace/crates/api/src/access/authority.rs",
        "lb-userspace/crates/api/src/access/options.rs",
    ],
    &[
        "lb-userspace/crates/api/src/body_limits.rs",
        "lb-userspace/crates/api/src/changes.rs",
        "lb-userspace/crates/api/src/concurrency.rs",
        "lb-userspace/crates/api/src/connections.rs",
        "lb-userspace/crates/api/src/events.rs",
        "lb-userspace/crates/api/src/extract.rs",
        "lb-userspace/crates/api/src/history.rs",
        "lb-userspace/crates/api/src/openapi.rs",
        "lb-userspace/crates/api/src/parameters.rs",
        "lb-userspace/crates/api/src/server.rs",
        "lb-userspace/crates/api/src/watch.rs",
    ],
    &["lb-userspace/crates/bench/src/harness.rs", "lb-userspace/crates/bench/src/program.rs"],
    &[
        "lb-userspace/crates/bench/src/traffic/egress.rs",
        "lb-userspace/crates/bench/src/traffic/plan.rs",
    ],
    &[
        "lb-userspace/crates/bench/src/traffic/generate.rs",
        "lb-userspace/crates/bench/src/traffic/outcome.rs",
        "lb-userspace/crates/bench/src/traffic/sink.rs",
    ],
    &[
        "lb-userspace/crates/config/src/checker.rs",
        "lb-userspace/crates/config/src/lib.rs",
        "lb-userspace/crates/config/src/read.rs",
        "lb-userspace/crates/config/src/rules.rs",
    ],
    &["lb-userspace/crates/config/src/files.rs", "lb-userspace/crates/config/src/section.rs"],
    &[
        "lb-userspace/crates/dataplane/src/attach.rs",
        "lb-userspace/crates/dataplane/src/attach_sender.rs",
        "lb-userspace/crates/dataplane/src/links.rs",
        "lb-userspace/crates/dataplane/src/load.rs",
        "lb-userspace/crates/dataplane/src/resize.rs",
        "lb-userspace/crates/dataplane/src/restore.rs",
        "lb-userspace/crates/dataplane/src/tail_call.rs",
        "lb-userspace/crates/dataplane/src/verifier_log.rs",
    ],
    &[
        "lb-userspace/crates/dataplane/src/bindings.rs",
        "lb-userspace/crates/dataplane/src/kernel.rs",
        "lb-userspace/crates/dataplane/src/listeners.rs",
        "lb-userspace/crates/dataplane/src/macs.rs",
        "lb-userspace/crates/dataplane/src/slots.rs",
    ],
    &[
        "lb-userspace/crates/dataplane/src/map_migration.rs",
        "lb-userspace/crates/dataplane/src/pins.rs",
    ],
    &[
        "lb-userspace/crates/health/src/exec.rs",
        "lb-userspace/crates/health/src/grpc.rs",
        "lb-userspace/crates/health/src/http.rs",
        "lb-userspace/crates/health/src/icmp.rs",
        "lb-userspace/crates/health/src/probe.rs",
        "lb-userspace/crates/health/src/tcp.rs",
        "lb-userspace/crates/health/src/tls.rs",
        "lb-userspace/crates/health/src/tunnel/shared.rs",
        "lb-userspace/crates/health/src/tunnel/tunnel_probe.rs",
        "lb-userspace/crates/health/src/udp.rs",
    ],
    &[
        "lb-userspace/crates/metrics/src/catalogue/mod.rs",
        "lb-userspace/crates/metrics/src/family.rs",
        "lb-userspace/crates/metrics/src/observation.rs",
    ],
    &[
        "lb-userspace/crates/netlink/src/decode.rs",
        "lb-userspace/crates/netlink/src/netdev.rs",
        "lb-userspace/crates/netlink/src/resolve.rs",
        "lb-userspace/crates/netlink/src/xdp_transmit.rs",
    ],
    &["lb-userspace/crates/plan/src/cache.rs", "lb-userspace/crates/plan/src/inputs.rs"],
    &[
        "lb-userspace/crates/plan/src/compile.rs",
        "lb-userspace/crates/plan/src/group.rs",
        "lb-userspace/crates/plan/src/listeners.rs",
        "lb-userspace/crates/plan/src/rename.rs",
        "lb-userspace/crates/plan/src/ring_membership.rs",
        "lb-userspace/crates/plan/src/target_lifecycle.rs",
        "lb-userspace/crates/plan/src/targets.rs",
        "lb-userspace/crates/plan/src/transition.rs",
    ],
];

/// Circles in the crates of these files.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let roots = files.iter().filter_map(|file| file.path.strip_suffix("/src/lib.rs"));
    let mut findings = Vec::new();
    for root in roots {
        let imports = imports::of_crate(&format!("{root}/src"), files);
        for circle in circles(&imports) {
            if !KNOWN.iter().any(|known| circle.iter().all(|file| known.contains(&file.as_str()))) {
                findings.push(finding(&circle, &imports));
            }
        }
    }
    findings
}

fn finding(circle: &BTreeSet<String>, imports: &Imports) -> Finding {
    let mut arrows = Vec::new();
    for from in circle {
        for (to, names) in imports.get(from).into_iter().flatten() {
            if circle.contains(to) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                arrows.push(format!("\n    {from} takes {} from {to}", names.join(", ")));
            }
        }
    }
    let first = circle.first().map_or("", String::as_str);
    let message = format!(
        "{} files import each other in a circle: move what both need to a file below them{}",
        circle.len(),
        arrows.concat()
    );
    Finding::at(first, 0, message)
}

/// The sets of files that reach each other.
fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reached(imports, file))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (file, reached) in &reach {
        if !reached.contains(file) || circles.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let back = |other: &&&str| reach.get(**other).is_some_and(|from| from.contains(file));
        circles.push(reached.iter().filter(back).map(|file| (*file).to_owned()).collect());
    }
    circles
}

/// All files that a file imports, directly or not.
fn reached<'a>(imports: &'a Imports, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let next =
        |file: &str| imports.get(file).into_iter().flat_map(|to| to.keys().map(String::as_str));
    let mut waiting: Vec<&str> = next(file).collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(next(file));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_named_with_what_ties_it() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file("a/src/lib.rs", "mod b;\nmod c;\nmod d;\n"),
            file("a/src/b.rs", "use super::c::C;\npub struct B;\n"),
            file("a/src/c.rs", "use super::d::D;\npub struct C;\n"),
            file("a/src/d.rs", "use super::b::B;\npub struct D;\n"),
            file("a/src/e.rs", "use super::b::B;\n"),
        ];
        let findings = check(&files);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        let text = finding.to_string();
        assert!(text.starts_with("a/src/b.rs: 3 files import each other in a circle"), "{text}");
        assert!(text.contains("a/src/d.rs takes B from a/src/b.rs"), "{text}");
        assert!(!text.contains("e.rs"), "{text}");
        assert_eq!(check(&files[..2]), []);
    }
}
