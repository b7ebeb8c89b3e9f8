//! What the schedulers of IPVS become: xelb has one, a hash of the flow onto a weighted ring.

use crate::{ledger::Ledger, service::Service};

/// Notes a scheduler and its flags.
pub(crate) fn scheduler(
    service: &mut Service,
    name: &str,
    flags: &str,
    line: usize,
    ledger: &mut Ledger,
) {
    let has_port = flags
        .split(',')
        .any(|flag| matches!(flag.trim(), "sh-port" | "mh-port" | "flag-2" | "port"));
    let message = match name {
        "rr" | "wrr" => {
            "scheduler rr or wrr: xelb hashes each flow onto a ring with weights (Maglev); shares \
             are as even, the order is not"
        }
        "lc" | "wlc" | "sed" | "nq" | "lblc" | "lblcr" => {
            "a scheduler that counts connections (lc, wlc, sed, nq, lblc, lblcr): xelb hashes each \
             flow by weights and counts none, so that long connections may be uneven"
        }
        "fo" | "ovf" => {
            "scheduler fo or ovf: xelb uses all targets at once; to keep some in reserve, give them \
             weight 0"
        }
        "dh" => {
            "scheduler dh hashes the destination; xelb hashes the flow, all caches get all \
             destinations"
        }
        "sh" | "mh" if has_port => {
            "scheduler sh or mh with ports is what xelb does: a hash of the flow; flows that exist \
             get another target at the change"
        }
        "sh" | "mh" => {
            service.is_sticky = true;
            "scheduler sh or mh hashes the client's address: this is `stickiness: source_ip`; \
             clients get another target at the change"
        }
        "conhash" => {
            "scheduler conhash: xelb hashes the flow; with `stickiness: source_ip`, the client's \
             address"
        }
        _ => {
            ledger.changed(
                line,
                format!(
                    "scheduler {}: xelb hashes each flow onto a ring with weights (Maglev)",
                    crate::remark::brief(name)
                ),
            );
            return;
        }
    };
    ledger.changed(line, message);
}

/// Notes a persistence.
pub(crate) fn persistence(service: &mut Service, line: usize, ledger: &mut Ledger) {
    service.is_sticky = true;
    ledger.changed(
        line,
        "persistence becomes `stickiness: source_ip`: it has no timeout, since the client's address \
         is hashed and not remembered",
    );
}
