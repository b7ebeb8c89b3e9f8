//! The start of a connection of a trusted proxy: a PROXY header of version 1 or 2 has the same length and addresses
//! whatever arrives behind it, and every shorter part of it only asks for more.
//!
//! An input is the bytes.
#![no_main]

use lb_http::proxy_protocol::{HEADER_MAX, ProxyProtocol, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = read(input);
    for end in 0..input.len().min(HEADER_MAX) {
        match (read(&input[..end]), whole) {
            (Ok(None), _) => {}
            (part, whole) => assert_eq!(part, whole, "{end} bytes are read in another way"),
        }
    }
    let Ok(Some(header)) = whole else { return };
    assert!((15..=HEADER_MAX).contains(&header.len) && header.len <= input.len(), "{header:?}");
    for end in 0..header.len {
        assert_eq!(read(&input[..end]), Ok(None), "{end} bytes are enough");
    }
    // What a target is told of these addresses is read alike there.
    let Some((client, local)) = header.addresses else { return };
    for version in [ProxyProtocol::Version1, ProxyProtocol::Version2] {
        let written = write(version, client, local);
        let again = read(&written).expect("a header").expect("a whole one");
        assert_eq!(again.len, written.len());
        let (from, to) = again.addresses.expect("addresses");
        assert_eq!(from.ip().to_canonical(), client.ip().to_canonical(), "{version:?}");
        assert_eq!(to.ip().to_canonical(), local.ip().to_canonical(), "{version:?}");
        assert_eq!((from.port(), to.port()), (client.port(), local.port()), "{version:?}");
    }
});
