//! What is forwarded has one reading: parsed again in the strictest mode, it is the same message.

use proptest::prelude::*;

use super::{lenient_reader::Leniency, relay::Relay};
use crate::{
    connection::{ClientConnection, Event, ServerConnection, ServerOptions},
    desync::{DesyncMitigation, Finding, Findings},
    field_name::FieldName,
    head::Head,
    uri::Uri,
};

/// A message as somebody has read it.
#[derive(Debug, PartialEq, Eq, Default)]
struct Message {
    method: Vec<u8>,
    uri: Uri,
    status: u16,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    content: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Fields that are not of one hop, and that the relay does not write.
fn end_to_end_fields(head: &Head) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = head.fields().filter(|field| field.known == FieldName::Other);
    fields.map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect()
}

/// Reads all requests in these bytes, as the strictest server does.
fn read_requests(bytes: &[u8], mode: DesyncMitigation) -> Result<Vec<(Message, Findings)>, Event> {
    let options = ServerOptions { desync_mitigation: mode, ..ServerOptions::default() };
    let mut requests = Vec::new();
    let mut position = 0;
    while position < bytes.len() {
        let mut server = ServerConnection::new(options);
        let mut request = Message::default();
        loop {
            let input = &bytes[position..];
            let read = server.read(input);
            position += read.consumed;
            match read.event {
                Event::Head => {
                    request.method = server.head().method().to_vec();
                    request.uri = server.uri().clone();
                    request.fields = end_to_end_fields(server.head());
                }
                Event::Data(range) => request.content.extend_from_slice(&input[range]),
                Event::Trailers => request.trailers = end_to_end_fields(server.trailers()),
                Event::End => break,
                event => return Err(event),
            }
        }
        requests.push((request, server.framing().findings));
    }
    Ok(requests)
}

/// Parts of heads, sensible and harmful ones.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => "[a-zA-Z][a-zA-Z_-]{0,6}: ?[ -~]{0,8}\r\n",
        2 => "(Content-Length|content_length|Content-Length ): ?(0|3|5|3, 3|\\+3|)\r\n",
        2 => "(Transfer-Encoding|Transfer_Encoding|transfer-encoding): ?(chunked|x, chunked|Chunked| chunked )\r\n",
        1 => "Connection: ?(close|upgrade|keep-alive|te, x-a|content-length, host, transfer-encoding)\r\n",
        1 => "(Upgrade: (websocket|h2c|a, b)|TE: trailers|Trailer: T|Expect: 100-continue|Forwarded: for=a)\r\n",
        1 => "(Host: b|Host: a|X-Forwarded-For: a|X_Forwarded_For: b|Keep-Alive: 1|Proxy: a|X-A: \u{e9})\r\n",
        1 => "( x: y|x: y\r\n z|x : y|x: y\rz|x: y\nz|x: \u{0}|:|x)(\r\n|\n)",
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let start = "(GET|POST|HEAD|PUT|OPTIONS|DELETE) \
                 (/|/a%2fb//../c;d|http://A[.]:80/x|[*]|/%zz|/|/é|/\\\\|/[?]<[\\[]|/a#b) \
                 HTTP/1[.][01]\r\nHost: (a|A:80|a|a|b c)\r\n";
    let body = prop_oneof![
        3 => Just(String::new()),
        2 => Just("3\r\nabc\r\n0\r\n\r\n".to_owned()),
        1 => Just("3;a=b\r\nabc\r\n0\r\nT: 1\r\nHost: x\r\n\r\n".to_owned()),
        2 => "[a-c0\r\n]{0,6}",
        1 => Just("0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
    ];
    let fields = prop::collection::vec(field(), 0..4);
    (start, fields, body).prop_map(|(start, fields, body)| {
        [start, fields.concat(), "\r\n".to_owned(), body].concat().into_bytes()
    })
}

/// Changes some bytes, in one request of three.
fn mutated(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    let changes = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(change, 1..3)];
    (bytes, changes).prop_map(|(mut bytes, changes)| {
        for (index, byte, kind) in changes {
            let position = index.index(bytes.len());
            match kind {
                0 => bytes[position] = byte,
                1 => bytes.insert(position, byte),
                _ => drop(bytes.remove(position)),
            }
        }
        bytes
    })
}

/// Findings that cannot be normalised away: what the client wants is passed.
fn passed_findings() -> Findings {
    let mut findings = Findings::default();
    findings.add(Finding::UndefinedContentLengthSemantics);
    findings.add(Finding::UndefinedTransferEncodingSemantics);
    findings.add(Finding::NonCompliantHeader);
    findings
}

/// Forwards one request; what the target gets must be one request, the same one.
fn check_request(bytes: &[u8], mode: DesyncMitigation) -> Result<bool, TestCaseError> {
    let mut relay =
        Relay::new(ServerOptions { desync_mitigation: mode, ..ServerOptions::default() });
    relay.from_client = bytes.to_vec();
    if relay.forward_request() != Event::End {
        return Ok(false);
    }
    let len = bytes.len() - relay.from_client.len();
    let sent = read_requests(&bytes[..len], mode).expect("it was read before");
    // Monitor tells findings without refusing; none but those that are passed may be left.
    let received = read_requests(&relay.to_target, DesyncMitigation::Monitor);
    let received = received.map_err(|event| TestCaseError::fail(format!("{event:?}")))?;
    prop_assert_eq!(received.len(), 1);
    let (mut sent, received) = (sent, received);
    for finding in received[0].1.iter() {
        prop_assert!(passed_findings().contains(finding), "{:?}", finding);
    }
    if received[0].1.is_empty() {
        prop_assert!(read_requests(&relay.to_target, DesyncMitigation::Strictest).is_ok());
    }
    // Servers that do not expect a body of GET see none, unless the client has sent one.
    let has_body_of_get =
        received[0].1.iter().any(|finding| finding != Finding::NonCompliantHeader);
    let servers = Leniency::all(false).chain(Leniency::all(!has_body_of_get));
    for server in servers {
        let len = server.request_len(&relay.to_target);
        prop_assert_eq!(len, Some(relay.to_target.len()), "{:?}", server);
    }
    let sent = &mut sent[0].0;
    let received = &received[0].0;
    if sent.uri.host().is_none() {
        sent.uri.set_host("default.example").expect("a host");
    }
    prop_assert_eq!(&sent.method, &received.method);
    prop_assert_eq!(&sent.uri, &received.uri);
    prop_assert_eq!(&sent.content, &received.content);
    prop_assert!(received.trailers.iter().all(|trailer| sent.trailers.contains(trailer)));
    prop_assert!(received.fields.iter().all(|field| sent.fields.contains(field)));
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4 * ProptestConfig::default().cases))]

    #[test]
    fn a_forwarded_request_is_the_same_request_to_everybody(bytes in mutated(request())) {
        for mode in [DesyncMitigation::Monitor, DesyncMitigation::Defensive, DesyncMitigation::Strictest] {
            check_request(&bytes, mode)?;
        }
    }

    #[test]
    fn a_forwarded_response_is_the_same_response_to_everybody(
        fields in prop::collection::vec(field(), 0..4),
        status in "(200|204|304|404|100|103|101|999)",
        body in "(3\r\nabc\r\n0\r\n\r\n|abc|[ -~\r\n]{0,12})",
    ) {
        let bytes = [format!("HTTP/1.1 {status} OK\r\n"), fields.concat(), "\r\n".to_owned(), body].concat();
        let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut relay = Relay::new(ServerOptions::default());
        relay.from_client = get.to_vec();
        relay.from_target = bytes.into_bytes();
        relay.forward_request();
        let mut event = relay.forward_response();
        if event == Event::NeedsMore {
            event = relay.end_of_target();
        }
        if event == Event::End {
            let mut again = Relay::new(ServerOptions::default());
            again.from_client = get.to_vec();
            again.from_target = relay.to_client.clone();
            again.forward_request();
            prop_assert_eq!(again.forward_response(), Event::End);
            prop_assert_eq!(&again.to_client, &relay.to_client);
            prop_assert!(again.from_target.is_empty() && again.client.framing().findings.iter().all(
                |finding| passed_findings().contains(finding)
            ));
        }
    }
}

/// The strategy must not only make requests that are refused.
#[test]
fn requests_that_are_made_for_these_properties_pass_and_fail() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let requests = mutated(request());
    let passed = (0..300).filter(|_| {
        let bytes = requests.new_tree(&mut runner).expect("a request").current();
        check_request(&bytes, DesyncMitigation::Monitor).expect("one reading")
    });
    let passed = passed.count();
    assert!((60..240).contains(&passed), "{passed} of 300 passed");
}

#[test]
fn an_idle_target_connection_reads_nothing() {
    let mut client = ClientConnection::new(crate::limits::Limits::RESPONSE);
    assert_eq!(client.read(b"").event, Event::NeedsMore);
    assert!(matches!(client.read(b"x").event, Event::Refused { status: 502, .. }));
}
