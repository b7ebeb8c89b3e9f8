//! Bytes of a DNS server: they bring no address that is not in them, and none for another query.
//!
//! An input is a byte of choices and the bytes. With an odd byte, the question of the query stands before them, so
//! that they are its records.
#![no_main]

use std::net::IpAddr;

use lb_names::message::{RecordType, Response, query, read};
use libfuzzer_sys::fuzz_target;

const ID: u16 = 7;
const NAME: &str = "web.example.org";
/// Header and question of the query.
const QUESTION_END: usize = 12 + 17 + 4;

fuzz_target!(|input: &[u8]| {
    let Some((&choices, rest)) = input.split_first() else { return };
    let wanted = if choices & 2 == 0 { RecordType::A } else { RecordType::Aaaa };
    let mut bytes = Vec::new();
    if choices & 1 == 1 {
        bytes = query(ID, NAME, wanted).expect("a name");
        bytes.truncate(QUESTION_END);
        bytes[2] |= 0x80;
        bytes[7] = choices >> 2;
        bytes[10..12].copy_from_slice(&[0, 0]);
    }
    bytes.extend_from_slice(rest);
    let read_as = |id, name, wanted| read(&bytes, id, name, wanted);
    let Ok(response) = read_as(ID, NAME, wanted) else { return };
    if let Response::Addresses(addresses, seconds) = &response {
        assert!((1..=1024).contains(&addresses.len()), "{}", addresses.len());
        assert!(*seconds <= i32::MAX.cast_unsigned(), "{seconds}");
        for address in addresses {
            let is_there = |octets: &[u8]| bytes.windows(octets.len()).any(|part| part == octets);
            let is_known = match (address, wanted) {
                (IpAddr::V4(address), RecordType::A) => is_there(&address.octets()),
                (IpAddr::V6(address), RecordType::Aaaa) => is_there(&address.octets()),
                _ => false,
            };
            assert!(is_known, "{address} is not in the message, or of the wrong type");
        }
        // The same bytes answer no other query.
        let other = if wanted == RecordType::A { RecordType::Aaaa } else { RecordType::A };
        assert!(read_as(ID + 1, NAME, wanted).is_err(), "another id");
        assert!(read_as(ID, "web.example.com", wanted).is_err(), "another name");
        assert!(read_as(ID, NAME, other).is_err(), "another type");
    }
    assert_eq!(read_as(ID, "WEB.example.ORG.", wanted), Ok(response), "case and final dot");
});
