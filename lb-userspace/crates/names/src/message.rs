//! PURE: DNS messages (RFC 1035) as far as a stub resolver needs them: a query for the addresses of a name,
//! and its answer. The bytes are read and written by `simple-dns`; what an answer must be like, and which of its
//! records count, is said here.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, Question, RCODE, ResourceRecord, SimpleDnsError, TYPE,
    header_buffer,
    rdata::{OPT, RData},
};
use thiserror::Error;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

impl RecordType {
    const fn number(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// Largest answer over UDP that is asked for: it is not fragmented on usual paths (RFC 9715).
pub const UDP_BYTES_MAX: u16 = 1232;
/// Where a header counts the records of two sections.
const AUTHORITY_AND_ADDITIONAL: Range<usize> = 8..12;
/// Aliases that are followed.
const ALIASES_MAX: usize = 16;
/// Addresses of one answer that are looked at.
const ADDRESSES_MAX: usize = 1024;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Addresses, and how many seconds they hold: the least of all records on the way to them.
    Addresses(Vec<IpAddr>, u32),
    /// The name exists, without addresses of this type.
    NoAddresses,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// It did not fit the datagram: to be asked again over TCP.
    Truncated,
    /// The server cannot say; the name of its code, such as SERVFAIL.
    Failed(&'static str),
}

/// Why bytes are no answer to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// They end too early, or a length or pointer in them is wrong.
    #[error("is not a DNS message")]
    Broken,
    /// They answer another query.
    #[error("answers another query")]
    Other,
}

impl From<SimpleDnsError> for Malformed {
    fn from(_: SimpleDnsError) -> Self {
        Self::Broken
    }
}

/// The bytes of a query, with EDNS (RFC 6891); `None` for a text that is no name of DNS.
#[must_use]
pub fn query(id: u16, name: &str, wanted: RecordType) -> Option<Vec<u8>> {
    let name = name.trim_end_matches('.');
    // The crate takes these for the root, or leaves them out.
    if name.split('.').any(str::is_empty) {
        return None;
    }
    let name = Name::new(name).ok()?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, wanted.number().into(), CLASS::IN.into(), false));
    *packet.opt_mut() =
        Some(OPT { opt_codes: Vec::new(), udp_packet_size: UDP_BYTES_MAX, version: 0 });
    packet.build_bytes_vec().ok()
}

/// What a server says to a query of this id, name and type.
pub fn read(bytes: &[u8], id: u16, name: &str, wanted: RecordType) -> Result<Response, Malformed> {
    let is_response = header_buffer::has_flags(bytes, PacketFlag::RESPONSE)?;
    if header_buffer::id(bytes)? != id || !is_response {
        return Err(Malformed::Other);
    }
    // Question and answers alone are read: what is strange in other sections does no harm.
    let mut counted = bytes.to_vec();
    if let Some(counts) = counted.get_mut(AUTHORITY_AND_ADDITIONAL) {
        counts.fill(0);
    }
    let packet = match Packet::parse(&counted) {
        // What was cut short may end within a record.
        Err(_) if header_buffer::has_flags(bytes, PacketFlag::TRUNCATION)? => {
            return Ok(Response::Truncated);
        }
        packet => packet?,
    };
    let code = packet.rcode();
    // Some servers that refuse a query do not repeat it. The id, and the port that it came to, say
    // whose answer it is; it brings no addresses.
    if packet.questions.is_empty() && code != RCODE::NoError {
        return Ok(Response::Failed(code_name(code)));
    }
    let asked = lower_labels(name.trim_end_matches('.').split('.'));
    let is_ours = |question: &Question<'_>| {
        lower_labels(question.qname.as_bytes()) == asked
            && question.qtype == wanted.number().into()
            && question.qclass == CLASS::IN.into()
    };
    match packet.questions.as_slice() {
        [question] if is_ours(question) => {}
        _ => return Err(Malformed::Other),
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Ok(Response::Truncated);
    }
    Ok(match code {
        RCODE::NoError => addresses(&packet.answers, asked, wanted),
        RCODE::NameError => Response::NoName,
        code => Response::Failed(code_name(code)),
    })
}

/// Names of response codes (RFC 1035, section 4.1.1; RFC 2136).
const fn code_name(code: RCODE) -> &'static str {
    match code {
        RCODE::FormatError => "FORMERR",
        RCODE::ServerFailure => "SERVFAIL",
        RCODE::NotImplemented => "NOTIMP",
        RCODE::Refused => "REFUSED",
        _ => "an error that this version does not know",
    }
}

/// The labels of a name for comparisons: without regard to case (RFC 4343).
type Labels = Vec<Vec<u8>>;

fn lower_labels<L: AsRef<[u8]>>(labels: impl Iterator<Item = L>) -> Labels {
    labels.map(|label| label.as_ref().to_ascii_lowercase()).collect()
}

/// The addresses of a name among the records of an answer, also by aliases.
fn addresses(records: &[ResourceRecord<'_>], mut name: Labels, wanted: RecordType) -> Response {
    let records: Vec<_> = records
        .iter()
        // The crate takes the highest bit of a class for one of multicast DNS.
        .filter(|record| record.class == CLASS::IN && !record.cache_flush)
        .map(|record| {
            // RFC 2181, section 8: a time with the highest bit set is zero.
            let seconds = i32::try_from(record.ttl).map_or(0, i32::cast_unsigned);
            (lower_labels(record.name.as_bytes()), seconds, &record.rdata)
        })
        .collect();
    let mut least = u32::MAX;
    for _ in 0..=ALIASES_MAX {
        let mut found = Vec::new();
        let mut alias = None;
        for (_, seconds, data) in records.iter().filter(|(owner, ..)| *owner == name) {
            let address: IpAddr = match (data, wanted) {
                (RData::A(a), RecordType::A) => Ipv4Addr::from_bits(a.address).into(),
                (RData::AAAA(aaaa), RecordType::Aaaa) => Ipv6Addr::from_bits(aaaa.address).into(),
                (RData::CNAME(other), _) => {
                    alias = Some((lower_labels(other.0.as_bytes()), *seconds));
                    continue;
                }
                _ => continue,
            };
            if found.len() < ADDRESSES_MAX {
                found.push(address);
                least = least.min(*seconds);
            }
        }
        if !found.is_empty() {
            return Response::Addresses(found, least);
        }
        let Some((other, seconds)) = alias else { return Response::NoAddresses };
        least = least.min(seconds);
        name = other;
    }
    Response::Failed("a loop of aliases (CNAME)")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the wire: bytes of a header, type of an alias, class, flags.
    const HEADER: usize = 12;
    const CNAME: u16 = 5;
    const IN: u16 = 1;
    const RESPONSE: u16 = 0x8000;
    const TRUNCATED: u16 = 0x0200;

    /// An answer with these records: owner, type, seconds, value.
    pub(super) fn answer(flags: u16, records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = query(7, "web.example.org", RecordType::A).unwrap();
        bytes.truncate(HEADER + 21);
        bytes[2..4].copy_from_slice(&(RESPONSE | flags).to_be_bytes());
        bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        bytes[10..12].copy_from_slice(&[0, 0]);
        for (owner, its_type, seconds, value) in records {
            bytes.extend_from_slice(owner);
            bytes.extend_from_slice(&its_type.to_be_bytes());
            bytes.extend_from_slice(&IN.to_be_bytes());
            bytes.extend_from_slice(&seconds.to_be_bytes());
            bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(value);
        }
        bytes
    }

    fn told(bytes: &[u8]) -> Result<Response, Malformed> {
        read(bytes, 7, "web.example.org", RecordType::A)
    }

    const SELF: &[u8] = &[0xc0, 12];
    const OTHER: &[u8] = b"\x05Other\x00";

    #[test]
    fn answers_are_read() {
        let two = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from).to_vec();
        let cases: [(Vec<u8>, Response); 8] = [
            (
                answer(0, &[(SELF, 1, 30, &[10, 0, 0, 1]), (SELF, 1, 60, &[10, 0, 0, 2])]),
                Response::Addresses(two.clone(), 30),
            ),
            (
                answer(
                    0,
                    &[
                        (OTHER, 1, 60, &[10, 0, 0, 1]),
                        (SELF, CNAME, 5, b"\x05oTHER\x00"),
                        (b"\x05other\x00", 1, 60, &[10, 0, 0, 2]),
                        (b"\x04evil\x00", 1, 60, &[10, 0, 0, 3]),
                    ],
                ),
                Response::Addresses(two, 5),
            ),
            (answer(0, &[]), Response::NoAddresses),
            (answer(0, &[(SELF, 28, 30, &[0; 16])]), Response::NoAddresses),
            (answer(3, &[]), Response::NoName),
            (answer(2, &[]), Response::Failed("SERVFAIL")),
            (answer(TRUNCATED, &[]), Response::Truncated),
            (answer(0, &[(SELF, CNAME, 5, SELF)]), Response::Failed("a loop of aliases (CNAME)")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(told(&bytes), Ok(expected), "{bytes:02x?}");
        }
        let mut strange = answer(0, &[(SELF, 1, 30, &[10, 0, 0, 1])]);
        strange[11] = 1;
        strange.extend_from_slice(b"\x00\x00\x29\xff");
        let one = Response::Addresses(vec![[10, 0, 0, 1].into()], 30);
        assert_eq!(told(&strange), Ok(one), "an additional record that is cut off");
        let mut cut = answer(TRUNCATED, &[(SELF, 1, 30, &[10, 0, 0, 1])]);
        cut.truncate(cut.len() - 2);
        assert_eq!(told(&cut), Ok(Response::Truncated), "within a record");
        let long_ago = answer(0, &[(SELF, 1, u32::MAX, &[10, 0, 0, 1])]);
        assert!(matches!(told(&long_ago), Ok(Response::Addresses(_, 0))), "RFC 2181");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let good = answer(0, &[(SELF, 1, 30, &[10, 0, 0, 1])]);
        assert_eq!(read(&good, 8, "web.example.org", RecordType::A), Err(Malformed::Other), "id");
        assert_eq!(read(&good, 7, "web.example.com", RecordType::A), Err(Malformed::Other));
        assert_eq!(read(&good, 7, "web.example.org", RecordType::Aaaa), Err(Malformed::Other));
        let asked = query(7, "web.example.org", RecordType::A).unwrap();
        assert_eq!(told(&asked), Err(Malformed::Other), "a query is no answer");
        for end in 0..good.len() {
            assert!(told(&good[..end]).is_err(), "cut at {end}");
        }
        // A pointer to itself, forwards, and to and fro.
        for owner in [[0xc0, 33], [0xc0, 40], [0xff, 0xff]] {
            let bytes = answer(0, &[(&owner, 1, 30, &[10, 0, 0, 1])]);
            assert_eq!(told(&bytes), Err(Malformed::Broken), "{owner:02x?}");
        }
        let to_and_fro = answer(0, &[(&[1, b'a', 0xc0, 33], 1, 30, &[10, 0, 0, 1])]);
        assert_eq!(told(&to_and_fro), Err(Malformed::Broken));
    }

    #[test]
    fn names_that_do_not_fit_are_not_asked_for() {
        let label = "a".repeat(63);
        let longest = [&*label, &label, &label, &"a".repeat(61)].join(".");
        assert!(query(1, &longest, RecordType::A).is_some());
        for name in ["", "a..b", &"a".repeat(64), &format!("{longest}a")] {
            assert_eq!(query(1, name, RecordType::A), None, "{name}");
        }
        let dotted = query(1, "web.example.org.", RecordType::Aaaa);
        assert_eq!(dotted, query(1, "web.example.org", RecordType::Aaaa));
    }

    proptest! {
        /// It ends, and does not panic.
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = told(&bytes);
            let mut answer = answer(0, &[]);
            answer[7] = 200;
            answer.extend_from_slice(&bytes);
            let _read = told(&answer);
        }
    }
}
