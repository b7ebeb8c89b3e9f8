//! Values that the schema and the reader are both asked about, and what only the reader sees.

use serde_json::{Value, json};

/// Numbers at and beyond the ends of all ranges.
const NUMBERS: &[i64] = &[
    i64::MIN,
    -1,
    0,
    1,
    2,
    10,
    11,
    80,
    99,
    100,
    101,
    399,
    535,
    536,
    599,
    600,
    1000,
    1001,
    8960,
    8961,
    16_383,
    16_384,
    65_535,
    65_536,
    1_000_000,
    1_000_001,
    1 << 50,
    (1 << 50) + 1,
    i64::MAX,
];

/// Numbers of durations, in every unit: the ends of all ranges, and forms of zero.
const DURATIONS: &[&str] = &[
    "0",
    "00",
    "1",
    "5",
    "005",
    "6",
    "9",
    "10",
    "15",
    "16",
    "29",
    "30",
    "59",
    "60",
    "61",
    "99",
    "100",
    "101",
    "300",
    "301",
    "360",
    "900",
    "901",
    "1000",
    "1500",
    "2000",
    "3600",
    "3601",
    "5999",
    "6000",
    "6001",
    "9000",
    "9999",
    "10000",
    "10001",
    "29000",
    "30000",
    "60000",
    "60001",
    "300000",
    "300001",
    "900000",
    "901000",
    "360000",
    "360001",
    "3600000",
    "3601000",
    "6000000",
    "6001000",
    "360000000",
    "360001000",
    "18446744073709551615",
    "18446744073709551616",
];

const TEXTS: &[&str] = &[
    // Nothing, words, and what only looks like something.
    "",
    " ",
    "-",
    "x",
    "web",
    "web-1",
    "a b",
    "é",
    ".",
    "..",
    "a/b",
    "a:b",
    "a\tb",
    "a\u{1}b",
    "a\nb",
    "eth0",
    "abcdefghijklmno",
    "abcdefghijklmnop",
    "all",
    "ALL",
    "traffic-port",
    "none",
    "true",
    "no",
    "/",
    "/x",
    "/a b",
    "/#",
    "/é",
    "/bin/true",
    "x/y",
    "GET",
    "a@b.example",
    "/order/*",
    "a\\*",
    "a\\",
    "*.example.com",
    "x y",
    "#{host}",
    "/#{path}",
    "#{port}",
    "/#{user}",
    "1%",
    "20%",
    "101%",
    "502",
    "(",
    // Enums, and words of others.
    "tcp",
    "TCP",
    "http",
    "ipip",
    "source_ip",
    "tracked",
    "address",
    // Ports, ranges, codes.
    "0",
    "80",
    "080",
    "+80",
    " 80",
    "80 ",
    "65535",
    "65536",
    "0-80",
    "80-",
    "-80",
    "1-65535",
    "80-90",
    "90-80",
    "80 - 90",
    " 80-90 ",
    "80-90-100",
    "80-65536",
    "1023-65535",
    "1024-65535",
    "1024-2022",
    "65535-1024",
    "99",
    "100",
    "200",
    "599",
    "600",
    "200-399",
    "399-200",
    "200,204",
    "200, 204 ",
    "200,,204",
    ",200",
    "0,12",
    "0-99",
    "99-600",
    "100-599,0",
    // Durations that are none.
    "5 s",
    "5S",
    "-5s",
    "+5s",
    "1.5s",
    "s",
    "5sec",
    "1d",
    "1m30s",
    " 5s",
    "5s ",
    "5s\n",
    // Addresses and prefixes.
    "10.0.0.1",
    "10.0.0.256",
    "10.0.0.01",
    "10.0.0",
    "10.0.0.1.1",
    "10.0.0.1:80",
    "0.0.0.0",
    "0.0.0.1",
    "127.0.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "223.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "255.255.255.254",
    "2001:db8::1",
    "2001:DB8::A",
    "::",
    "::1",
    "::2",
    "1::",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "fe80::1%eth0",
    "[2001:db8::1]",
    "12345::",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.0.0/17",
    "10.0.0.0/33",
    "10.0.0.0/32",
    "10.0.0.1/8",
    "10.1.0.0/16",
    "10.1.0.0/8",
    "0.0.0.0/0",
    "127.0.0.0/8",
    "224.0.0.0/4",
    "203.0.113.0/28",
    "100::/64",
    "100::/112",
    "100::/113",
    "100::1/64",
    "fd00::/129",
    "::/0",
    "ff00::/16",
    "10.0.0.0/",
    "/8",
    "10.0.0.0/08",
    "010.0.0.0/8",
    "10.0.0.0/+8",
    // Hexadecimal digits.
    "00",
    "0f0F",
    "abc",
    "0g",
    "0123456789abcdefFEDCBA9876543210",
    "0123456789abcdef0123456789abcdeg",
    // Names of hosts.
    "www.example.org",
    "www.example.org.",
    "www.example.org:8080",
    "a_b.example",
    "-a.example",
    "a-.example",
    "a..b",
    "1.2.3.4",
    "example.1",
    "[2001:db8::1]:80",
    "a@b",
];

/// Values of every type that configurations have.
pub(super) fn values() -> Vec<Value> {
    let mut all = vec![json!(null), json!(true), json!(false), json!(0.5), json!(-1e300)];
    all.extend(NUMBERS.iter().map(|number| json!(number)));
    all.extend(TEXTS.iter().map(|text| json!(text)));
    for unit in ["ms", "s", "m", "h", "d"] {
        all.extend(DURATIONS.iter().map(|number| json!(format!("{number}{unit}"))));
    }
    for length in [54, 56, 57, 63, 64, 255, 256, 1024, 1025, 1200, 1201, 2400, 2402] {
        all.push(json!("a".repeat(length)));
        all.push(json!(format!("/{}", "a".repeat(length - 1))));
    }
    all.extend([
        json!([]),
        json!(["/x"]),
        json!([null]),
        json!([[]]),
        json!({}),
        json!({ "a": 1 }),
    ]);
    all
}

/// What the reader refuses and the schema does not see: a path and a value a line.
pub(super) const UNSEEN: &str = r#"
    resolver.servers[0] "0.0.0.0"
    resolver.servers[0] "12345::"
    resolver.servers[0] "1:2:3:4:5:6:7:8:9"
    resolver.servers[0] "1::2::3"
    resolver.servers[0] "224.0.0.1"
    resolver.servers[0] "239.255.255.255"
    resolver.servers[0] "::"
    resolver.servers[0] "ff02::1"
    listeners[0].address "10.0.0.1/8"
    listeners[0].address "10.1.0.0/8"
    listeners[0].address "100::1/64"
    listeners[0].address "12345::"
    listeners[0].address "1:2:3:4:5:6:7:8:9"
    listeners[0].address "1::2::3"
    listeners[0].address "::ffff:10.0.0.1"
    listeners[0].port "399-200"
    listeners[0].port "65535-1024"
    listeners[0].port "90-80"
    source_nat.addresses[0] "12345::"
    source_nat.addresses[0] "1:2:3:4:5:6:7:8:9"
    source_nat.addresses[0] "1::2::3"
    source_nat.addresses[0] "::ffff:10.0.0.1"
    source_nat.ports "1024-2022"
    source_nat.ports "65535-1024"
    defaults.health_check.matcher "399-200"
    target_groups[0].health_check.matcher "399-200"
    target_groups[0].targets[0].address "12345::"
    target_groups[0].targets[0].address "1:2:3:4:5:6:7:8:9"
    target_groups[0].targets[0].address "1::2::3"
    target_groups[0].targets[0].address "::ffff:10.0.0.1"
    listeners[0].default_action.forward.sorry_target_group "web"
    tunnel.source_ipv4 "10.1.0.0/8"
    tunnel.source_ipv6 "100::1/64"
"#;
