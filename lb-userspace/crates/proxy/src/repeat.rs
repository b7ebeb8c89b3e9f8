//! A request that is sent once more: its connection had been used before and was closed before any byte of a
//! response, or the target of HTTP/2 says that it has not begun with it. It goes to the same target, or to another
//! one if that cannot be connected to.

use lb_http::head::Head;
use lb_rules::choice::Outcome;

use crate::{
    client_side::ClientSide,
    connect::connect,
    counters::Counter,
    destination::{Destination, Forwarding, write_request},
    exchange::Exchange,
    failure::Failure,
    find_target::{choose_once, count_failure, open_stream},
    outstanding::Outstanding,
    record::Record,
    stream::Stream,
    target_side::TargetSide,
};

/// Sends the request once more, or gives back why it fails.
pub(crate) async fn repeat<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    failure: Failure,
    forwarding: &Forwarding<'_>,
    to: &Destination<'_>,
    outstanding: &Outstanding,
    record: &mut Record,
) -> Result<(), Failure> {
    // Nothing else says that another connection would do better; a client that has left wants no response.
    if !matches!(failure, Failure::TargetClosed | Failure::TargetReset) {
        return Err(failure);
    }
    let attributes = &to.config.attributes;
    let may_repeat = is_idempotent(exchange.client.head()) || attributes.replay_non_idempotent;
    match exchange.target {
        TargetSide::Http1(target) => {
            if target.served == 0 || target.has_answered() {
                return Err(failure);
            }
            let is_allowed =
                may_repeat && attributes.retry_reused && target.wire.output.keeps_sent();
            if !is_allowed || !to.group.may_retry() {
                return Err(Failure::TargetClosedReused);
            }
            record.retries += 1;
            // Connections that begin with a PROXY protocol header are never used again.
            let stream = match connect(to.config, target.address, &[]).await {
                Ok(stream) => stream,
                // It has died: nothing of a response has come, so that another target may have the request.
                Err(failure) => {
                    count_failure(&to.group.counters, failure);
                    connect_to_other(failure, to, outstanding, record).await?
                }
            };
            target.address = outstanding.address();
            record.set_forwarded();
            target.reconnect(stream);
        }
        TargetSide::Http2(target) => {
            let may_repeat = may_repeat && attributes.retry_reused;
            // A target that keeps refusing is not asked for ever.
            let is_first = record.retries <= attributes.connect_retries.max(1);
            let is_allowed = is_first
                && target.may_restart(may_repeat)
                && (target.is_unprocessed() || to.group.may_retry());
            if !is_allowed {
                return Err(failure);
            }
            record.retries += 1;
            let address = target.slot.connection.address;
            target.restart(open_stream(to.group, to.config, address, to.header).await?);
            write_request(forwarding, exchange.client, exchange.target, record)?;
            if let TargetSide::Http2(target) = exchange.target {
                target.replay(exchange.client.trailers())?;
            }
        }
    }
    exchange.restart();
    Ok(())
}

/// Connects to another target than the one that could not be connected to again, as far as `connect_retries` allows.
async fn connect_to_other(
    mut failure: Failure,
    to: &Destination<'_>,
    outstanding: &Outstanding,
    record: &mut Record,
) -> Result<Stream, Failure> {
    for _ in 0..to.config.attributes.connect_retries {
        outstanding.set_outcome(Outcome::ConnectFailure);
        count_failure(&outstanding.counters(), failure);
        if !to.group.may_retry() {
            break;
        }
        let failed = Some(outstanding.address());
        let Some(Ok(other)) = choose_once(to.group, None, failed) else { break };
        record.retries += 1;
        outstanding.swap(&other);
        drop(other);
        record.target = Some(outstanding.address());
        record.target_counters = Some(outstanding.counters());
        to.group.counters.add(Counter::TargetConnections, 1);
        match connect(to.config, outstanding.address(), &[]).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                count_failure(&to.group.counters, error);
                failure = error;
            }
        }
    }
    Err(failure)
}

/// RFC 9110, section 9.2.2.
pub(crate) fn is_idempotent(head: &Head) -> bool {
    matches!(head.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}
