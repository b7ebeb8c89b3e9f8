//! Inputs that cannot be read: what is wrong, where, and what to do.

use crate::{Format, import};

const IPVS: Format = Format::Ipvs;
const KEEPALIVED: Format = Format::Keepalived;
const HAPROXY: Format = Format::Haproxy;

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let deep = "a {\n".repeat(20);
    let cases: &[(Format, &str, &str)] = &[
        (
            KEEPALIVED,
            "global_defs {\n}\nvirtual_server 203.0.113.10 80 {\n  lb_kind DR\n",
            "line 3: the block `virtual_server` that begins here has no `}`; add it",
        ),
        (
            KEEPALIVED,
            "global_defs {\n}\n}\n",
            "line 3: this `}` closes no block; remove it, or add",
        ),
        (KEEPALIVED, "{\n}\n", "line 1: the block `{` that begins here has no"),
        (
            KEEPALIVED,
            "vrrp_script a {\n  script \"x\n}\n",
            "line 2: a quote that begins here has no end",
        ),
        (KEEPALIVED, &deep, "line 16: blocks are nested deeper than 16"),
        (KEEPALIVED, "frontend web\n  bind :80\n", "there is no block of keepalived"),
        (KEEPALIVED, "", "there is no block of keepalived"),
        (HAPROXY, "bind :80\nfrontend web\n", "line 1: `bind` stands before the first section"),
        (HAPROXY, "frontend web\n  bind \"x\n", "line 2: a quote that begins here has no end"),
        (HAPROXY, "# nothing\n", "there is no section (global, defaults, frontend"),
        (
            HAPROXY,
            "virtual_server 203.0.113.10 80 {\n}\n",
            "line 1: `virtual_server` stands before",
        ),
        (IPVS, "frontend web\n  bind :80\n", "there is no rule (`-A -t ADDRESS:PORT ...`)"),
        (IPVS, "IP Virtual Server version 1.2.1 (size=4096)\n", "there is no rule"),
        (IPVS, "\u{1b}[2J\n", "there is no rule"),
    ];
    for (format, text, says) in cases {
        let error = import(*format, text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}\n{error}");
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}
