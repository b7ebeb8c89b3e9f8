//! Lines that mean something else than they seem to, and what real files taught: forms that are in no
//! manual, or only in old ones.

use super::{imported, remarks};
use crate::{Format, Settings, import_with};

const IPVS: Format = Format::Ipvs;
const KEEPALIVED: Format = Format::Keepalived;
const HAPROXY: Format = Format::Haproxy;

/// A case: what it shows, the format, the input, parts of the result, parts of the remarks.
type Case = (&'static str, Format, &'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "a script with prompts, paths and joined options",
        IPVS,
        "[root@lvs ~]# ipvsadm -C\n$ sudo /sbin/ipvsadm -A -t 203.0.113.10:80 -s rr\nipvsadm -at \
         203.0.113.10:80 -r 10.0.1.11 -b\n",
        &["forwarding: fullnat", "- { address: \"10.0.1.11\" }", "port: 80"],
        &["line 1: no counterpart: -C clears the table", "source_nat: 192.0.2.1 is a placeholder"],
    ),
    (
        "long options",
        IPVS,
        "--add-service --tcp-service 203.0.113.10:80 --scheduler wrr --persistent 60\n--add-server \
         --tcp-service 203.0.113.10:80 --real-server 10.0.1.11:80 --gatewaying --weight 5\n",
        &["forwarding: l2dsr", "stickiness: source_ip"],
        &["persistence becomes `stickiness: source_ip`"],
    ),
    (
        "names of ports and hosts, from a listing without -n",
        IPVS,
        "-A -t 203.0.113.10:http -s rr\n-a -t 203.0.113.10:http -r web1:http -g -w 1\n-A -t \
         203.0.113.11:80 -s rr\n",
        &["address: \"203.0.113.11\""],
        &[
            "line 1: needs a hand: `http` is not a port",
            "line 2: no counterpart: the service of this",
        ],
    ),
    (
        "a table of DPVS, with words of its own",
        IPVS,
        "TCP  203.0.113.10:80 rr conn-timeout 60\n  -> 10.0.1.11:80   FullNat 100    0    37\n",
        &["forwarding: fullnat"],
        &["`conn-timeout` of the service"],
    ),
    (
        "headings alone, without the heads of columns",
        IPVS,
        "Prot LocalAddress:Port Scheduler Flags\nTCP  203.0.113.10:80 rr\n  -> 10.0.1.11:80  Masq 1\n",
        &["forwarding: nat"],
        &["line 1: no counterpart: a heading"],
    ),
    (
        "direct routing cannot translate the port",
        IPVS,
        "-A -t 203.0.113.10:80 -s rr\n-a -t 203.0.113.10:80 -r 10.0.1.11:8080 -g -w 1\n",
        &["    port: 80\n    forwarding: l2dsr"],
        &["port 8080 of the server becomes 80"],
    ),
    (
        "weights beyond those of xelb",
        IPVS,
        "-A -t 203.0.113.10:80 -s wrr\n-a -t 203.0.113.10:80 -r 10.0.1.11:80 -g -w 65535\n-a -t \
         203.0.113.10:80 -r 10.0.1.12:80 -g -w 1\n",
        &["weight: 1000", "weight: 1 }"],
        &["weights are scaled down"],
    ),
    (
        "the quorum is the opposite of minimum_healthy_targets, and counts weights",
        KEEPALIVED,
        "virtual_server 203.0.113.10 80 {\n quorum 7\n hysteresis 2\n alpha\n lb_kind NAT\n real_server \
         10.0.1.11 8080 {\n weight 2\n TCP_CHECK {\n connect_port 80\n }\n }\n}\n",
        &["forwarding: nat", "    port: 8080", "      port: 80", "quorum: 4"],
        &["line 2: differs: quorum: a number of healthy targets", "does the opposite"],
    ),
    (
        "a sorry server is a backup target, and the quorum says when it is used",
        KEEPALIVED,
        "virtual_server 203.0.113.10 80 {\n lb_kind NAT\n quorum 2\n sorry_server 10.0.1.99 81\n \
         real_server 10.0.1.11 80 {\n TCP_CHECK {\n }\n }\n real_server 10.0.1.12 80 {\n TCP_CHECK {\n }\n \
         }\n}\n",
        &["\"10.0.1.99\", port: 81", "backup: true", "backup_threshold: 2"],
        &[
            "line 3: differs: quorum: below it",
            "line 4: differs: sorry_server becomes a backup target",
        ],
    ),
    (
        "weights that differ give no number of targets",
        KEEPALIVED,
        "virtual_server 203.0.113.10 80 {\n lb_kind NAT\n quorum 3\n real_server 10.0.1.11 80 {\n weight 2\n \
         TCP_CHECK {\n }\n }\n real_server 10.0.1.12 80 {\n TCP_CHECK {\n }\n }\n}\n",
        &["10.0.1.12"],
        &["line 3: needs a hand: quorum 3 is a sum of weights"],
    ),
    (
        "defaults: NAT, every 60s, down at the second failure, up at the first success",
        KEEPALIVED,
        "virtual_server 203.0.113.10 80 {\n real_server 10.0.1.11 80 {\n TCP_CHECK {\n }\n }\n}\n",
        &["nat", "interval: 60s", "timeout: 5s", "healthy_threshold: 1", "unhealthy_threshold: 2"],
        &[],
    ),
    (
        "ranges of addresses, hexadecimal in IPv6",
        KEEPALIVED,
        "virtual_server_group G {\n 2001:db8::9-b 80\n 203.0.113.254-255 80\n fwmark 1\n}\n\
         virtual_server group G {\n lb_kind TUN\n real_server 10.0.1.11 80 {\n TCP_CHECK {\n }\n }\n}\n",
        &["2001:db8::9\"", "2001:db8::a\"", "2001:db8::b\"", "203.0.113.255\""],
        &["line 4: no counterpart: a service by firewall mark"],
    ),
    (
        "comments within lines, and an exclamation mark as one",
        KEEPALIVED,
        "! head\nvirtual_server 203.0.113.10 80 { # web\n lb_kind DR ! direct\n real_server 10.0.1.11 80 \
         { TCP_CHECK { connect_timeout 0.5 } }\n}\n",
        &["l2dsr", "timeout: 500ms"],
        &[],
    ),
    (
        "a configuration for several hosts",
        KEEPALIVED,
        "vrrp_instance V {\n@high priority 170\n interface bond0\n}\n@low net_namespace low\n$VIP=203.0.113.10\n",
        &["interfaces: [bond0]"],
        &["lines 5-6: needs a hand: conditions"],
    ),
    (
        "a digest, the check of old configurations",
        KEEPALIVED,
        "virtual_server 203.0.113.10 443 {\n delay_loop 6\n real_server 10.0.1.11 443 {\n SSL_GET {\n url \
         {\n path /\n digest ff20ad\n }\n connect_port 444\n nb_get_retry 3\n }\n }\n}\n",
        &["protocol: https", "path: \"/\"", "port: 444", "unhealthy_threshold: 4"],
        &["line 7: needs a hand: digest"],
    ),
    (
        "UDP without a payload, and a server without any check",
        KEEPALIVED,
        "virtual_server 203.0.113.53 53 {\n protocol UDP\n real_server 10.0.1.53 53 {\n UDP_CHECK {\n \
         retry 3\n }\n }\n real_server 10.0.1.54 53 {\n }\n}\n",
        &["protocol: udp\n      interval: 60s"],
        &["without a checker"],
    ),
    (
        "a virtual server whose VIP is one of its servers",
        KEEPALIVED,
        "virtual_server 203.0.113.10 80 {\n lb_kind NAT\n real_server 203.0.113.10 80 {\n TCP_CHECK \
         {\n }\n }\n}\n",
        &["listeners:"],
        &["is the address of a listener, not of a server"],
    ),
    (
        "the address on the line of the section, old timeouts, and no mode: TCP",
        HAPROXY,
        "defaults\n\tcontimeout\t5000\n\tclitimeout\t7200000\nlisten\tdb 203.0.113.10:3306\n\tserver a \
         10.0.1.11:3306 check inter 2000 rise 2 fall 5\n",
        &[
            "address: \"203.0.113.10\"",
            "idle_timeout: 6000s",
            "interval: 2s",
            "unhealthy_threshold: 5",
        ],
        &["silent connections may live 7200s"],
    ),
    (
        "dispatch, and two sections with one name",
        HAPROXY,
        "listen a 203.0.113.10:80\n dispatch 10.0.1.11:80\nlisten a 203.0.113.10:81\n server b \
         10.0.1.12:80\n",
        &["name: a-2"],
        &[],
    ),
    (
        "a transparent proxy shows the client's address",
        HAPROXY,
        "frontend f\n bind 203.0.113.22:80\n default_backend b\nbackend b\n source 0.0.0.0 usesrc \
         clientip\n server s 10.0.1.11:80\n",
        &["forwarding: nat"],
        &["line 5: differs: source with usesrc becomes mode nat"],
    ),
    (
        "option httpchk alone asks with OPTIONS; a method in its place",
        HAPROXY,
        "listen a\n bind 203.0.113.10:80\n option httpchk HEAD /favicon.ico HTTP/1.1\\r\\nHost:\\ www\n \
         server s 10.0.1.11:80 check\n",
        &["protocol: http", "path: \"/favicon.ico\"", "host: www"],
        &["becomes GET"],
    ),
    (
        "an address of the host cannot be the source as well",
        HAPROXY,
        "listen a\n bind 203.0.113.10:80\n source 203.0.113.10\n server s 10.0.1.11:80\n",
        &["source_nat: { addresses: [\"192.0.2.1\"] }"],
        &["203.0.113.10 cannot be an address of `source_nat`"],
    ),
    (
        "ranges of ports, any address of both families, sockets, QUIC and variables",
        HAPROXY,
        "listen a\n bind :::8000-8001 v4v6\n bind /run/x.sock\n bind quic4@:443\n bind \
         \"${VIP}:80\"\n server s 10.0.1.11:80\n server t [2001:db8::11]:80\n server u 10.0.1.12:+10\n",
        &["port: 8000-8001", "address: \"2001:db8::ffff:1\"", "\"192.0.2.1\""],
        &["`/run/x.sock` is a socket", "`quic4@:443` is no TCP socket", "relative to the client's"],
    ),
    (
        "conditions of the preprocessor, and the settings of a named section",
        HAPROXY,
        "defaults fast\n mode tcp\n balance source\n.if feature(QUIC)\ndefaults slow\n mode http\n.endif\n\
         listen a from fast\n bind 203.0.113.10:80\n server s 10.0.1.11:80\n",
        &["stickiness: source_ip"],
        &["lines 4, 7: needs a hand: conditions"],
    ),
    (
        "the health mode, and statistics in a TCP section",
        HAPROXY,
        "listen health 0.0.0.0:3130\n mode health\nlisten a\n bind 203.0.113.10:80\n stats enable\n \
         server s 10.0.1.11:80\n",
        &["name: a"],
        &["lines 1-2: no counterpart: listen health, mode health, 2 lines: not TCP"],
    ),
];

#[test]
fn traps_and_forms_of_real_files() {
    for (name, format, text, result, said) in CASES {
        let imported = imported(*format, text);
        for part in *result {
            assert!(imported.text().contains(part), "{name}: {part}\n{}", imported.text());
        }
        let remarks = remarks(&imported);
        for part in *said {
            assert!(remarks.contains(part), "{name}: {part}\n{remarks}");
        }
    }
}

#[test]
fn options_say_what_the_input_does_not() {
    let settings = Settings {
        interfaces: vec!["bond0".to_owned(), "eth1".to_owned()],
        addresses: vec!["203.0.113.10".parse().unwrap()],
        source_addresses: vec!["10.0.0.2".parse().unwrap()],
    };
    let text = "listen a\n bind *:80\n server s 10.0.1.11:80 check\n";
    let imported = import_with(HAPROXY, text, &settings).unwrap();
    for part in
        ["interfaces: [bond0, eth1]", "addresses: [\"10.0.0.2\"]", "address: \"203.0.113.10\""]
    {
        assert!(imported.text().contains(part), "{}", imported.text());
    }
    assert_eq!(imported.count(crate::Kind::Hand), 0, "{}", remarks(&imported));
    // What the user gives is not taken out: it is an error.
    let settings = Settings { interfaces: vec!["a/b".to_owned()], ..settings };
    let imported = import_with(HAPROXY, text, &settings).unwrap();
    assert!(imported.errors().unwrap().to_string().contains("interfaces[0]"));
}
