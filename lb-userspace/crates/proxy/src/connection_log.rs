//! PURE: what the access log says of a connection of a listener of TLS. Writing it is done elsewhere.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use crate::access_log::{TlsDetails, settled, timestamp};

/// A connection that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionEvent {
    /// Name of the listener.
    pub listener: Arc<str>,
    /// When it was accepted.
    pub accepted: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// Address of the client: of the connection, or of its PROXY header.
    pub client: SocketAddr,
    /// Where the client has connected to.
    pub local: SocketAddr,
    /// How long the TLS handshake took; `None`: it failed.
    pub handshake: Option<Duration>,
    /// TLS of the client's connection.
    pub tls: Option<TlsDetails>,
    /// Name of the target group.
    pub group: Option<Arc<str>>,
    /// The target that got the connection, or the last one that was tried.
    pub target: Option<SocketAddr>,
    /// How long it took to find a target and to connect to it; `None`: there was none.
    pub connect: Option<Duration>,
    /// Bytes of the client, without those of TLS.
    pub received_bytes: u64,
    /// Bytes to the client, without those of TLS.
    pub sent_bytes: u64,
    /// Other targets that were tried.
    pub retries: u32,
    /// Why the connection did not end in order.
    pub reason: Option<&'static str>,
}

/// A line with the fields of AWS's Network Load Balancer for listeners of TLS, in their order ("Access logs for your
/// Network Load Balancer", version 2.0), without its end.
#[must_use]
pub fn nlb_line(event: &ConnectionEvent) -> String {
    let tls = event.tls.as_ref();
    let total = event.ended.duration_since(event.accepted).unwrap_or_default();
    let handshake = event.handshake.map_or("-".to_owned(), |time| time.as_millis().to_string());
    let name = tls.and_then(|tls| tls.server_name.as_deref()).unwrap_or("-");
    let protocol = match tls.map(|tls| tls.protocol) {
        Some("TLSv1.2") => "tlsv12",
        Some("TLSv1.3") => "tlsv13",
        _ => "-",
    };
    [
        "tls",
        "2.0",
        &timestamp(event.ended),
        // The load balancer and its listener have one name here.
        &event.listener,
        &event.listener,
        &event.client.to_string(),
        &event.local.to_string(),
        &total.as_millis().to_string(),
        &handshake,
        &event.received_bytes.to_string(),
        &event.sent_bytes.to_string(),
        // Alerts of the client, and the name and number of the certificate.
        "-",
        "-",
        "-",
        tls.map_or("-", |tls| tls.cipher),
        protocol,
        tls.map_or("-", |tls| tls.named_group),
        name,
        tls.and_then(|tls| tls.alpn.as_deref()).unwrap_or("-"),
        "-",
        "-",
        &timestamp(event.accepted),
    ]
    .join(" ")
}

/// What a line in JSON holds. Names never change.
#[derive(Serialize)]
struct Line<'event> {
    kind: &'static str,
    time: String,
    created: String,
    listener: &'event str,
    client: String,
    destination: String,
    target: Option<String>,
    target_group: Option<&'event str>,
    connection_seconds: f64,
    handshake_seconds: Option<f64>,
    connect_seconds: Option<f64>,
    received_bytes: u64,
    sent_bytes: u64,
    retries: u32,
    reason: Option<&'static str>,
    tls_protocol: Option<&'static str>,
    tls_cipher: Option<&'static str>,
    tls_named_group: Option<&'static str>,
    server_name: Option<&'event str>,
    alpn: Option<&'event str>,
}

/// A line in JSON, without its end.
#[must_use]
pub fn connection_json_line(event: &ConnectionEvent) -> String {
    let tls = event.tls.as_ref();
    let total = event.ended.duration_since(event.accepted).unwrap_or_default();
    let line = Line {
        kind: "tls",
        time: timestamp(event.ended),
        created: timestamp(event.accepted),
        listener: &event.listener,
        client: event.client.to_string(),
        destination: event.local.to_string(),
        target: event.target.map(|target| target.to_string()),
        target_group: event.group.as_deref(),
        connection_seconds: total.as_secs_f64(),
        handshake_seconds: event.handshake.map(|time| time.as_secs_f64()),
        connect_seconds: event.connect.map(|time| time.as_secs_f64()),
        received_bytes: event.received_bytes,
        sent_bytes: event.sent_bytes,
        retries: event.retries,
        reason: event.reason,
        tls_protocol: tls.and_then(|tls| settled(tls.protocol)),
        tls_cipher: tls.and_then(|tls| settled(tls.cipher)),
        tls_named_group: tls.and_then(|tls| settled(tls.named_group)),
        server_name: tls.and_then(|tls| tls.server_name.as_deref()),
        alpn: tls.and_then(|tls| tls.alpn.as_deref()),
    };
    // A struct of plain values always has a form in JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> ConnectionEvent {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_545_274_770);
        ConnectionEvent {
            listener: "mail".into(),
            accepted: start,
            ended: start + Duration::from_secs(5),
            client: ([192, 0, 2, 1], 51341).into(),
            local: ([203, 0, 113, 10], 465).into(),
            handshake: Some(Duration::from_millis(2)),
            tls: Some(TlsDetails {
                cipher: "TLS13_AES_256_GCM_SHA384",
                protocol: "TLSv1.3",
                named_group: "X25519",
                server_name: Some("mail.example".to_owned()),
                alpn: None,
            }),
            group: Some("smtp".into()),
            target: Some(([10, 0, 0, 1], 25).into()),
            connect: Some(Duration::from_millis(1)),
            received_bytes: 98,
            sent_bytes: 246,
            retries: 0,
            reason: None,
        }
    }

    #[test]
    fn the_fields_are_those_of_network_load_balancer() {
        assert_eq!(
            nlb_line(&event()),
            "tls 2.0 2018-12-20T02:59:35.000000Z mail mail 192.0.2.1:51341 203.0.113.10:465 5000 2 98 246 - \
             - - TLS13_AES_256_GCM_SHA384 tlsv13 X25519 mail.example - - - 2018-12-20T02:59:30.000000Z"
        );
        let failed = ConnectionEvent { handshake: None, tls: None, target: None, ..event() };
        let line = nlb_line(&failed);
        assert!(line.contains(" 5000 - 98 246 - - - - - - - - - - 2018"), "{line}");
        assert_eq!(line.split(' ').count(), 22);
    }

    #[test]
    fn a_line_in_json_says_all() {
        let line =
            connection_json_line(&ConnectionEvent { reason: Some("target_reset"), ..event() });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["target"], "10.0.0.1:25");
        assert_eq!(value["reason"], "target_reset");
        assert_eq!(value["connection_seconds"], 5.0);
        assert_eq!(value["server_name"], "mail.example");
        assert!(value["alpn"].is_null());
    }
}
