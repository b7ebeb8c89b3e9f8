//! Reloads and stops under load.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use lb_proxy_control::Signal;

use crate::support::{
    ConfigFile, RunningService, connect, free_port, get, local, read_response, target, two_groups,
    wait_until,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

#[test]
fn reloads_under_load_fail_no_request() {
    let port = free_port();
    let (one, two, order) = (target("one"), target("two"), target("order"));
    let texts = [two_groups(port, one, order), two_groups(port, two, order)];
    let file = ConfigFile::new(&texts[0]);
    let service = file.serve();
    let (ends, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (ends, served) = (Arc::clone(&ends), Arc::clone(&served));
            thread::spawn(move || {
                let mut kept = connect(local(port));
                while !ends.load(SeqCst) {
                    // Half of the clients keep their connection.
                    let (head, body) = if number % 2 == 0 {
                        kept.write_all(GET).unwrap();
                        read_response(&mut kept).expect("a response")
                    } else {
                        get(local(port), "/")
                    };
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    assert!(body == "one" || body == "two", "{body}");
                    served.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for (round, name) in (0..10).zip(["two", "one"].iter().cycle()) {
        file.write(&texts[(round + 1) % 2]);
        service.signal(if round % 2 == 0 { Signal::FileChanged } else { Signal::Hangup });
        wait_until("the other configuration is served", || get(local(port), "/").1 == *name);
    }
    ends.store(true, SeqCst);
    for client in clients {
        client.join().expect("a client whose requests were all served");
    }
    assert!(served.load(SeqCst) > 0);
    assert_eq!(service.stop(), (0, 0));
}

#[test]
fn a_bad_file_changes_nothing() {
    let port = free_port();
    let (web, order) = (target("web"), target("order"));
    let file = ConfigFile::new(&two_groups(port, web, order));
    let service = file.serve();
    for bad in ["interfaces: [", "lisseners: []", "", "interfaces: [eth0]\nlisteners: []\n"] {
        file.write(bad);
        let reads = file.reads();
        service.signal(Signal::Hangup);
        wait_until("the bad file is read", || file.reads() > reads);
        assert_eq!(get(local(port), "/").1, "web");
    }
    file.write(&two_groups(port, target("other"), order));
    service.signal(Signal::Hangup);
    wait_until("the good file is served", || get(local(port), "/").1 == "other");
    service.stop();
}

#[test]
fn a_stop_lets_requests_end_and_says_what_was_cut() {
    for (drain_timeout, cut) in [(Duration::from_secs(30), (0, 0)), (Duration::ZERO, (1, 1))] {
        let port = free_port();
        let web = target("web");
        let file = ConfigFile::new(&two_groups(port, web, web));
        let mut options = file.options();
        options.drain_timeout = drain_timeout;
        let service = RunningService::start(options);
        let mut client = connect(local(port));
        // The proxy reads the head, and waits for the body.
        client
            .write_all(
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            )
            .unwrap();
        let served = get(local(port), "/");
        assert_eq!(served.1, "web");
        if cut == (0, 0) {
            drop(client);
        }
        assert_eq!(service.stop(), cut, "{drain_timeout:?}");
    }
}
