//! PURE: what people type from habit of kubectl, ipvsadm, `aws elbv2` and haproxy, and the command that
//! does it here.

/// First words of a command line that xelb does not have, and a tip. `*` stands for any word. The
/// first row that fits counts.
const HABITS: &[(&str, &str)] = &[
    // kubectl
    ("get pods", "`xelb get targets` lists the servers"),
    ("get pod", "`xelb get targets` lists the servers"),
    ("get po", "`xelb get targets` lists the servers"),
    ("get endpoints", "`xelb get targets GROUP` lists the targets of a group"),
    ("get ep", "`xelb get targets GROUP` lists the targets of a group"),
    ("get services", "`xelb get listeners` lists what clients connect to"),
    ("get service", "`xelb get listeners` lists what clients connect to"),
    ("get svc", "`xelb get listeners` lists what clients connect to"),
    ("get ingress", "`xelb get listeners` lists what clients connect to"),
    ("get events", "`xelb events` shows what has happened to targets"),
    ("get nodes", "`xelb status` shows this balancer"),
    (
        "get all",
        "`xelb status` shows an overview; `xelb get listeners|target-groups|targets` has lists",
    ),
    ("get stats", "`xelb stats` shows traffic and drops"),
    ("get status", "`xelb status` shows how the agent is doing"),
    ("describe pod", "`xelb describe target GROUP/ADDRESS`"),
    ("describe svc", "`xelb describe listener NAME`"),
    ("describe service", "`xelb describe listener NAME`"),
    ("drain", "`xelb target drain GROUP/ADDRESS` takes a target out of service"),
    ("cordon", "`xelb target drain GROUP/ADDRESS` takes a target out of service"),
    ("undrain", "`xelb target undrain GROUP/ADDRESS` puts a target back into service"),
    ("uncordon", "`xelb target undrain GROUP/ADDRESS` puts a target back into service"),
    ("rollout undo", "`xelb rollback` goes back one revision"),
    ("rollout history", "`xelb get revisions` lists the revisions"),
    ("rollout status", "`xelb wait target-group NAME --for healthy`"),
    ("rollout", "`xelb rollback` goes back one revision; `xelb get revisions` lists all"),
    ("undo", "`xelb rollback` goes back one revision"),
    ("history", "`xelb get revisions` lists the revisions"),
    ("logs", "`journalctl -u xelb-agent` has the log; `xelb events` has what happened to targets"),
    ("log", "`journalctl -u xelb-agent` has the log; `xelb events` has what happened to targets"),
    ("top", "`xelb stats` shows traffic; `xelb get targets --watch` follows states"),
    ("watch", "`xelb get targets --watch` follows states; `xelb events --follow` follows events"),
    ("replace", "`xelb apply -f FILE --prune` replaces the whole configuration"),
    ("patch", "`xelb set KIND NAME KEY=VALUE` changes keys"),
    (
        "scale",
        "`xelb scale set-desired GROUP N` for scaled groups; `xelb create target GROUP/ADDRESS` for others",
    ),
    ("cluster-info", "`xelb status` shows how the agent is doing"),
    ("version", "`xelb --version` prints the version; `xelb status` that of the agent"),
    (
        "config",
        "`xelb get config -o yaml` prints the configuration; `xelb set config KEY=VALUE` changes it",
    ),
    ("list", "`xelb get listeners|target-groups|targets` has lists"),
    ("ls", "`xelb get listeners|target-groups|targets` has lists"),
    (
        "show",
        "`xelb get` has lists, `xelb describe` a page about one object, `xelb status` an overview",
    ),
    ("add", "`xelb create listener|target-group|rule|target NAME`"),
    ("new", "`xelb create listener|target-group|rule|target NAME`"),
    ("update", "`xelb set KIND NAME KEY=VALUE` changes keys"),
    ("modify", "`xelb set KIND NAME KEY=VALUE` changes keys"),
    ("remove", "`xelb delete listener|target-group|rule|target NAME`"),
    ("rm", "`xelb delete listener|target-group|rule|target NAME`"),
    ("export", "`xelb get config -o yaml` prints a file for `xelb apply`"),
    ("backup", "`xelb get config -o yaml` prints a file for `xelb apply`"),
    ("save", "`xelb get config -o yaml` prints a file for `xelb apply`"),
    ("restore", "`xelb apply -f FILE --prune`, or `xelb rollback REVISION`"),
    // ipvsadm
    ("-Ln", "`xelb get listeners` and `xelb get targets`; `xelb stats` has counters"),
    ("-L", "`xelb get listeners` and `xelb get targets`; `xelb stats` has counters"),
    ("-ln", "`xelb get listeners` and `xelb get targets`; `xelb stats` has counters"),
    ("-l", "`xelb get listeners` and `xelb get targets`; `xelb stats` has counters"),
    ("--list", "`xelb get listeners` and `xelb get targets`; `xelb stats` has counters"),
    (
        "-A",
        "`xelb create listener NAME --address ADDRESS --port PORT --protocol tcp --target-group GROUP`",
    ),
    ("-E", "`xelb set listener NAME KEY=VALUE`"),
    ("-D", "`xelb delete listener NAME`"),
    ("-a", "`xelb create target GROUP/ADDRESS --weight N`"),
    ("-e", "`xelb set target GROUP/ADDRESS weight=N`"),
    ("-d", "`xelb delete target GROUP/ADDRESS`"),
    (
        "-C",
        "`xelb apply -f FILE --prune` with an empty configuration; `xelb detach` removes the data path",
    ),
    ("-Z", "counters are not reset; `xelb describe target GROUP/ADDRESS` shows rates"),
    ("-S", "`xelb get config -o yaml` prints a file for `xelb apply`"),
    ("-R", "`xelb apply -f FILE`; `xelb import ipvs FILE` converts the rules of ipvsadm"),
    // aws elbv2
    ("elbv2", "leave `elbv2` out: `xelb get`, `create`, `set`, `delete` and `describe`"),
    ("describe-target-health", "`xelb get targets GROUP`"),
    ("describe-target-groups", "`xelb get target-groups`"),
    ("describe-listeners", "`xelb get listeners`"),
    ("describe-load-balancers", "`xelb status`, and `xelb get listeners`"),
    ("describe-rules", "`xelb describe listener NAME`"),
    ("register-targets", "`xelb create target GROUP/ADDRESS`"),
    ("deregister-targets", "`xelb target remove GROUP/ADDRESS`"),
    ("create-listener", "`xelb create listener NAME`"),
    ("create-target-group", "`xelb create target-group NAME`"),
    ("create-rule", "`xelb create rule LISTENER/RULE`"),
    ("delete-listener", "`xelb delete listener NAME`"),
    ("delete-target-group", "`xelb delete target-group NAME`"),
    ("delete-rule", "`xelb delete rule LISTENER/RULE`"),
    ("modify-listener", "`xelb set listener NAME KEY=VALUE`"),
    ("modify-target-group", "`xelb set target-group NAME KEY=VALUE`"),
    ("modify-target-group-attributes", "`xelb set target-group NAME KEY=VALUE`"),
    ("modify-rule", "`xelb set rule LISTENER/RULE KEY=VALUE`"),
    // haproxy and its socket, keepalived
    ("-c", "`xelb validate -f FILE` checks a configuration"),
    ("check", "`xelb validate -f FILE` checks a configuration"),
    ("configtest", "`xelb validate -f FILE` checks a configuration"),
    ("test", "`xelb validate -f FILE` checks a configuration"),
    ("set server", "`xelb target drain|undrain|weight GROUP/ADDRESS`"),
    ("disable server", "`xelb target drain GROUP/ADDRESS` takes a target out of service"),
    ("enable server", "`xelb target undrain GROUP/ADDRESS` puts a target back into service"),
    ("disable", "`xelb target drain GROUP/ADDRESS` takes a target out of service"),
    ("enable", "`xelb target undrain GROUP/ADDRESS` puts a target back into service"),
    (
        "reload",
        "`systemctl reload xelb-agent`; with --config, the agent reads a changed file by itself",
    ),
    ("restart", "`systemctl restart xelb-agent`; the data path goes on meanwhile"),
    ("start", "`systemctl start xelb-agent`, or `xelb agent` in the foreground"),
    ("stop", "`systemctl stop xelb-agent`; the data path goes on, `xelb detach` removes it"),
    (
        "flush",
        "`xelb apply -f FILE --prune` with an empty configuration; `xelb detach` removes the data path",
    ),
    ("clear", "counters are not reset; `xelb describe target GROUP/ADDRESS` shows rates"),
    ("ping", "`xelb status` asks the agent; `xelb doctor` finds faults"),
    (
        "health",
        "`xelb get targets` shows states; `xelb describe target GROUP/ADDRESS` the last probes",
    ),
    (
        "why",
        "`xelb describe target GROUP/ADDRESS` for a state, `xelb explain --from A --to B` for a packet",
    ),
    (
        "explain",
        "`xelb explain --from ADDRESS:PORT --to ADDRESS:PORT` for a packet, `xelb explain http METHOD URL` \
         for a request, `xelb explain config KEY` for a key",
    ),
    ("trace", "`xelb explain --from ADDRESS:PORT --to ADDRESS:PORT`"),
    ("plan", "`xelb apply -f FILE --dry-run`"),
    ("destroy", "`xelb detach` removes the data path"),
];

/// The tip for the words behind `xelb`, if somebody is known to type them elsewhere.
pub(super) fn tip(words: &[String]) -> Option<&'static str> {
    let fits = |habit: &str| {
        let mut words = words.iter();
        habit.split(' ').all(|wanted| words.next().is_some_and(|word| word == wanted))
    };
    HABITS.iter().find(|(habit, _)| fits(habit)).map(|(_, tip)| *tip)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{super::Arguments, *};

    /// Whether xelb understands this line.
    fn works(words: &[String]) -> bool {
        let line = std::iter::once("xelb".to_owned()).chain(words.iter().cloned());
        let line = super::super::words(line.map(Into::into));
        Arguments::command()
            .try_get_matches_from(line)
            .map_or_else(|error| error.exit_code() == 0, |_| true)
    }

    /// What people type who know other tools.
    const TYPED: &[&str] = &[
        // kubectl
        "get pods",
        "get svc",
        "get endpoints web",
        "get events",
        "get nodes",
        "get all",
        "get targets -w",
        "get tg -o yaml",
        "get listener",
        "get tg web",
        "get lb -o json",
        "describe svc web",
        "describe target web/10.0.1.11",
        "describe tg/web",
        "describe listener web",
        "apply -f x.yaml",
        "apply -f -",
        "apply -f x.yaml --dry-run",
        "diff -f x.yaml",
        "delete listener web",
        "delete tg/web",
        "edit tg web",
        "edit listener/web",
        "drain web/10.0.1.11",
        "cordon web/10.0.1.11",
        "uncordon web/10.0.1.11",
        "rollout undo",
        "rollout history",
        "rollout status",
        "logs",
        "top",
        "patch tg web",
        "replace -f x.yaml",
        "version",
        "cluster-info",
        "wait target web/10.0.1.11 --for=condition=healthy --timeout=30s",
        "wait target web/10.0.1.11 --for=delete",
        "explain",
        "explain 198.51.100.7 203.0.113.10:80",
        "config view",
        // ipvsadm
        "-Ln",
        "-L -n",
        "-A -t 203.0.113.10:80 -s rr",
        "-E -t 203.0.113.10:80",
        "-D -t 203.0.113.10:80",
        "-a -t 203.0.113.10:80 -r 10.0.1.11",
        "-e -t 203.0.113.10:80",
        "-d -t 203.0.113.10:80",
        "-C",
        "-Z",
        "-S -n",
        "-R",
        // aws elbv2
        "elbv2 describe-target-health",
        "describe-target-health",
        "describe-target-groups",
        "describe-listeners",
        "describe-load-balancers",
        "describe-rules",
        "register-targets",
        "deregister-targets",
        "create-listener",
        "create-target-group",
        "delete-listener",
        "modify-target-group",
        "modify-listener",
        "create-rule",
        // haproxy, keepalived, others
        "-c -f x.cfg",
        "show stat",
        "show info",
        "show servers state",
        "disable server web/s1",
        "enable server web/s1",
        "set server web/s1 state drain",
        "set server web/s1 weight 50",
        "reload",
        "ls",
        "list",
        "rm web",
        "add",
        "status",
        "stats",
        "check",
        "plan",
        "health",
    ];

    #[test]
    fn what_is_typed_from_habit_works_or_has_a_tip() {
        assert!(TYPED.len() >= 56);
        for line in TYPED {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let tipped = tip(&words).is_some();
            assert!(works(&words) || tipped, "xelb {line} is not understood, and has no tip");
        }
    }

    /// A tip must not be shown for what works, and its commands must exist.
    #[test]
    fn tips_name_commands_that_exist() {
        let command = Arguments::command();
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        for (habit, tip) in HABITS {
            let words: Vec<String> = habit.split(' ').map(str::to_owned).collect();
            assert!(!works(&words), "xelb {habit} works");
            for code in tip.split('`').skip(1).step_by(2) {
                let Some(rest) = code.strip_prefix("xelb ") else { continue };
                let first = rest.split(' ').next().unwrap_or_default();
                assert!(names.contains(&first) || first.starts_with("--"), "{habit}: {code}");
            }
        }
    }

    #[test]
    fn the_first_words_decide() {
        let of = |line: &str| tip(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(of("rollout undo deployment/web").is_some_and(|tip| tip.contains("rollback")));
        assert!(of("rollout history").is_some_and(|tip| tip.contains("revisions")));
        assert_eq!(of("bananas"), None);
        assert_eq!(of("get"), None);
    }
}
