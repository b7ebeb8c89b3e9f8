//! PURE: why a request was not served as asked: a status code for the client, and a reason for log and metric.

use lb_http::refusal::Refusal;

/// Makes the enum, its names and its status codes from one table.
macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal;)*) => {
        /// Why a request failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Failure {
            $($(#[$doc])* $variant,)*
            /// The request is refused by the HTTP engine.
            Request(Refusal),
            /// The response of the target is refused by the HTTP engine.
            Response(Refusal),
        }

        impl Failure {
            /// Every failure that is not a refusal of the HTTP engine.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in logs and metrics; it never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Request(refusal) | Self::Response(refusal) => refusal.as_str(),
                }
            }

            /// The status code, for the client if no response has begun, and for the log.
            #[must_use]
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                    Self::Request(refusal) => refusal.status(),
                    Self::Response(_) => 502,
                }
            }
        }
    };
}

failures! {
    /// No whole request head within its time.
    HeadTimeout = "head_timeout", 408;
    /// The client has stopped in the body of its request.
    RequestBodyTimeout = "request_body_timeout", 408;
    /// The client has closed or reset its connection before the end of the response.
    ClientClosed = "client_closed", 460;
    /// The client does not read its response.
    ClientWriteTimeout = "client_write_timeout", 460;
    /// `X-Forwarded-For` has more than 30 addresses.
    TooManyForwardedAddresses = "too_many_forwarded_addresses", 463;
    /// The connection's certificate is not for this host, and another one of the listener is: the client has used the
    /// connection of another host (RFC 9110, section 15.5.20).
    MisdirectedRequest = "misdirected_request", 421;
    /// A transform of the rule gives a URL or host that cannot be sent.
    RewriteFailed = "rewrite_failed", 500;
    /// A redirect leads to the URL of the request, or to one that cannot be sent.
    RedirectFailed = "redirect_failed", 500;
    /// No target may serve.
    NoTarget = "no_target", 503;
    /// Every target that may serve is at its limit of connections.
    TargetConnectionLimit = "target_connection_limit", 503;
    /// The target refuses connections, or cannot be reached.
    ConnectFailed = "connect_failed", 502;
    /// No connection within its time.
    ConnectTimeout = "connect_timeout", 504;
    /// The TLS handshake with the target failed.
    TargetTlsFailed = "target_tls_failed", 502;
    /// The target has closed the connection before a response.
    TargetClosed = "target_closed", 502;
    /// The same on a connection that had served requests; the request could not be sent again.
    TargetClosedReused = "target_closed_reused", 502;
    /// The target has reset the connection before a response.
    TargetReset = "target_reset", 502;
    /// The target breaks the rules of HTTP/2, or does not speak it.
    TargetProtocolError = "target_protocol_error", 502;
    /// The target has answered a WebSocket of a client of HTTP/2 with status 2xx instead of 101, or has not
    /// answered its key: the client would take any status 2xx for an open tunnel.
    BadUpgrade = "bad_upgrade", 502;
    /// The request or its version of HTTP is none that targets of gRPC understand.
    IncompatibleProtocol = "incompatible_protocol", 464;
    /// The target has left, and its deregistration delay is over.
    TargetDeregistered = "target_deregistered", 502;
    /// No response within its time.
    ResponseTimeout = "response_timeout", 504;
    /// The whole request took too long.
    TotalTimeout = "total_timeout", 504;
    /// The target has closed or reset the connection within a response.
    ResponseCut = "response_cut", 502;
    /// The target has stopped within a response.
    ResponseBodyTimeout = "response_body_timeout", 504;
    /// Nothing came over a tunnel for its time.
    TunnelTimeout = "tunnel_timeout", 504;
    /// A message could not be written as its head says.
    Internal = "internal", 500;
}

impl Failure {
    /// Whether the target is to blame, so that anomaly mitigation counts it.
    #[must_use]
    pub fn blames_target(self) -> bool {
        matches!(
            self,
            Self::ConnectFailed
                | Self::ConnectTimeout
                | Self::TargetTlsFailed
                | Self::TargetClosed
                | Self::TargetClosedReused
                | Self::TargetReset
                | Self::TargetProtocolError
                | Self::BadUpgrade
                | Self::ResponseTimeout
                | Self::ResponseCut
                | Self::ResponseBodyTimeout
                | Self::Response(_)
        )
    }

    /// The `grpc-status` for clients of gRPC ("HTTP to gRPC Status Code Mapping"). A target that does not answer
    /// in time is a deadline of the call; one that cannot be reached is not.
    #[must_use]
    pub fn grpc_status(self) -> &'static str {
        match (self, self.status()) {
            // DEADLINE_EXCEEDED
            (Self::ResponseTimeout | Self::TotalTimeout | Self::ResponseBodyTimeout, _) => "4",
            // INTERNAL, UNAVAILABLE, UNKNOWN
            (_, 400) => "13",
            (_, 502..=504) => "14",
            _ => "2",
        }
    }

    /// Whether the client has left, so that nothing can be sent to it.
    #[must_use]
    pub fn is_client_gone(self) -> bool {
        matches!(self, Self::ClientClosed | Self::ClientWriteTimeout)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_not_those_of_refusals() {
        let mut names: BTreeSet<&str> = Refusal::ALL.iter().map(|one| one.as_str()).collect();
        for failure in Failure::ALL {
            assert!(names.insert(failure.as_str()), "{failure:?}");
        }
    }

    #[test]
    fn status_codes_are_those_of_application_load_balancer_and_421() {
        let known = [408, 421, 460, 463, 464, 500, 502, 503, 504];
        for failure in Failure::ALL {
            assert!(known.contains(&failure.status()), "{failure:?}");
        }
        assert_eq!(Failure::NoTarget.grpc_status(), "14");
        assert_eq!(Failure::ConnectTimeout.grpc_status(), "14");
        assert_eq!(Failure::ResponseTimeout.grpc_status(), "4");
        assert_eq!(Failure::Request(Refusal::BadHost).grpc_status(), "13");
        assert_eq!(Failure::RewriteFailed.grpc_status(), "2");
        assert_eq!(Failure::Response(Refusal::BadChunkSize).status(), 502);
        assert_eq!(Failure::Request(Refusal::BadChunkSize).status(), 400);
    }
}
