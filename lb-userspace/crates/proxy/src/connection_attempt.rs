//! PURE: what the connection log says of a connection: that it was accepted, or why it never came to a request.
//! Writing it is done elsewhere.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{CertificateError, Error, PeerIncompatible};
use serde::Serialize;

use crate::{
    access_log::{TlsDetails, settled, timestamp},
    connection_id::ConnectionId,
};

/// A connection of a client, when its TLS handshake has ended; without TLS, when it was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionAttempt {
    /// Name of the listener.
    pub listener: Arc<str>,
    /// When it was accepted.
    pub accepted: SystemTime,
    /// Address of the client: of the connection, or of its PROXY header.
    pub client: SocketAddr,
    /// Where the client has connected to.
    pub local: SocketAddr,
    /// How long the TLS handshake took; `None`: it failed, or the listener has no TLS.
    pub handshake: Option<Duration>,
    /// TLS of the connection; of a handshake that failed, what was settled by then.
    pub tls: Option<TlsDetails>,
    /// The certificate of the client.
    pub certificate: Option<LeafCertificate>,
    /// Why it was closed before any request.
    pub failure: Option<AttemptFailure>,
    /// What the failure was, for people.
    pub detail: Option<String>,
    /// Names the connection, also in the access log.
    pub id: ConnectionId,
}

/// What the connection log says of the certificate of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafCertificate {
    /// As RFC 2253 has it.
    pub subject: String,
    /// `NotBefore=TIME;NotAfter=TIME`.
    pub validity: String,
    /// In hexadecimal.
    pub serial_number: String,
}

/// Makes the enum, its names and ALB's codes from one table.
macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $alb:literal;)*) => {
        /// Why a connection was closed before any request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AttemptFailure {
            $($(#[$doc])* $variant,)*
        }

        impl AttemptFailure {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in logs; it never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The error code of ALB's field `tls_verify_status`.
            #[must_use]
            pub const fn alb_code(self) -> &'static str {
                match self {
                    $(Self::$variant => $alb,)*
                }
            }
        }
    };
}

failures! {
    /// A trusted proxy has sent no valid PROXY header.
    ProxyHeaderInvalid = "proxy_header_invalid", "UnmappedConnectionError";
    /// The client has left before the end of the handshake.
    ClientClosed = "client_closed", "UnmappedConnectionError";
    /// The handshake took too long.
    HandshakeTimeout = "handshake_timeout", "UnmappedConnectionError";
    /// The client does not speak TLS.
    NotTls = "not_tls", "UnmappedConnectionError";
    /// The policy of the listener allows no version of TLS that the client has.
    NoSharedVersion = "no_shared_version", "UnmappedConnectionError";
    /// The same of cipher suites, groups and signatures.
    NoSharedCipher = "no_shared_cipher", "UnmappedConnectionError";
    /// The client wants a protocol (ALPN) that the listener does not have.
    NoSharedProtocol = "no_shared_protocol", "UnmappedConnectionError";
    /// The client has refused the handshake by an alert, such as one about the certificate of the listener.
    ClientAlert = "client_alert", "UnmappedConnectionError";
    /// The listener wants a certificate, and the client has none.
    CertificateMissing = "client_certificate_missing", "UnmappedConnectionError";
    /// The certificate of the client has expired.
    CertificateExpired = "client_certificate_expired", "ClientCertExpired";
    /// It is not valid yet.
    CertificateNotYetValid = "client_certificate_not_yet_valid", "ClientCertNotYetValid";
    /// It is of no CA of the listener.
    CertificateUntrusted = "client_certificate_untrusted", "ClientCertUntrusted";
    /// A list of its CA says that it was revoked.
    CertificateRevoked = "client_certificate_revoked", "ClientCertCrlHit";
    /// Whether it was revoked cannot be said: the list of its CA is missing or too old.
    RevocationUnknown = "client_certificate_revocation_unknown", "ClientCertCrlProcessingError";
    /// It is not for clients.
    CertificatePurpose = "client_certificate_purpose", "ClientCertPurposeInvalid";
    /// It is wrong otherwise.
    CertificateInvalid = "client_certificate_invalid", "ClientCertInvalid";
    /// Another fault of the handshake.
    TlsFailed = "tls_failed", "UnmappedConnectionError";
}

impl AttemptFailure {
    /// Why a TLS handshake with a client has failed.
    #[must_use]
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match (of_tls, error.kind()) {
            (Some(error), _) => Self::of_tls(error),
            (None, io::ErrorKind::TimedOut) => Self::HandshakeTimeout,
            _ => Self::ClientClosed,
        }
    }

    fn of_tls(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(_) => Self::NotTls,
            Error::AlertReceived(_) => Self::ClientAlert,
            Error::NoApplicationProtocol => Self::NoSharedProtocol,
            Error::NoCertificatesPresented => Self::CertificateMissing,
            Error::PeerIncompatible(incompatible) => match incompatible {
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired => Self::NoSharedVersion,
                _ => Self::NoSharedCipher,
            },
            Error::InvalidCertificate(certificate) => Self::of_certificate(certificate),
            _ => Self::TlsFailed,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::CertificateExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::CertificateNotYetValid
            }
            CertificateError::Revoked => Self::CertificateRevoked,
            CertificateError::UnknownIssuer => Self::CertificateUntrusted,
            CertificateError::UnknownRevocationStatus
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::RevocationUnknown,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::CertificatePurpose
            }
            _ => Self::CertificateInvalid,
        }
    }
}

/// A line with the fields of ALB's connection log, in their order ("Connection logs for your Application Load
/// Balancer"), without its end.
#[must_use]
pub fn alb_attempt_line(attempt: &ConnectionAttempt) -> String {
    let tls = attempt.tls.as_ref();
    let certificate = attempt.certificate.as_ref();
    let handshake = attempt.handshake.map(|time| format!("{:.3}", time.as_secs_f64()));
    let subject = certificate.map(|one| format!("\"{}\"", one.subject));
    let status = match attempt.failure {
        Some(failure) => format!("Failed:{}", failure.alb_code()),
        None if tls.is_some() => "Success".to_owned(),
        None => "-".to_owned(),
    };
    [
        timestamp(attempt.accepted).as_str(),
        &attempt.client.ip().to_string(),
        &attempt.client.port().to_string(),
        &attempt.local.port().to_string(),
        tls.map_or("-", |tls| tls.protocol),
        tls.map_or("-", |tls| tls.cipher),
        handshake.as_deref().unwrap_or("-"),
        subject.as_deref().unwrap_or("-"),
        certificate.map_or("-", |one| &one.validity),
        certificate.map_or("-", |one| &one.serial_number),
        &status,
        &attempt.id.to_string(),
    ]
    .join(" ")
}

/// What a line in JSON holds. Names never change.
#[derive(Serialize)]
struct Line<'attempt> {
    kind: &'static str,
    time: String,
    listener: &'attempt str,
    client: String,
    destination: String,
    reason: Option<&'static str>,
    detail: Option<&'attempt str>,
    handshake_seconds: Option<f64>,
    tls_protocol: Option<&'static str>,
    tls_cipher: Option<&'static str>,
    tls_named_group: Option<&'static str>,
    server_name: Option<&'attempt str>,
    alpn: Option<&'attempt str>,
    client_certificate_subject: Option<&'attempt str>,
    client_certificate_validity: Option<&'attempt str>,
    client_certificate_serial_number: Option<&'attempt str>,
    connection_id: String,
}

/// A line in JSON, without its end.
#[must_use]
pub fn attempt_json_line(attempt: &ConnectionAttempt) -> String {
    let tls = attempt.tls.as_ref();
    let certificate = attempt.certificate.as_ref();
    let line = Line {
        kind: "connection",
        time: timestamp(attempt.accepted),
        listener: &attempt.listener,
        client: attempt.client.to_string(),
        destination: attempt.local.to_string(),
        reason: attempt.failure.map(AttemptFailure::as_str),
        detail: attempt.detail.as_deref(),
        handshake_seconds: attempt.handshake.map(|time| time.as_secs_f64()),
        tls_protocol: tls.and_then(|tls| settled(tls.protocol)),
        tls_cipher: tls.and_then(|tls| settled(tls.cipher)),
        tls_named_group: tls.and_then(|tls| settled(tls.named_group)),
        server_name: tls.and_then(|tls| tls.server_name.as_deref()),
        alpn: tls.and_then(|tls| tls.alpn.as_deref()),
        client_certificate_subject: certificate.map(|one| one.subject.as_str()),
        client_certificate_validity: certificate.map(|one| one.validity.as_str()),
        client_certificate_serial_number: certificate.map(|one| one.serial_number.as_str()),
        connection_id: attempt.id.to_string(),
    };
    // A struct of plain values always has a form in JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustls::{AlertDescription, InvalidMessage};

    use super::*;

    fn attempt() -> ConnectionAttempt {
        ConnectionAttempt {
            listener: "shop".into(),
            accepted: SystemTime::UNIX_EPOCH + Duration::from_micros(1_696_439_115_514_108),
            client: ([203, 0, 113, 1], 36280).into(),
            local: ([203, 0, 113, 10], 443).into(),
            handshake: Some(Duration::from_millis(4036)),
            tls: Some(TlsDetails {
                cipher: "TLS13_AES_256_GCM_SHA384",
                protocol: "TLSv1.3",
                named_group: "X25519",
                server_name: Some("shop.example".to_owned()),
                alpn: Some("h2".to_owned()),
            }),
            certificate: Some(LeafCertificate {
                subject: "CN=alice,C=US".to_owned(),
                validity: "NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z".to_owned(),
                serial_number: "FEF257372D5C14D4".to_owned(),
            }),
            failure: None,
            detail: None,
            id: ConnectionId(0x3180_a730_13c8_ca4b_ac2f_7311_59d4_b0fe),
        }
    }

    #[test]
    fn the_fields_are_those_of_application_load_balancer() {
        assert_eq!(
            alb_attempt_line(&attempt()),
            "2023-10-04T17:05:15.514108Z 203.0.113.1 36280 443 TLSv1.3 TLS13_AES_256_GCM_SHA384 4.036 \
             \"CN=alice,C=US\" NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z \
             FEF257372D5C14D4 Success TID_3180a73013c8ca4bac2f731159d4b0fe"
        );
        let plain = ConnectionAttempt {
            tls: None,
            certificate: None,
            handshake: None,
            id: ConnectionId(1),
            ..attempt()
        };
        assert_eq!(
            alb_attempt_line(&plain),
            "2023-10-04T17:05:15.514108Z 203.0.113.1 36280 443 - - - - - - - \
             TID_00000000000000000000000000000001"
        );
        let failed =
            ConnectionAttempt { failure: Some(AttemptFailure::CertificateExpired), ..plain };
        let line = alb_attempt_line(&failed);
        assert!(line.contains(" - - - - - - Failed:ClientCertExpired TID_"), "{line}");
    }

    #[test]
    fn a_line_in_json_says_all() {
        let failed = ConnectionAttempt {
            failure: Some(AttemptFailure::NotTls),
            detail: Some("received corrupt message".to_owned()),
            tls: None,
            ..attempt()
        };
        let value: serde_json::Value = serde_json::from_str(&attempt_json_line(&failed)).unwrap();
        assert_eq!((&value["kind"], &value["listener"]), (&"connection".into(), &"shop".into()));
        assert_eq!(value["reason"], "not_tls");
        assert_eq!(value["detail"], "received corrupt message");
        assert_eq!(value["client_certificate_subject"], "CN=alice,C=US");
        assert_eq!(value["connection_id"], "TID_3180a73013c8ca4bac2f731159d4b0fe");
        assert!(value["tls_protocol"].is_null());
        let value: serde_json::Value =
            serde_json::from_str(&attempt_json_line(&attempt())).unwrap();
        assert_eq!((&value["alpn"], &value["handshake_seconds"]), (&"h2".into(), &4.036.into()));
        assert!(value["reason"].is_null());
    }

    #[test]
    fn failures_of_handshakes_have_reasons() {
        let tls = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let certificate = |error| tls(Error::InvalidCertificate(error));
        for (error, expected) in [
            (io::ErrorKind::TimedOut.into(), "handshake_timeout"),
            (io::ErrorKind::UnexpectedEof.into(), "client_closed"),
            (io::ErrorKind::ConnectionReset.into(), "client_closed"),
            (tls(Error::InvalidMessage(InvalidMessage::InvalidContentType)), "not_tls"),
            (tls(Error::AlertReceived(AlertDescription::UnknownCA)), "client_alert"),
            (tls(Error::NoApplicationProtocol), "no_shared_protocol"),
            (tls(Error::NoCertificatesPresented), "client_certificate_missing"),
            (tls(PeerIncompatible::Tls12NotOffered.into()), "no_shared_version"),
            (tls(PeerIncompatible::NoCipherSuitesInCommon.into()), "no_shared_cipher"),
            (certificate(CertificateError::Expired), "client_certificate_expired"),
            (certificate(CertificateError::NotValidYet), "client_certificate_not_yet_valid"),
            (certificate(CertificateError::UnknownIssuer), "client_certificate_untrusted"),
            (certificate(CertificateError::Revoked), "client_certificate_revoked"),
            (certificate(CertificateError::InvalidPurpose), "client_certificate_purpose"),
            (certificate(CertificateError::BadSignature), "client_certificate_invalid"),
            (tls(Error::DecryptError), "tls_failed"),
        ] {
            assert_eq!(AttemptFailure::of_handshake(&error).as_str(), expected, "{error}");
        }
        let names: BTreeSet<&str> = AttemptFailure::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(names.len(), AttemptFailure::ALL.len());
        let page = include_str!("../../../../docs/http.md");
        for name in names {
            assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
        }
    }
}
