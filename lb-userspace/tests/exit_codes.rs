//! Every command can fail in both ways that docs/cli.md names: at run time (1), and because it was
//! asked wrongly (2). What succeeds with an agent (0) is in tests/agent/exit_codes.rs; messages are in
//! cli.rs.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use clap::CommandFactory as _;
use lb_userspace::cli::Arguments;

/// A disk that is full.
const FULL: &str = "/dev/full";

/// A command, the rest of its line, the exit code, and a part of what it says.
type Case = (&'static str, &'static str, i32, &'static str);

/// A configuration of the proxy, with an address that no host has (RFC 5737).
const PROXY: &str = "interfaces: [eth0]
listeners:
  - name: web
    address: 203.0.113.10
    port: 8080
    protocol: http
    default_action: { fixed_response: { status: 200 } }
";

/// A driver whose ports are in the wrong order.
const POOL: &str = "systemd: { unit: app@.service, addresses: [10.0.0.5], ports: [90, 80] }\n";

/// An agent that is not there.
const CONTEXTS: &str = "contexts: { lb1: { server: 'https://127.0.0.1:1' } }\n";

const NOBODY: &str = "no agent answers at nobody.sock";
const FULL_SAYS: &str = "No space left on device";

/// Where the line has `> full`, the output goes to a disk that is full.
const CASES: &[Case] = &[
    (
        "agent",
        "--config valid.yaml --socket file/x.sock",
        1,
        "cannot create the folder of file/x.sock",
    ),
    ("agent", "--state-dir file/x --socket x.sock", 1, "cannot create the state directory file/x"),
    ("agent", "--config missing.yaml", 2, "missing.yaml: cannot read the file"),
    ("agent", "--config invalid.yaml", 2, "lisseners: unknown key"),
    ("agent", "--config valid.yaml --listen 127.0.0.1:1", 2, "--tls-cert <FILE>"),
    ("agent", "--config valid.yaml --metrics 9900", 2, "--metrics <ADDRESS:PORT>"),
    ("apply", "-f valid.yaml", 1, NOBODY),
    ("apply", "-f valid.yaml --dry-run", 1, NOBODY),
    ("apply", "", 2, "--file <PATH>"),
    ("apply", "-f missing.yaml", 2, "missing.yaml: cannot read the file"),
    ("apply", "-f invalid.yaml", 2, "lisseners: unknown key"),
    ("apply", "-f valid.yaml --prune -m why", 1, NOBODY),
    ("create listener", "web --address 203.0.113.10 --port 80 --protocol tcp", 1, NOBODY),
    ("create listener", "web port", 2, "`port` is not KEY=VALUE"),
    ("create target-group", "web --port 80 --target 10.0.1.11 --dry-run", 1, NOBODY),
    ("create target-group", "", 2, "<NAME>"),
    ("create rule", "shop/a --priority 1", 1, NOBODY),
    ("create rule", "shop", 2, "is not LISTENER/RULE"),
    ("create target", "web/10.0.1.13", 1, NOBODY),
    ("create target", "web", 2, "is not GROUP/ADDRESS"),
    ("set", "tg web slow_start=30s", 1, NOBODY),
    ("set", "tg web", 2, "give at least one KEY=VALUE"),
    ("set", "pod web a=1", 2, "use listener, target-group"),
    ("edit", "listener web", 1, NOBODY),
    ("edit", "listener", 2, "name the object"),
    ("delete", "listener web dns", 1, NOBODY),
    ("delete", "config", 2, "the configuration is not deleted"),
    ("delete", "target -l rack=12 --dry-run", 1, NOBODY),
    ("delete", "rule shop -l team=old", 1, NOBODY),
    ("delete", "target web/10.0.1.11 -l rack=12", 2, "at most the group of the targets"),
    ("delete", "listener web -l env=prod", 2, "give names or --selector, not both"),
    ("delete", "listener", 2, "name the object"),
    ("set", "target -l rack=12 weight=50%", 1, NOBODY),
    ("set", "config -l rack=12 icmp.echo=true", 2, "the configuration has no tags"),
    ("describe", "target web/10.0.1.11", 1, NOBODY),
    ("describe", "listener web", 1, NOBODY),
    ("describe", "target web", 2, "is not GROUP/ADDRESS"),
    ("wait", "target web/10.0.1.11 --for healthy", 1, NOBODY),
    ("wait", "target web/10.0.1.11 --for sick", 2, "use one of initial"),
    ("wait", "listener web --for healthy", 2, "only targets and target groups"),
    ("wait", "target web -l rack=12 --for healthy", 1, NOBODY),
    ("wait", "tg -l env=prod --for healthy", 1, NOBODY),
    ("wait", "tg web -l env=prod --for healthy", 2, "not both"),
    ("rollback", "1", 1, NOBODY),
    ("rollback", "1 --dry-run", 1, NOBODY),
    ("rollback", "", 1, NOBODY),
    ("rollback", "one", 2, "invalid value 'one'"),
    ("rollback", "-1", 2, "unexpected argument '-1'"),
    ("diff", "1 2", 1, NOBODY),
    ("diff", "1", 2, "<TO>"),
    ("diff", "", 2, "<FROM>"),
    ("diff", "-f valid.yaml", 1, NOBODY),
    ("diff", "-f invalid.yaml", 2, "lisseners: unknown key"),
    ("diff", "1 2 -f valid.yaml", 2, "cannot be used with"),
    ("validate", "-f valid.yaml > full", 1, FULL_SAYS),
    ("validate", "-f invalid.yaml", 2, "lisseners: unknown key"),
    ("validate", "-f file", 2, "file:"),
    ("import", "ipvs rules > full", 1, FULL_SAYS),
    ("import", "haproxy rules", 2, "stands before the first section"),
    ("import", "nginx rules", 2, "invalid value 'nginx'"),
    ("get", "targets", 1, NOBODY),
    ("get", "config --watch", 1, NOBODY),
    ("get", "targets --server https://127.0.0.1:1", 1, "no agent answers at https://127.0.0.1:1"),
    ("get", "", 2, "<WHAT>"),
    ("get", "tg web", 1, NOBODY),
    ("get", "targets web --state healthy", 1, NOBODY),
    ("get", "targets --state sick", 2, "invalid value 'sick'"),
    ("get", "listeners --state healthy", 2, "only targets have a state"),
    ("get", "targets -l env=prod,!old", 1, NOBODY),
    ("get", "lb --selector env!=prod", 1, NOBODY),
    ("get", "targets -l env=prod,", 2, "`env=prod,` is not a selector: at character 10"),
    ("get", "rules -l env=prod", 1, NOBODY),
    ("get", "members -l env=prod", 1, NOBODY),
    ("get", "proxies -l env=prod", 2, "target groups, targets and members have tags"),
    ("get", "config web", 2, "are of no target group"),
    ("get", "tg/web -o name", 1, NOBODY),
    ("get", "targets web/10.0.1.11:80 -o wide --sort-by share --no-headers", 1, NOBODY),
    ("get", "targets web/a..b", 2, "not ADDRESS or ADDRESS:PORT"),
    ("get", "targets -o jsonpath=$[*].address --color never", 1, NOBODY),
    ("get", "targets -o jsonpath=$[", 2, "at character"),
    ("get", "targets --sort-by age", 2, "columns are GROUP, TARGET, WEIGHT"),
    ("get", "config -o csv", 2, "the configuration is no list"),
    ("get", "activities -o name", 2, "activities have no names"),
    ("get", "members web", 1, NOBODY),
    ("get", "activities", 1, NOBODY),
    ("get", "tagrets", 2, "invalid value 'tagrets'"),
    ("scale set-desired", "web 4", 1, NOBODY),
    ("scale set-desired", "web many", 2, "invalid value 'many'"),
    ("scale limits", "web --max 9", 1, NOBODY),
    ("scale limits", "web", 2, "--min <N>"),
    ("scale suspend", "web launch", 1, NOBODY),
    ("scale suspend", "", 2, "<GROUP>"),
    ("scale resume", "web", 1, NOBODY),
    ("scale resume", "", 2, "<GROUP>"),
    ("scale protect", "web web-1", 1, NOBODY),
    ("scale protect", "web", 2, "<MEMBER>"),
    ("scale standby", "web web-1 --off", 1, NOBODY),
    ("scale standby", "web", 2, "<MEMBER>"),
    ("scale end", "web web-1", 1, NOBODY),
    ("scale end", "web/web-1", 1, NOBODY),
    ("scale end", "web", 2, "<MEMBER>"),
    ("scale refresh", "web", 1, NOBODY),
    ("scale refresh", "web --cancel --rollback", 2, "cannot be used with"),
    ("scale retry", "web", 1, NOBODY),
    ("scale retry", "", 2, "<GROUP>"),
    ("scale post-metric", "web jobs 25", 1, NOBODY),
    ("scale post-metric", "web jobs", 2, "<VALUE>"),
    ("scale replay", "web --target 800", 1, NOBODY),
    ("scale replay", "web", 2, "--target <N>"),
    ("scale explain", "web", 1, NOBODY),
    ("scale explain", "", 2, "<GROUP>"),
    ("target add", "web 10.0.1.13", 1, NOBODY),
    ("target add", "web a..b", 2, "for example 10.0.1.13"),
    ("target remove", "web 10.0.1.13 --now", 1, NOBODY),
    ("target remove", "web", 2, "<ADDRESS[:PORT]>"),
    ("target weight", "web 10.0.1.13 5", 1, NOBODY),
    ("target weight", "web 10.0.1.13 many", 2, "invalid value 'many'"),
    ("target weight", "web 10.0.1.13 -20", 1, NOBODY),
    ("target weight", "web/10.0.1.13 50%", 1, NOBODY),
    ("target weight", "-l rack=12 50%", 1, NOBODY),
    ("target weight", "web -l rack=12 -20 --dry-run", 1, NOBODY),
    ("target weight", "web 10.0.1.13 -l rack=12", 2, "name a target or give --selector"),
    ("set", "target web/10.0.1.13 weight=+50", 1, NOBODY),
    ("target drain", "web [2001:db8::13]:80", 1, NOBODY),
    ("target drain", "web/10.0.1.13:80", 1, NOBODY),
    ("target drain", "web/10.0.1.13:80 --reason disk --wait --timeout 1s", 1, NOBODY),
    ("target drain", "web/10.0.1.13:80 --timeout 1s", 2, "--wait"),
    ("target weight", "web/10.0.1.13:80 5", 1, NOBODY),
    ("target drain", "web 10.0.1.13:65536", 2, "not ADDRESS or ADDRESS:PORT"),
    ("target undrain", "web 10.0.1.13", 1, NOBODY),
    ("target undrain", "web", 2, "<ADDRESS[:PORT]>"),
    ("target drain", "-l rack=12", 1, NOBODY),
    ("target drain", "-l rack=12 --dry-run", 1, NOBODY),
    ("target drain", "web --selector rack=12 --force", 1, NOBODY),
    ("target drain", "web 10.0.1.13 -l rack=12", 2, "cannot be used with"),
    ("target undrain", "-l rack=(12", 2, "at character 6: this `(` has no `)`"),
    ("status", "", 1, NOBODY),
    ("status", "-o xml", 2, "invalid value 'xml'"),
    ("status", "--server http://lb1", 2, "is not https://HOST:PORT"),
    ("stats", "", 1, NOBODY),
    ("stats", "all", 2, "unexpected argument 'all'"),
    ("events", "", 1, NOBODY),
    ("events", "--follow", 1, NOBODY),
    ("events", "--group", 2, "--group <NAME>"),
    ("explain", "--from 192.0.2.1:4000 --to 203.0.113.10:80", 1, NOBODY),
    ("explain", "--from 192.0.2.1 --to 203.0.113.10:80", 2, "not ADDRESS:PORT"),
    ("explain", "--from 192.0.2.1:4000", 2, "--to <ADDRESS:PORT>"),
    ("explain http", "GET http://shop.example/", 1, NOBODY),
    (
        "explain http",
        "GET http://shop.example/ --config proxy.yaml",
        2,
        "no listener is for http://shop",
    ),
    ("explain http", "GET shop.example --config proxy.yaml", 2, "is no URL of http or https"),
    ("explain http", "GET http://x:8080/ --config proxy.yaml -H x", 2, "write NAME: VALUE"),
    ("explain http", "GET http://x:8080/ --config invalid.yaml", 2, "lisseners: unknown key"),
    ("explain http", "GET", 2, "<URL>"),
    ("explain config", "slow_start > full", 1, FULL_SAYS),
    ("explain config", "slow_strat", 2, "the nearest are slow_start"),
    ("doctor", "--interface lo > full", 1, FULL_SAYS),
    ("doctor", "--interface no-such-if", 2, "interface no-such-if does not exist"),
    ("doctor target", "--vip 192.0.2.99 --interface lo > full", 1, FULL_SAYS),
    ("doctor target", "--vip ten", 2, "invalid value 'ten'"),
    ("driver check", "broken-driver --poll-interval 1ms > full", 1, FULL_SAYS),
    ("driver check", "file", 2, "file is not a program that can be executed: `chmod +x file`"),
    ("driver check", "no-such-file", 2, "no-such-file: No such file or directory"),
    ("driver check", "", 2, "<PROGRAM>"),
    ("driver check", "broken-driver --parameters rules", 2, "rules: "),
    ("driver check", "--driver invalid.yaml", 2, "invalid.yaml: "),
    ("driver check", "--driver pool.yaml", 2, "pool.yaml: ports: [90, 80] is no range"),
    ("driver check", "broken-driver --set port", 2, "expected KEY=VALUE"),
    ("driver check", "broken-driver --group a/b", 2, "use up to 64 letters"),
    ("driver check", "--url http://192.0.2.1/", 2, "--secret-file <FILE>"),
    ("driver check", "--url http://192.0.2.1/ --secret-file secret", 2, "use https, or http with"),
    ("bench program", "--case swap-macs --flows 1 --packets 1000 > full", 1, FULL_SAYS),
    ("bench program", "--case none", 2, "invalid value 'none'"),
    ("bench sink", "--interface lo --duration 1s > full", 1, FULL_SAYS),
    ("bench sink", "--interface lo --duration 0s", 2, "--duration: must be more than 0"),
    ("bench traffic", "--interface lo --to 224.0.0.1:9", 2, "is a multicast address"),
    ("decap", "--interface lo > full", 1, FULL_SAYS),
    ("decap", "--interface no-such-if", 2, "interface no-such-if does not exist"),
    ("decap", "", 2, "--interface <IFACE>"),
    ("decap", "--interface lo --allow ten", 2, "expected an address or a prefix"),
    ("proxy", "--config proxy.yaml --access-log file/x.log", 1, "cannot open the log file/x.log"),
    ("proxy", "--config proxy.yaml", 1, "listener web: this host has no address 203.0.113.10"),
    ("proxy", "--state-dir file/x", 1, "cannot make the state directory file/x"),
    (
        "proxy",
        "--config proxy.yaml --name edge",
        2,
        "'--config <PATH>' cannot be used with '--name",
    ),
    (
        "proxy",
        "--config proxy.yaml --metrics 203.0.113.10:9901",
        1,
        "cannot listen at 203.0.113.10:9901",
    ),
    ("proxy", "--config proxy.yaml --metrics 9901", 2, "--metrics <ADDRESS:PORT>"),
    ("proxy", "--config missing.yaml", 2, "missing.yaml: cannot read the file"),
    ("proxy", "--config invalid.yaml", 2, "invalid.yaml:2:1: lisseners: unknown key"),
    ("proxy", "--config valid.yaml", 2, "valid.yaml: there is no listener of http, https or tls"),
    ("proxy", "--config proxy.yaml --drain-timeout 5", 2, "time unit needed"),
    ("pass", "--interface lo", 1, "cannot run XDP in native mode"),
    ("pass", "--interface no-such-if", 2, "interface no-such-if does not exist"),
    ("pass", "", 2, "--interface <IFACE>"),
    ("detach", "--bpffs file", 1, "is not in a BPF file system"),
    ("detach", "now", 2, "unexpected argument 'now'"),
    ("context list", "> full", 1, FULL_SAYS),
    ("context list", "--sort-by age", 2, "columns are CURRENT, NAME"),
    ("context use", "lb1 > full", 1, FULL_SAYS),
    ("context use", "lb2", 2, "there is no context lb2; there are lb1"),
    ("context set", "a --socket /run/a > full", 1, FULL_SAYS),
    ("context set", "b", 2, "it has no socket and no server"),
    ("context delete", "a > full", 1, FULL_SAYS),
    ("context delete", "c", 2, "there is no context c"),
    ("context show", "lb1 > full", 1, FULL_SAYS),
    ("context show", "d", 2, "there is no context d"),
    ("status", "--context lb1", 1, "no agent answers at https://127.0.0.1:1"),
    ("status", "--context lb2", 2, "there is no context lb2; there are lb1"),
    ("status", "--context lb1 --socket x", 2, "cannot be used with"),
    ("token", "alice read > full", 1, FULL_SAYS),
    ("token", "alice boss", 2, "`boss` is not a role"),
    ("token", "al/ice read", 2, "use up to 64 letters"),
    ("schema", "> full", 1, FULL_SAYS),
    ("schema", "--openapi > full", 1, FULL_SAYS),
    ("schema", "--yaml", 2, "unexpected argument '--yaml'"),
    ("completions", "bash > full", 1, FULL_SAYS),
    ("completions", "cmd", 2, "invalid value 'cmd'"),
    ("man", "--dir file/x", 1, "cannot create the folder file/x"),
    ("man", "", 2, "--dir <DIR>"),
];

/// What is tried where there is an interface other than the loopback: tests/network/generator.
const ELSEWHERE: [(i32, &str); 1] = [(1, "bench traffic")];

/// What commands that load BPF programs say to others than root, before they do anything.
const NOT_PERMITTED: &str = "not permitted to load BPF programs";

/// All commands that do something.
fn commands() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        // `doctor` does something by itself, too.
        if !command.has_subcommands() || !command.is_subcommand_required_set() {
            all.insert(name.to_owned());
        }
        all.extend(command.get_subcommands().map(|sub| format!("{name} {}", sub.get_name())));
    }
    all
}

fn check(folder: &Path, &(command, rest, code, says): &Case) {
    let (rest, full) = match rest.strip_suffix("> full") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let mut xelb = Command::new(env!("CARGO_BIN_EXE_xelb"));
    xelb.args(command.split(' ').chain(rest.split_whitespace()))
        .current_dir(folder)
        .env("XELB_SOCKET", "nobody.sock")
        .env("XDG_CONFIG_HOME", folder)
        .env_remove("XELB_LOG")
        .env_remove("XELB_TOKEN");
    if full {
        xelb.stdout(Stdio::from(File::options().write(true).open(FULL).unwrap()));
    }
    let output = xelb.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let case = format!("xelb {command} {rest}: {:?}: {stderr}", output.status);
    assert_eq!(output.status.code(), Some(code), "{case}");
    let loads = command == "decap" || command == "pass" || command.starts_with("bench ");
    let refused = code == 1 && loads && !nix::unistd::geteuid().is_root();
    let says = if refused { NOT_PERMITTED } else { says };
    assert!(stderr.contains(says), "`{says}` is missing: {case}");
    assert_eq!(output.stdout, b"", "{case}");
}

#[test]
fn every_command_fails_with_the_documented_code() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("file", ""),
        ("rules", "-A -t 203.0.113.10:80 -s rr\n"),
        ("valid.yaml", "interfaces: [eth0]\n"),
        ("invalid.yaml", "interfaces: [eth0]\nlisseners: []\n"),
        ("proxy.yaml", PROXY),
        ("secret", "s\n"),
        ("pool.yaml", POOL),
        ("broken-driver", "#!/bin/sh\nexit 1\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mode = |name, mode| {
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
    };
    mode("broken-driver", 0o755);
    mode("secret", 0o600);
    fs::create_dir(folder.path().join("xelb")).unwrap();
    fs::write(folder.path().join("xelb/contexts.yaml"), CONTEXTS).unwrap();
    mode("xelb/contexts.yaml", 0o600);
    for case in CASES {
        check(folder.path(), case);
    }
}

#[test]
fn no_command_is_left_out() {
    for code in [1, 2] {
        let tried = CASES.iter().filter(|case| case.2 == code).map(|case| case.0.to_owned());
        let elsewhere = ELSEWHERE.iter().filter(|(of, _)| *of == code);
        let tried = tried.chain(elsewhere.map(|(_, command)| (*command).to_owned()));
        assert_eq!(tried.collect::<BTreeSet<_>>(), commands(), "exit code {code}");
    }
}
