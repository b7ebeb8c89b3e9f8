//! Large streams through a listener of TLS, in both directions at once, with readers that are slow.

use std::{
    io::{self, Read, Write as _},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use lb_proxy::Counter;

use crate::{
    support::{LONG, TestProxy, TestTarget, healthy},
    tls::certificate,
    tls_listeners::{connect, half_close, read_all, tcp_group, tls_snapshot},
};

/// 100 MB each way at the same time. Nobody reads for a while: the rest waits where it is.
#[test]
fn large_streams_wait_for_slow_readers() {
    const SIZE: usize = 100 << 20;
    const CHUNK: usize = 1 << 16;
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(|end| {
        let mut writer = end.stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            for number in 0..SIZE / CHUNK {
                writer.write_all(&vec![number_of(number); CHUNK]).unwrap();
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        thread::sleep(Duration::from_millis(300));
        check_stream(&mut (&end.stream), SIZE, CHUNK);
        sending.join().unwrap();
    });
    let mut proxy = TestProxy::start(tls_snapshot(tcp_group(&[healthy(target.address)]), &key));
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(&vec![0; CHUNK]).unwrap();
    thread::sleep(Duration::from_millis(300));
    // What the proxy holds, and the buffers of sockets, are far below the whole.
    let sent = proxy.metrics().total.get(Counter::SentBytes);
    assert!(sent < (SIZE / 4) as u64, "{sent} bytes without a reader");
    client.sock.set_nonblocking(true).unwrap();
    let (mut written, mut read) = (CHUNK, 0);
    let mut buffer = vec![0; CHUNK];
    let begin = Instant::now();
    while written < SIZE || read < SIZE {
        assert!(begin.elapsed() < 6 * LONG, "{written} bytes written, {read} read");
        let mut has_moved = false;
        if written < SIZE {
            let number = written / CHUNK;
            let rest = CHUNK - written % CHUNK;
            match client.write(&vec![number_of(number); rest]) {
                Ok(count) => (written, has_moved) = (written + count, true),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        match client.read(&mut buffer) {
            Ok(count) => {
                for (at, byte) in (read..).zip(&buffer[..count]) {
                    assert_eq!(usize::from(*byte), at / CHUNK % 251, "byte {at}");
                }
                (read, has_moved) = (read + count, true);
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        if !has_moved {
            thread::sleep(Duration::from_millis(1));
        }
    }
    client.sock.set_nonblocking(false).unwrap();
    half_close(&mut client);
    assert_eq!(read_all(&mut client).unwrap(), b"");
    let event = proxy.connection_event();
    let size = SIZE as u64;
    assert_eq!((event.received_bytes, event.sent_bytes, event.reason), (size, size, None));
}

/// The byte that a chunk consists of.
fn number_of(chunk: usize) -> u8 {
    u8::try_from(chunk % 251).unwrap()
}

/// Reads a stream whose chunks have their number.
fn check_stream(stream: &mut impl Read, size: usize, chunk: usize) {
    let (mut buffer, mut read) = (vec![0; chunk], 0);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            assert_eq!(read, size);
            return;
        }
        for (at, byte) in (read..).zip(&buffer[..count]) {
            assert_eq!(usize::from(*byte), at / chunk % 251, "byte {at}");
        }
        read += count;
    }
}
