//! A request whose target has answered with a status of `retries.on`: another target is asked. The response is
//! passed on where there is no other target, or the request cannot be sent once more.

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
    repeat::is_idempotent,
    target_side::TargetSide,
};

/// Asks another target, if the status of the response is a reason for it; whether it is asked.
pub(crate) async fn repeat_elsewhere<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    forwarding: &Forwarding<'_>,
    to: &Destination<'_>,
    outstanding: &Outstanding,
    record: &mut Record,
) -> Result<bool, Failure> {
    let attributes = &to.config.attributes;
    let may_repeat = is_idempotent(exchange.client.head()) || attributes.replay_non_idempotent;
    let is_wanted = attributes.retry_statuses.contains(&exchange.target.head().status())
        && record.retries < attributes.status_retries
        && may_repeat
        && exchange.target.keeps_sent();
    // The budget first: who is chosen in vain has lost its turn.
    if !is_wanted || to.config.targets.len() < 2 || !to.group.may_retry() {
        return Ok(false);
    }
    let failed = outstanding.address();
    let Some(Ok(other)) = choose_once(to.group, None, Some(failed)) else { return Ok(false) };
    let address = other.address();
    if address == failed {
        return Ok(false);
    }
    if let Err(failure) = send_to(exchange, forwarding, to, &other, record).await? {
        count_failure(&other.counters(), failure);
        other.set_outcome(Outcome::ConnectFailure);
        return Ok(false);
    }
    // The response is counted where it came from, though no client sees it.
    let counters = outstanding.counters();
    counters.add(Counter::Requests, 1);
    counters.add(Counter::Target5xx, 1);
    outstanding.set_outcome(Outcome::ServerError);
    outstanding.swap(&other);
    drop(other);
    record.retries += 1;
    record.target = Some(address);
    record.target_counters = Some(outstanding.counters());
    record.set_forwarded();
    exchange.restart();
    Ok(true)
}

/// Sends the request to another target. Without a connection to it, the exchange is as it was.
async fn send_to<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    forwarding: &Forwarding<'_>,
    to: &Destination<'_>,
    other: &Outstanding,
    record: &mut Record,
) -> Result<Result<(), Failure>, Failure> {
    let address = other.address();
    match exchange.target {
        TargetSide::Http1(target) => {
            to.group.counters.add(Counter::TargetConnections, 1);
            match connect(to.config, address, to.header).await {
                Ok(stream) => target.begin_again(stream, address),
                Err(failure) => {
                    count_failure(&to.group.counters, failure);
                    return Ok(Err(failure));
                }
            }
        }
        TargetSide::Http2(target) => {
            match open_stream(to.group, to.config, address, to.header).await {
                Ok(slot) => target.restart(slot),
                Err(failure) => return Ok(Err(failure)),
            }
            write_request(forwarding, exchange.client, exchange.target, record)?;
            if let TargetSide::Http2(target) = exchange.target {
                target.replay(exchange.client.trailers())?;
            }
        }
    }
    Ok(Ok(()))
}
