//! What people read of a probe, for each reason: exact texts. The tests of each prober cause them
//! over the network.

use std::{io, sync::Arc, time::Duration};

use lb_common::target::TargetState;
use lb_config::{HealthCheck, HealthProtocol, Via};
use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
};
use tokio::time::Instant;

use super::{Machine, Outcome, Reason, tcp, tls, udp};

/// Nothing of Rust, no error twice, no plural of one.
fn check(text: &str, expected: &str) {
    assert_eq!(text, expected);
    for wrong in ["::", "{ ", "Some(", "Err(", "1 targets", "1 probes", "1 answers"] {
        assert!(!text.contains(wrong), "{wrong} is in {text}");
    }
    assert!(text.matches("(os error ").count() <= 1, "{text}");
    let of_rust = |word: &str| {
        let mut pairs = word.bytes().zip(word.bytes().skip(1));
        pairs.any(|(one, two)| one.is_ascii_lowercase() && two.is_ascii_uppercase())
    };
    assert!(!text.split(|c: char| !c.is_ascii_alphanumeric()).any(of_rust), "{text}");
}

#[test]
fn errors_of_sockets() {
    for (errno, expected) in [
        (libc::ECONNREFUSED, "connection refused"),
        (libc::ECONNRESET, "connection reset by the target"),
        (libc::EPIPE, "connection reset by the target"),
        (libc::EHOSTUNREACH, "host unreachable"),
        (libc::ENETUNREACH, "network unreachable: no route to the target"),
        (libc::ETIMEDOUT, "connection timed out in the kernel"),
        (libc::EPROTO, "Protocol error (os error 71)"),
    ] {
        check(&tcp::describe(&io::Error::from_raw_os_error(errno)), expected);
    }
    let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
    let nobody = Outcome::failed("port unreachable (ICMP): no program listens there");
    assert_eq!(udp::judge(&refused), nobody);
    let filtered = io::Error::from_raw_os_error(libc::EPERM);
    let detail = "cannot send from this host: Operation not permitted (os error 1)".to_owned();
    assert_eq!(udp::judge(&filtered), Outcome::Inconclusive { detail });
}

#[test]
fn certificates_that_are_refused() {
    let other = OtherError(Arc::new(io::Error::other("UnsupportedCertVersion")));
    for (error, expected) in [
        (CertificateError::Expired, "its certificate has expired"),
        (CertificateError::NotValidYet, "its certificate is not valid yet"),
        (
            CertificateError::UnknownIssuer,
            "its certificate is from a CA that `verify` does not trust",
        ),
        (
            CertificateError::NotValidForName,
            "its certificate is for another name; set `server_name`",
        ),
        (CertificateError::Revoked, "its certificate is revoked"),
        (CertificateError::BadEncoding, "its certificate is malformed"),
        (CertificateError::BadSignature, "the signature of its certificate is wrong"),
        (
            CertificateError::UnhandledCriticalExtension,
            "its certificate has a critical extension that xelb does not support",
        ),
        (
            CertificateError::InvalidPurpose,
            "its certificate is not for servers (extended key usage)",
        ),
        (
            CertificateError::UnknownRevocationStatus,
            "its certificate is refused: unknown revocation status",
        ),
        (CertificateError::Other(other), "its certificate is refused: unsupported cert version"),
    ] {
        let error = Error::InvalidCertificate(error);
        check(&tls::describe(&io::Error::new(io::ErrorKind::InvalidData, error)), expected);
    }
}

#[test]
fn other_errors_of_tls() {
    for (error, expected) in [
        (Error::InvalidMessage(InvalidMessage::InvalidContentType), "the answer is not TLS"),
        (
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            "the target ends TLS with the alert \"handshake failure\"",
        ),
        (
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            "TLS: peer is incompatible: no cipher suites in common",
        ),
        (Error::DecryptError, "TLS: cannot decrypt peer's message"),
    ] {
        check(&tls::describe(&io::Error::new(io::ErrorKind::InvalidData, error)), expected);
    }
    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
    check(&tls::describe(&closed), "connection closed during the TLS handshake");
    let reset = io::Error::from_raw_os_error(libc::ECONNRESET);
    check(&tls::describe(&reset), "connection reset by the target");
}

/// What a target's reason and detail are after these outcomes.
fn known(resume: Option<TargetState>, outcomes: &[Outcome]) -> (Option<Reason>, String) {
    let check = HealthCheck {
        protocol: HealthProtocol::Tcp,
        port: None,
        via: Via::Address,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        healthy_threshold: 3,
        unhealthy_threshold: 2,
        inconclusive_timeout: None,
    };
    let mut machine = Machine::new(&check, resume);
    for outcome in outcomes {
        let _news = machine.observe(outcome, Instant::now());
    }
    let health = machine.health();
    (health.reason, health.detail.clone())
}

#[test]
fn reason_and_detail_follow_from_outcomes() {
    use Reason::{FailedHealthChecks, InitialHealthChecking, InternalError, Timeout};

    let blind = || Outcome::Inconclusive { detail: "no local port".to_owned() };
    let refused = || Outcome::failed("connection refused");
    let late = || Outcome::timeout("no connection within 2s");
    let (down, up) = (Some(TargetState::Unhealthy), Some(TargetState::Healthy));
    let unable = "this host cannot check it: no local port";
    let before = "unhealthy before the agent started; ";
    let not_yet = "could not be probed yet: no local port";
    let cases: [(_, Vec<Outcome>, _, &str); 13] = [
        (None, vec![], Some(InitialHealthChecking), "not probed yet"),
        (None, vec![blind()], Some(InitialHealthChecking), not_yet),
        (None, vec![blind(), blind()], Some(InternalError), unable),
        (None, vec![refused()], Some(InitialHealthChecking), "connection refused"),
        (None, vec![refused(), refused()], Some(FailedHealthChecks), "connection refused"),
        (None, vec![late(), late()], Some(Timeout), "no connection within 2s"),
        (None, vec![Outcome::Success], None, ""),
        (
            None,
            vec![blind(), blind(), refused()],
            Some(InitialHealthChecking),
            "connection refused",
        ),
        (down, vec![], Some(FailedHealthChecks), &format!("{before}not probed yet")),
        (down, vec![blind()], Some(FailedHealthChecks), &format!("{before}{not_yet}")),
        (
            down,
            vec![blind(), blind(), Outcome::Success],
            Some(FailedHealthChecks),
            "can be checked again, and was unhealthy before",
        ),
        (up, vec![blind()], None, ""),
        (up, vec![blind(), blind()], Some(InternalError), unable),
    ];
    for (resume, outcomes, reason, expected) in cases {
        let (seen, text) = known(resume, &outcomes);
        check(&text, expected);
        assert_eq!(seen, reason, "{outcomes:?}");
    }
}
