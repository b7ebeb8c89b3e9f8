//! Each refusal: its status, and a body that says why. None of them reaches the agent in vain.

use lb_agent::config_file::FILE_BYTES_MAX;

use super::fake::{Answer, Fake, loaded};

const TARGETS: &str = "/v1/target-groups/web/targets";
const TARGET: &str = "/v1/target-groups/web/targets/10.0.1.13";

#[tokio::test]
async fn errors_are_json() {
    let no_address = format!("{TARGETS}/te%20n");
    let port_too_big = format!("{TARGET}?port=65536");
    let port_unknown = format!("{TARGET}?prot=80");
    let port_twice = format!("{TARGET}?port=80&port=81");
    let not_text = "/v1/target-groups/%FF/targets";
    let fake = Fake::start(Answer::Done);
    for (method, path, body, status, says) in [
        ("GET", "/", "", 404, "there is no resource at /"),
        ("GET", "/v2/status", "", 404, "/v2/status"),
        ("GET", "/v1/status/", "", 404, "/v1/status/"),
        ("POST", "/v1/status", "", 405, "POST is not possible at /v1/status"),
        ("PATCH", "/v1/config", "", 405, "PATCH is not possible"),
        ("PUT", "/v1/config?froce=true", "{}", 400, "unknown field `froce`"),
        ("POST", "/v1/config/preview", "[", 400, "the body is wrong"),
        ("GET", "/v1/revisions?limit=-1", "", 400, "the query is wrong"),
        ("GET", "/v1/revisions/one", "", 400, "the path is wrong"),
        (
            "GET",
            "/v1/explain?from=1.2.3.4&to=x",
            "",
            400,
            "from: not an address with a port, such as",
        ),
        ("GET", "/v1/revisions/1/differences", "", 400, "missing field `to`"),
        ("GET", "/v1/revisions/1/rollback", "", 405, "GET is not possible"),
        ("POST", "/v1/revisions/-1/rollback", "", 400, "the path is wrong"),
        ("GET", TARGETS, "", 405, "GET is not possible"),
        ("PUT", TARGET, "", 405, "PUT is not possible"),
        ("GET", "/v1/targets?gruop=web", "", 400, "unknown field `gruop`"),
        ("PUT", "/v1/config", "", 400, "the body is wrong: EOF"),
        ("PUT", "/v1/config", "interfaces: [eth0]", 400, "the body is wrong"),
        ("PUT", "/v1/config", "{\"a\": 1, \"a\": 2}", 400, "the body is wrong"),
        ("POST", TARGETS, "", 400, "the body is wrong: EOF"),
        ("POST", TARGETS, "{}", 400, "missing field `address`"),
        ("POST", TARGETS, r#"{"address": "te n"}"#, 400, "neither an address nor a DNS name"),
        ("POST", TARGETS, r#"{"address": "10.0.1.13", "port": 65536}"#, 400, "65536"),
        ("POST", TARGETS, r#"{"address": "10.0.1.13", "weight": -1}"#, 400, "-1"),
        ("POST", TARGETS, r#"{"address": "10.0.1.13", "wait": 1}"#, 400, "unknown field `wait`"),
        ("POST", not_text, r#"{"address": "10.0.1.13"}"#, 400, "the path is wrong"),
        ("DELETE", &no_address, "", 400, "`te n` is neither an address nor a DNS name"),
        ("DELETE", &port_too_big, "", 400, "the query is wrong"),
        ("DELETE", &port_unknown, "", 400, "unknown field `prot`"),
        ("DELETE", &port_twice, "", 400, "duplicate field `port`"),
        ("PATCH", TARGET, "{}", 400, "either `weight` or `drain`"),
        ("PATCH", TARGET, r#"{"weight": 1, "drain": true}"#, 400, "either `weight` or `drain`"),
        ("PATCH", TARGET, r#"{"drain": "yes"}"#, 400, "the body is wrong"),
        ("PATCH", TARGET, r#"{"state": "healthy"}"#, 400, "unknown field `state`"),
        (
            "PATCH",
            &no_address,
            r#"{"weight": 1}"#,
            400,
            "`te n` is neither an address nor a DNS name",
        ),
        ("PATCH", &port_unknown, r#"{"weight": 1}"#, 400, "unknown field `prot`"),
    ] {
        let answer = fake.http(method, path, body).await;
        let case = format!("{method} {path} {body}: {answer:?}");
        assert_eq!(answer.status, status, "{case}");
        assert!(answer.error().contains(says), "{case}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_method_gets_the_allowed_ones() {
    let fake = Fake::start(Answer::Done);
    let answer = fake.http("PUT", TARGET, "").await;
    assert!(answer.head.to_lowercase().contains("allow: get,head,patch,delete"), "{answer:?}");
}

#[tokio::test]
async fn the_agents_refusals_have_a_status_each() {
    for (answer, status, says) in [
        (Answer::Invalid, 400, "no such group"),
        (Answer::Absent, 404, "no such revision"),
        (Answer::Harmful, 409, "no target left"),
        (Answer::Outdated, 412, "at revision 9"),
        (Answer::Failed, 503, "the disk is full"),
        (Answer::Nothing, 503, "the agent is stopping; try again"),
    ] {
        let fake = Fake::start(answer);
        for (method, path, body) in [
            ("PUT", "/v1/config", "{}"),
            ("POST", TARGETS, r#"{"address": "10.0.1.13"}"#),
            ("PATCH", TARGET, r#"{"weight": 1}"#),
            ("PATCH", TARGET, r#"{"drain": true}"#),
            ("DELETE", TARGET, ""),
            ("POST", "/v1/revisions/1/rollback", ""),
        ] {
            let refused = fake.http(method, path, body).await;
            assert_eq!((refused.status, refused.error()), (status, says), "{method} {path}");
        }
        assert_eq!(fake.asked().len(), 6, "{answer:?}");
    }
}

#[tokio::test]
async fn counters_that_cannot_be_read_are_an_error() {
    let fake = Fake::start(Answer::Done);
    fake.snapshots.send_replace(std::sync::Arc::new(loaded()));
    let answer = fake.http("GET", "/v1/stats", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("is the data path loaded?: "), "with its cause: {answer:?}");
}

#[tokio::test]
async fn a_body_is_bounded() {
    let mebibytes = usize::try_from(FILE_BYTES_MAX >> 20).unwrap();
    let fake = Fake::start(Answer::Done);
    let body = format!("\"{}\"", "x".repeat((mebibytes + 1) << 20));
    let answer = fake.http("PUT", "/v1/config", &body).await;
    assert_eq!((answer.status, answer.error()), (413, "the body is larger than 16 MiB"));

    // The same without saying so first.
    let mut chunked = b"PUT /v1/config HTTP/1.1\r\nhost: xelb\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    let mebibyte = "x".repeat(1 << 20);
    for _ in 0..=mebibytes {
        chunked.extend_from_slice(format!("{:x}\r\n{mebibyte}\r\n", mebibyte.len()).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = String::from_utf8(fake.exchange(&chunked).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(r#"{"error":"the body is larger than 16 MiB"}"#), "{answer}");
    assert_eq!(fake.asked(), Vec::<String>::new());
}
