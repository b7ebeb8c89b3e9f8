//! A request that goes to a target: group and target are chosen, a connection is found or made, and request and
//! response are passed on.

use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll, time::Instant};

use lb_http::{encode::RequestToForward, head::Head, trace_id::TraceId};
use lb_rules::{Forward, choice::Outcome};

use crate::{
    client_side::ClientSide,
    compiled::CompiledRule,
    connect::connect,
    counters::Counter,
    exchange::Exchange,
    failure::Failure,
    group::{Chosen, Outstanding, WorkerGroup},
    proxy_protocol,
    record::Record,
    request_context::RequestContext,
    request_timeouts::RequestTimeouts,
    snapshot::Group,
    stickiness::StickyRequest,
    target_connection::TargetConnection,
    timer::Timer,
    tunnel,
};

/// What a forward action needs.
pub(crate) struct Forwarding<'request> {
    pub(crate) context: &'request RequestContext<'request>,
    pub(crate) rule: &'request CompiledRule,
    pub(crate) action: &'request Forward,
    /// Places of its groups in the snapshot.
    pub(crate) groups: &'request [usize],
}

/// A target that has the request.
struct Attempt {
    connection: TargetConnection,
    outstanding: Outstanding,
}

/// Forwards a request and its response.
pub(crate) async fn forward<C: ClientSide>(
    forwarding: &Forwarding<'_>,
    client: &mut C,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Failure> {
    let context = forwarding.context;
    let (sticky, group) = StickyRequest::choose_group(
        context,
        forwarding.rule,
        forwarding.action,
        forwarding.groups,
        client.head(),
        record.unix_time(),
    )
    .ok_or(Failure::NoTarget)?;
    record.group = Some(Rc::clone(&group));
    let config = group.config();
    let connection = context.connection;
    let version = config.attributes.proxy_protocol;
    let header = proxy_protocol::write(version, connection.client, connection.local);
    let mut attempt = find_connection(&group, &config, &header, &sticky, record).await?;
    let result = exchange(forwarding, &config, &sticky, &mut attempt, client, timer, record).await;
    if let Err(failure) = result {
        if failure.blames_target() {
            let has_failed = record.target_status.is_none();
            let outcome = if has_failed { Outcome::ConnectFailure } else { Outcome::ServerError };
            attempt.outstanding.set_outcome(outcome);
        }
        return Err(failure);
    }
    let is_shared = header.is_empty();
    if is_shared && attempt.connection.next_exchange() {
        group.put_idle(attempt.connection, Instant::now());
    }
    Ok(())
}

/// Chooses a target and finds a connection to it. Other targets are tried after a failed connection.
async fn find_connection(
    group: &Rc<WorkerGroup>,
    config: &Arc<Group>,
    header: &[u8],
    sticky: &StickyRequest,
    record: &mut Record,
) -> Result<Attempt, Failure> {
    let mut kept = sticky.kept_target();
    for retries_left in (0..=config.attributes.connect_retries).rev() {
        let now = Instant::now();
        let address = match group.choose(kept.take(), fastrand::u64(..), now) {
            Chosen::Target { address, fail_open } => {
                if fail_open {
                    group.counters.add(Counter::FailOpenRequests, 1);
                }
                address
            }
            Chosen::Full => return Err(Failure::TargetConnectionLimit),
            Chosen::NoTarget => return Err(Failure::NoTarget),
        };
        let outstanding = Outstanding::new(Rc::clone(group), address);
        record.target = Some(address);
        if let Some(connection) = group.take_idle(address, now) {
            group.counters.add(Counter::ReusedTargetConnections, 1);
            return Ok(Attempt { connection, outstanding });
        }
        group.counters.add(Counter::TargetConnections, 1);
        match connect(config, address, header).await {
            Ok(stream) => {
                let connection = TargetConnection::new(stream, address);
                return Ok(Attempt { connection, outstanding });
            }
            Err(failure) => {
                outstanding.set_outcome(Outcome::ConnectFailure);
                count_connect_failure(group, failure);
                if retries_left == 0 {
                    return Err(failure);
                }
                record.retries += 1;
            }
        }
    }
    Err(Failure::ConnectFailed)
}

fn count_connect_failure(group: &WorkerGroup, failure: Failure) {
    let is_tls = failure == Failure::TargetTlsFailed;
    let counter = if is_tls { Counter::TargetTlsErrors } else { Counter::TargetConnectionErrors };
    group.counters.add(counter, 1);
}

/// Sends the request, and passes the response on.
async fn exchange<C: ClientSide>(
    forwarding: &Forwarding<'_>,
    config: &Arc<Group>,
    sticky: &StickyRequest,
    attempt: &mut Attempt,
    client: &mut C,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Failure> {
    let context = forwarding.context;
    let attributes = &context.listener.listener.config.attributes;
    let timeouts = RequestTimeouts::new(&attributes.timeouts, &config.attributes, record.created());
    let forwarded = write_request(forwarding, client, &mut attempt.connection, record)?;
    let address = attempt.connection.address;
    let mut exchange = Exchange::new(client, &mut attempt.connection);
    await_head(&mut exchange, &timeouts, forwarded, timer, config, record).await?;
    let head = exchange.target.engine.head();
    let status = head.status();
    let edits = sticky.edits(&forwarding.rule.response, address, head);
    let edits = edits.map_err(|_| Failure::Internal)?;
    exchange.write_response(edits.as_ref().unwrap_or(&forwarding.rule.response))?;
    let answered = record.set_answered(status);
    let is_error = status >= 500;
    attempt.outstanding.set_outcome(if is_error { Outcome::ServerError } else { Outcome::Success });
    if exchange.target.engine.framing().is_upgrade {
        record.is_tunnel = true;
        let target = &mut exchange.target.wire;
        let client = exchange.client.tunnel().ok_or(Failure::Internal)?;
        return tunnel::run(client, target, timer, attributes.timeouts.tunnel).await;
    }
    await_rest(&mut exchange, &timeouts, answered, timer).await
}

/// Writes the head of the request.
fn write_request<C: ClientSide>(
    forwarding: &Forwarding<'_>,
    client: &C,
    connection: &mut TargetConnection,
    record: &mut Record,
) -> Result<Instant, Failure> {
    let context = forwarding.context;
    let listener = &context.listener.listener;
    let attributes = &listener.config.attributes;
    if attributes.trace_id {
        record.trace_id = Some(trace_id(record.unix_time().as_secs()));
    }
    connection.begin();
    let request = RequestToForward {
        head: client.head(),
        framing: client.framing(),
        uri: client.uri(),
        default_host: &context.connection.default_host,
        source: &context.connection.source,
        forwarded: attributes.forwarded,
        trace_id: record.trace_id.as_ref(),
        edits: &forwarding.rule.request,
        drop_invalid_fields: attributes.drop_invalid_header_fields,
    };
    let written = connection.engine.write_request(&request, connection.wire.output.tail());
    written.map_err(|_| Failure::Internal)?;
    Ok(record.set_forwarded())
}

fn trace_id(seconds: u64) -> TraceId {
    let mut random = [0; 12];
    fastrand::fill(&mut random);
    // The form has 32 bits of time, as ALB's.
    TraceId { seconds: u32::try_from(seconds & 0xffff_ffff).unwrap_or_default(), random }
}

/// Waits for the head of the response. A request over a connection that had been idle is sent once more when
/// that connection is closed before any byte of a response.
async fn await_head<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    timeouts: &RequestTimeouts,
    mut forwarded: Instant,
    timer: &mut Timer,
    config: &Arc<Group>,
    record: &mut Record,
) -> Result<(), Failure> {
    loop {
        timer.set(timeouts.deadline(forwarded, true));
        let result = poll_fn(|cx| {
            let result = exchange.poll_head(cx);
            if result.is_ready() {
                return result;
            }
            if exchange.take_progress() {
                let awaits_response = exchange.has_request_ended();
                timer.set(timeouts.deadline(Instant::now(), awaits_response));
            }
            timer
                .poll_expired(cx)
                .map(|()| Err(timeouts.failure(Instant::now(), exchange.waits_for(false), false)))
        })
        .await;
        let Err(failure) = result else { break };
        let is_closed = matches!(failure, Failure::TargetClosed | Failure::TargetReset);
        let target = &exchange.target;
        if !is_closed || target.served == 0 || target.has_answered() {
            return Err(failure);
        }
        let is_idempotent = is_idempotent(exchange.client.head());
        let may_repeat = is_idempotent || config.attributes.replay_non_idempotent;
        if !may_repeat || !target.wire.output.keeps_sent() {
            return Err(Failure::TargetClosedReused);
        }
        record.retries += 1;
        // Connections that begin with a PROXY protocol header are never used again.
        let stream = connect(config, target.address, &[]).await?;
        forwarded = Instant::now();
        exchange.target.reconnect(stream);
        exchange.restart();
    }
    exchange.target.wire.output.forget_sent();
    Ok(())
}

/// RFC 9110, section 9.2.2.
fn is_idempotent(head: &Head) -> bool {
    matches!(head.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}

/// Waits until the response was sent.
async fn await_rest<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    timeouts: &RequestTimeouts,
    answered: Instant,
    timer: &mut Timer,
) -> Result<(), Failure> {
    timer.set(timeouts.deadline(answered, false));
    poll_fn(|cx| {
        let result = exchange.poll_rest(cx);
        if result.is_ready() {
            return result;
        }
        if exchange.take_progress() {
            timer.set(timeouts.deadline(Instant::now(), false));
        }
        let expired = timer.poll_expired(cx);
        if expired.is_ready() {
            let waits_for = exchange.waits_for(true);
            return Poll::Ready(Err(timeouts.failure(Instant::now(), waits_for, true)));
        }
        Poll::Pending
    })
    .await
}
