//! What finding the rule of a request costs, with 20 rules and with 10,000. It measures CPU time of the
//! thread, so that other programs of the machine count less.

use std::{hint::black_box, net::Ipv4Addr, time::Duration};

use criterion::{
    Criterion, criterion_group, criterion_main,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use lb_rules::{
    Action, Condition, HeaderChanges, Index, ListenerEnd, Match, Protocol, RequestHead, Rule,
    RuleSet, Transforms,
};
use nix::time::{ClockId, clock_gettime};

/// CPU time of this thread.
struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        match clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) {
            Ok(time) => time.into(),
            Err(error) => panic!("clock_gettime: {error}"),
        }
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn index(count: u32, conditions: impl Fn(u32) -> Vec<Condition>) -> Index {
    let rules = (0..count).map(|number| Rule {
        name: format!("rule-{number}"),
        priority: number + 1,
        conditions: conditions(number),
        transforms: Transforms::default(),
        headers: HeaderChanges::default(),
        actions: vec![Action::forward("web")],
    });
    let listener = ListenerEnd { protocol: Protocol::Https, port: 443 };
    let rules = RuleSet::new(rules.collect(), Action::forward("rest"), listener);
    match rules.map(Index::new) {
        Ok(Ok(index)) => index,
        Ok(Err(error)) => panic!("{error}"),
        Err(errors) => panic!("{errors:?}"),
    }
}

fn host(value: String) -> Condition {
    Condition::Host(vec![value])
}

fn path(value: String) -> Condition {
    Condition::Path(vec![value])
}

/// A tenth exact hosts, a tenth wildcard hosts, a tenth paths with an extension; the rest are paths
/// of one host.
fn mixed(number: u32) -> Vec<Condition> {
    match number % 10 {
        0 => vec![host(format!("shop-{number}.example.com")), path("/cart/*".to_owned())],
        1 => vec![host(format!("*.tenant-{number}.example.com"))],
        2 => vec![path(format!("/files-{number}/*.png"))],
        _ => vec![host("www.example.com".to_owned()), path(format!("/service-{number}/*"))],
    }
}

fn bench(criterion: &mut Criterion<ThreadTime>) {
    let mut group = criterion.benchmark_group("find");
    let mut case = |name: &str, index: &Index, host: &str, path: &str, matches: bool| {
        let request = RequestHead {
            method: "GET",
            host,
            path,
            query: Some("page=2"),
            headers: &[],
            peer: Ipv4Addr::LOCALHOST.into(),
        };
        assert_eq!(matches!(index.find(&request), Match::Rule { .. }), matches, "{name}");
        group.bench_function(name, |b| b.iter(|| black_box(index.find(black_box(&request)))));
    };
    let requests = |last: u32| {
        let tenant = last - last % 10 + 1;
        [
            ("path of one host", "www.example.com".to_owned(), format!("/service-{last}/a/b")),
            ("wildcard host", format!("a.tenant-{tenant}.example.com"), "/".to_owned()),
            ("default action", "unknown.example.org".to_owned(), "/nothing".to_owned()),
        ]
    };
    for count in [20, 10_000] {
        let index = index(count, mixed);
        for (name, host, path) in requests(count - 1) {
            let matches = name != "default action";
            case(&format!("{count} rules, {name}"), &index, &host, &path, matches);
        }
    }
    // What the index cannot help with: no literal host, and no literal beginning of a path.
    let unfiled = index(1000, |number| vec![path(format!("*.x{number}"))]);
    case("1000 rules without literal beginning", &unfiled, "a", "/file.x999", true);
    let regexes =
        index(1000, |number| vec![Condition::PathRegex(vec![format!("^/x/[a-z]+/v{number}$")])]);
    case("1000 rules with path_regex", &regexes, "a", "/x/abc/v999", true);
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(ThreadTime);
    targets = bench
);
criterion_main!(benches);
