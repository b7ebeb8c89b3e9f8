//! What is remembered of a request for counters and log.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use lb_http::{
    client_certificate::CertificateFields, forwarded::Source, head::Head, trace_id::TraceId,
};

use crate::{
    access_log::{AccessEvent, ActionKind, MatchedRule, RequestKind, StageTimes, TlsDetails},
    client_side::ClientSide,
    compiled::CompiledRule,
    connection_id::ConnectionId,
    counters::{Counter, CounterSet},
    failure::Failure,
    group::WorkerGroup,
    log_event::LogEvent,
    worker_state::{ListenerView, Worker},
};

/// What is known of a connection of a client before its first request.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    /// Names it in both logs.
    pub(crate) id: ConnectionId,
    /// Of the connection, or of its PROXY protocol header.
    pub(crate) client: SocketAddr,
    /// Where it was accepted, or what its PROXY protocol header says of that.
    pub(crate) local: SocketAddr,
    /// `Host` for requests without one.
    pub(crate) default_host: String,
    /// The client for targets.
    pub(crate) source: Source,
    pub(crate) tls: Option<TlsDetails>,
    /// What targets are told of the client's certificate.
    pub(crate) certificate: Option<CertificateFields>,
    /// When it was accepted.
    pub(crate) accepted: SystemTime,
    /// How long its TLS handshake took.
    pub(crate) handshake: Option<Duration>,
}

/// What is known of a request so far.
#[derive(Debug)]
pub(crate) struct Record {
    created: Instant,
    created_at: SystemTime,
    forwarded: Option<Instant>,
    answered: Option<Instant>,
    pub(crate) group: Option<Rc<WorkerGroup>>,
    pub(crate) target: Option<SocketAddr>,
    pub(crate) target_counters: Option<Arc<CounterSet>>,
    pub(crate) target_status: Option<u16>,
    /// Rules whose conditions were tried.
    pub(crate) rules_tried: u64,
    /// Of the response that has begun; 0 before.
    pub(crate) status: u16,
    rule: MatchedRule,
    pub(crate) action: Option<ActionKind>,
    pub(crate) redirect_url: Option<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) retries: u32,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) is_tunnel: bool,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            created: Instant::now(),
            created_at: SystemTime::now(),
            forwarded: None,
            answered: None,
            group: None,
            target: None,
            target_counters: None,
            target_status: None,
            rules_tried: 0,
            status: 0,
            rule: MatchedRule::None,
            action: None,
            redirect_url: None,
            failure: None,
            retries: 0,
            trace_id: None,
            is_tunnel: false,
        }
    }

    pub(crate) fn created(&self) -> Instant {
        self.created
    }

    /// Seconds since 1970 at the begin of the request.
    pub(crate) fn unix_time(&self) -> Duration {
        self.created_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    pub(crate) fn set_rule(&mut self, rule: &CompiledRule) {
        self.rule = match rule.priority {
            None => MatchedRule::Default,
            Some(priority) => MatchedRule::Rule { name: Arc::clone(&rule.name), priority },
        };
    }

    /// How long it took to find a target, and a connection to it.
    pub(crate) fn time_to_forward(&self) -> Option<Duration> {
        self.forwarded.map(|at| at - self.created)
    }

    /// The request goes to a target now. Gives the time.
    pub(crate) fn set_forwarded(&mut self) -> Instant {
        *self.forwarded.insert(Instant::now())
    }

    /// The head of the target's response has arrived. Gives the time.
    pub(crate) fn set_answered(&mut self, status: u16) -> Instant {
        self.target_status = Some(status);
        self.status = status;
        *self.answered.insert(Instant::now())
    }

    /// Counts the request and logs it.
    pub(crate) fn finish<C: ClientSide>(
        self,
        worker: &Worker,
        listener: &ListenerView,
        connection: &ConnectionInfo,
        client: &C,
    ) {
        let sets = [Some(&worker.counters.total), Some(listener.counters.as_ref())];
        for set in sets.into_iter().flatten() {
            self.count(set, client.received(), client.sent());
            set.add(Counter::RuleEvaluations, self.rules_tried);
            if !client.framing().findings.is_empty() {
                set.add(Counter::NonCompliantRequests, 1);
            }
        }
        if let Some(group) = &self.group {
            self.count(&group.counters, client.received(), client.sent());
        }
        if let Some(counters) = &self.target_counters {
            self.count(counters, client.received(), client.sent());
        }
        if let Some(failure) = self.failure {
            worker.counters.add_failure(failure.as_str());
        }
        if listener.listener.config.attributes.access_log && worker.shared.access_log.is_some() {
            worker.log(LogEvent::Request(Box::new(self.event(listener, connection, client))));
        }
    }

    fn count(&self, set: &CounterSet, received: u64, sent_bytes: u64) {
        set.add(Counter::Requests, 1);
        set.add(Counter::ReceivedBytes, received);
        set.add(Counter::SentBytes, sent_bytes);
        let by_class = |classes: [Option<Counter>; 4]| {
            let class = usize::from(self.status / 100).checked_sub(2);
            class.and_then(|class| classes.get(class).copied()).flatten()
        };
        let counter = if self.target_status.is_some() {
            by_class([
                Some(Counter::Target2xx),
                Some(Counter::Target3xx),
                Some(Counter::Target4xx),
                Some(Counter::Target5xx),
            ])
        } else {
            by_class([None, Some(Counter::Elb3xx), Some(Counter::Elb4xx), Some(Counter::Elb5xx)])
        };
        let of_action = match self.action {
            Some(ActionKind::Redirect) if self.failure.is_none() => Some(Counter::Redirects),
            Some(ActionKind::FixedResponse) => Some(Counter::FixedResponses),
            _ => None,
        };
        let tunnel = self.is_tunnel.then_some(Counter::Tunnels);
        for counter in [counter, of_action, tunnel].into_iter().flatten() {
            set.add(counter, 1);
        }
        if self.retries > 0 {
            set.add(Counter::Retries, u64::from(self.retries));
        }
        if let (Some(forwarded), Some(answered)) = (self.forwarded, self.answered) {
            set.add_response_time(answered - forwarded);
        }
    }

    fn event<C: ClientSide>(
        self,
        listener: &ListenerView,
        connection: &ConnectionInfo,
        client: &C,
    ) -> AccessEvent {
        let compiled = &listener.listener;
        let (head, uri) = (client.head(), client.uri());
        let scheme = compiled.scheme.as_str();
        let host = uri.host().map_or("-", |host| host.name());
        let url = format!("{scheme}://{host}:{}{}", connection.local.port(), uri.path_and_query());
        let findings = client.framing().findings;
        let worst = findings.iter().max_by_key(|finding| finding.severity());
        let trace_id = self.trace_id.map(|trace_id| {
            let mut value = Vec::new();
            let received = head.values(lb_http::field_name::FieldName::TraceId).next();
            trace_id.write_value(received, &mut value);
            text(&value)
        });
        AccessEvent {
            kind: self.kind(head, client.version(), connection.tls.is_some()),
            listener: Arc::clone(&compiled.name),
            created: self.created_at,
            ended: SystemTime::now(),
            client: connection.client,
            target: self.target,
            group: self.group.as_ref().map(|group| Arc::clone(&group.name)),
            times: StageTimes {
                request: self.forwarded.map(|at| at - self.created),
                target: self.answered.zip(self.forwarded).map(|(answered, at)| answered - at),
                response: self.answered.map(|at| at.elapsed()),
            },
            status: self.status,
            target_status: self.target_status,
            received_bytes: client.received(),
            sent_bytes: client.sent(),
            method: text(head.method()),
            url,
            version: client.version(),
            user_agent: head.named("user-agent").next().map(text),
            tls: connection.tls.clone(),
            trace_id,
            rule: self.rule,
            action: self.action,
            redirect_url: self.redirect_url,
            reason: self.failure.map(Failure::as_str),
            classification: worst.map(|finding| (finding.severity(), finding.as_str())),
            retries: self.retries,
            connection_id: connection.id,
        }
    }

    fn kind(&self, head: &Head, version: &str, has_tls: bool) -> RequestKind {
        let is_grpc =
            || head.named("content-type").any(|value| value.starts_with(b"application/grpc"));
        match (self.is_tunnel, version, has_tls) {
            (true, _, true) => RequestKind::WebSocketTls,
            (true, _, false) => RequestKind::WebSocket,
            (_, "HTTP/2.0", _) if is_grpc() => RequestKind::Grpc,
            (_, "HTTP/2.0", _) => RequestKind::Http2,
            (_, _, true) => RequestKind::Https,
            (_, _, false) => RequestKind::Http,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
