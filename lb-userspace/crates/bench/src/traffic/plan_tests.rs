//! Tests of what the generator refuses, and of what it does with the rest.

use super::*;

fn path() -> EgressPath {
    EgressPath {
        interface: 7,
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        mtu: 1500,
        networks: vec!["10.0.0.2/24".parse().unwrap(), "fd00::2/64".parse().unwrap()],
    }
}

fn request() -> Request {
    Request {
        to: "10.0.0.1:80".parse().unwrap(),
        from: None,
        transport: Transport::Tcp,
        flows: None,
        syn_flood: false,
        rate: Some(10_000),
        mix: Mix::Fixed(60),
        duration: Duration::from_secs(10),
        count: None,
        threads: 1,
    }
}

fn to(text: &str) -> Request {
    Request { to: text.parse().unwrap(), ..request() }
}

#[test]
fn unsupported_requests_are_refused_with_their_option() {
    let with = |change: fn(&mut Request)| {
        let mut request = request();
        change(&mut request);
        request
    };
    let cases = [
        ("--to", to("224.0.0.1:80"), "multicast"),
        ("--to", to("[ff02::1]:80"), "multicast"),
        ("--to", to("255.255.255.255:80"), "not an address of a host"),
        ("--to", to("0.0.0.0:80"), "not an address of a host"),
        ("--to", to("127.0.0.1:80"), "this host itself"),
        ("--to", to("[::1]:80"), "this host itself"),
        ("--to", to("[::]:80"), "not an address of a host"),
        ("--to", to("10.0.0.1:0"), "no port"),
        ("--to", to("10.0.0.2:80"), "of this interface itself"),
        ("--to", to("10.0.0.255:80"), "broadcast"),
        ("--to", to("10.0.0.0:80"), "broadcast"),
        ("--rate", with(|request| request.rate = Some(0)), "between 1 and"),
        ("--rate", with(|request| request.rate = Some(RATE_MAX + 1)), "between 1 and"),
        ("--count", with(|request| request.count = Some(0)), "between 1 and"),
        ("--count", with(|request| request.count = Some(u64::MAX)), "between 1 and"),
        ("--duration", with(|request| request.duration = Duration::ZERO), "more than 0"),
        ("--duration", with(|request| request.duration = Duration::from_secs(3601)), "at most 1h"),
        ("--threads", with(|request| request.threads = 0), "between 1 and the 2 CPUs"),
        ("--threads", with(|request| request.threads = 3), "between 1 and the 2 CPUs"),
        ("--size", with(|request| request.mix = Mix::Fixed(59)), "the minimum is 60"),
        ("--size", with(|request| request.mix = Mix::Fixed(0)), "too few"),
        ("--size", with(|request| request.mix = Mix::Fixed(1515)), "MTU is 1500"),
        ("--size", with(|request| request.mix = Mix::Fixed(u32::MAX)), "too many"),
        ("--size", Request { mix: Mix::Fixed(79), ..to("[fd00::1]:80") }, "the minimum is 80"),
        ("--flows", with(|request| request.flows = Some(0)), "between 1 and"),
        ("--flows", with(|request| request.flows = Some(253 * 64_512 + 1)), "253 addresses"),
        (
            "--flows",
            with(|request| {
                request.flows = Some(5);
                request.syn_flood = true;
            }),
            "leave this out",
        ),
        (
            "--syn-flood",
            with(|request| {
                request.transport = Transport::Udp;
                request.syn_flood = true;
            }),
            "only TCP",
        ),
        (
            "--count",
            with(|request| {
                request.count = Some(253 * 64_512 + 1);
                request.syn_flood = true;
            }),
            "new flows are more",
        ),
    ];
    for (option, request, part) in cases {
        let error = Plan::new(&request, &path(), 2).expect_err(part);
        assert!(error.is_usage(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{option}: ")) && text.contains(part), "{text}");
    }
}

#[test]
fn an_interface_without_a_network_needs_from() {
    let bare = EgressPath { networks: Vec::new(), ..path() };
    let error = Plan::new(&request(), &bare, 2).unwrap_err();
    assert!(error.to_string().starts_with("--from: "), "{error}");
    let from = Some("192.0.2.0/24".parse().unwrap());
    assert!(Plan::new(&Request { from, ..request() }, &bare, 2).is_ok());
}

#[test]
fn defaults_are_the_own_network_and_a_thousand_flows() {
    let plan = Plan::new(&request(), &path(), 2).unwrap();
    assert_eq!((plan.from.to_string().as_str(), plan.flows), ("10.0.0.0/24", 1000));
    let flood = Request { syn_flood: true, ..request() };
    assert_eq!(Plan::new(&flood, &path(), 2).unwrap().flows, 253 * 64_512);
}
