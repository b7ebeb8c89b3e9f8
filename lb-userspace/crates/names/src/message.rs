//! PURE: DNS messages (RFC 1035) as far as a stub resolver needs them: a query for the addresses of a name,
//! and its answer. Nothing is trusted: lengths are checked, and compression pointers only lead back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
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

const CNAME: u16 = 5;
const OPT: u16 = 41;
const IN: u16 = 1;
const HEADER: usize = 12;
/// Flags: an answer, cut short, recursion desired.
const RESPONSE: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
const RECURSION: u16 = 0x0100;
const CODE: u16 = 0x000f;
/// Largest answer over UDP that is asked for: it is not fragmented on usual paths (RFC 9715).
pub const UDP_BYTES_MAX: u16 = 1232;
/// Longest name on the wire (RFC 1035, section 2.3.4), and its labels.
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;
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

/// The bytes of a query; `None` for a text that is no name of DNS.
#[must_use]
pub fn query(id: u16, name: &str, wanted: RecordType) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 20);
    // One question, and one additional record: EDNS (RFC 6891).
    for word in [id, RECURSION, 1, 0, 0, 1] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok()?;
        if label.is_empty() || label.len() > LABEL_BYTES_MAX {
            return None;
        }
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    if bytes.len() - HEADER > NAME_BYTES_MAX {
        return None;
    }
    for word in [wanted.number(), IN] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    // The root, OPT, the size of datagrams, no flags, no options.
    bytes.push(0);
    for word in [OPT, UDP_BYTES_MAX, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    Some(bytes)
}

/// What a server says to a query of this id, name and type.
pub fn read(bytes: &[u8], id: u16, name: &str, wanted: RecordType) -> Result<Response, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let header: [u16; 6] = reader.words()?;
    let [its_id, flags, questions, answers, _, _] = header;
    if its_id != id || flags & RESPONSE == 0 {
        return Err(Malformed::Other);
    }
    // Some servers that refuse a query do not repeat it. The id, and the port that it came to, say
    // whose answer it is; it brings no addresses.
    let code = flags & CODE;
    if questions == 0 && code != 0 {
        return Ok(Response::Failed(code_name(code)));
    }
    if questions != 1 {
        return Err(Malformed::Other);
    }
    let question = reader.name()?;
    let [its_type, class] = reader.words()?;
    let asked = name.trim_end_matches('.').to_ascii_lowercase();
    if question != asked || its_type != wanted.number() || class != IN {
        return Err(Malformed::Other);
    }
    if flags & TRUNCATED != 0 {
        return Ok(Response::Truncated);
    }
    match code {
        0 => addresses(&mut reader, answers, asked, wanted),
        3 => Ok(Response::NoName),
        code => Ok(Response::Failed(code_name(code))),
    }
}

/// Names of response codes (RFC 1035, section 4.1.1; RFC 2136).
const fn code_name(code: u16) -> &'static str {
    match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => "an error that this version does not know",
    }
}

/// A record of an answer.
enum Record {
    Alias(String),
    Address(IpAddr),
}

/// The addresses of a name among the records of an answer, also by aliases.
fn addresses(
    reader: &mut Reader<'_>,
    answers: u16,
    mut name: String,
    wanted: RecordType,
) -> Result<Response, Malformed> {
    let mut records = Vec::new();
    for _ in 0..answers {
        let owner = reader.name()?;
        let [its_type, class] = reader.words()?;
        let [high, low, length] = reader.words()?;
        // RFC 2181, section 8: a time with the highest bit set is zero.
        let seconds = u32::from(high) << 16 | u32::from(low);
        let seconds = if seconds > i32::MAX.cast_unsigned() { 0 } else { seconds };
        let end = reader.at + usize::from(length);
        let record = match (its_type, length) {
            _ if class != IN => None,
            (CNAME, _) => Some(Record::Alias(reader.name()?)),
            (1, 4) if wanted == RecordType::A => {
                Some(Record::Address(Ipv4Addr::from(reader.take::<4>()?).into()))
            }
            (28, 16) if wanted == RecordType::Aaaa => {
                Some(Record::Address(Ipv6Addr::from(reader.take::<16>()?).into()))
            }
            _ => None,
        };
        if end > reader.bytes.len() || reader.at > end {
            return Err(Malformed::Broken);
        }
        reader.at = end;
        records.extend(record.map(|record| (owner, seconds, record)));
    }
    let mut least = u32::MAX;
    for _ in 0..=ALIASES_MAX {
        let mut found = Vec::new();
        let mut alias = None;
        for (owner, seconds, record) in &records {
            match record {
                _ if *owner != name => {}
                Record::Address(address) if found.len() < ADDRESSES_MAX => {
                    found.push(*address);
                    least = least.min(*seconds);
                }
                Record::Address(_) => {}
                Record::Alias(other) => alias = Some((other.clone(), *seconds)),
            }
        }
        if !found.is_empty() {
            return Ok(Response::Addresses(found, least));
        }
        let Some((other, seconds)) = alias else { return Ok(Response::NoAddresses) };
        least = least.min(seconds);
        name = other;
    }
    Ok(Response::Failed("a loop of aliases (CNAME)"))
}

/// Reads a message from the front.
struct Reader<'bytes> {
    bytes: &'bytes [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let end = self.at + N;
        let taken = self.bytes.get(self.at..end).and_then(|taken| taken.try_into().ok());
        self.at = end;
        taken.ok_or(Malformed::Broken)
    }

    fn words<const N: usize>(&mut self) -> Result<[u16; N], Malformed> {
        let mut words = [0; N];
        for word in &mut words {
            *word = u16::from_be_bytes(self.take()?);
        }
        Ok(words)
    }

    /// A name in lower case and without its final dot. A pointer must lead to an earlier place than the
    /// one before, so that there is no loop.
    fn name(&mut self) -> Result<String, Malformed> {
        let mut name = String::new();
        let (mut at, mut before, mut end) = (self.at, self.at, None);
        loop {
            let length = *self.bytes.get(at).ok_or(Malformed::Broken)?;
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Ok(name);
                }
                1..=63 => {
                    let label = self.bytes.get(at + 1..=at + usize::from(length));
                    let label = label.ok_or(Malformed::Broken)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    // Bytes that no configured name has make names that equal none.
                    name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
                    at += 1 + usize::from(length);
                    if name.len() > 2 * NAME_BYTES_MAX {
                        return Err(Malformed::Broken);
                    }
                }
                0xc0..=0xff => {
                    let low = *self.bytes.get(at + 1).ok_or(Malformed::Broken)?;
                    let target = usize::from(length & 0x3f) << 8 | usize::from(low);
                    end = end.or(Some(at + 2));
                    if target >= before {
                        return Err(Malformed::Broken);
                    }
                    (at, before) = (target, target);
                }
                _ => return Err(Malformed::Broken),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
