//! A request that goes to a target: group and target are chosen, a connection is found or made, and request and
//! response are passed on.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use lb_http::proxy_protocol;
use lb_rules::choice::Outcome;

use crate::{
    attributes::TargetProtocol,
    client_side::ClientSide,
    counters::Counter,
    destination::{Destination, Forwarding, write_request},
    exchange::Exchange,
    failure::Failure,
    find_target::{Attempt, Search, find_target},
    grpc,
    outstanding::Outstanding,
    record::Record,
    repeat::repeat,
    repeat_elsewhere::repeat_elsewhere,
    request_timeouts::RequestTimeouts,
    stickiness::StickyRequest,
    target_side::TargetSide,
    timer::Timer,
    tunnel::{self, TunnelEnd},
};

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
    if config.attributes.protocol == TargetProtocol::Grpc && !grpc::is_call(client) {
        return Err(Failure::IncompatibleProtocol);
    }
    group.begin_request();
    let connection = context.connection;
    let version = config.attributes.proxy_protocol;
    let header = proxy_protocol::write(version, connection.client, connection.local);
    let kept = sticky.kept_target();
    let mut search = Search { group: &group, config: &config, header: &header, kept, failed: None };
    let mut attempt =
        find_target(&mut search, &mut |cx: &mut Context<'_>| client.poll_gone(cx), timer, record)
            .await?;
    let to = Destination { group: &group, config: &config, header: &header, sticky: &sticky };
    let result = exchange(forwarding, &to, &mut attempt, client, timer, record).await;
    if let Err(failure) = result {
        if failure == Failure::TargetDeregistered {
            group.counters.add(Counter::DeregistrationCuts, 1);
        }
        if failure == Failure::ResponseTimeout {
            attempt.target.suspect();
        }
        if failure.blames_target() {
            let has_failed = record.target_status.is_none();
            let outcome = if has_failed { Outcome::ConnectFailure } else { Outcome::ServerError };
            attempt.outstanding.set_outcome(outcome);
        }
        return Err(failure);
    }
    if let TargetSide::Http1(mut connection) = attempt.target
        && header.is_empty()
        && connection.next_exchange()
    {
        group.put_idle(connection, Instant::now());
    }
    Ok(())
}

/// Sends the request, and passes the response on.
async fn exchange<C: ClientSide>(
    forwarding: &Forwarding<'_>,
    to: &Destination<'_>,
    attempt: &mut Attempt,
    client: &mut C,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Failure> {
    let context = forwarding.context;
    let attributes = &context.listener.listener.config.attributes;
    let limits = &to.config.attributes;
    let deadline = grpc::deadline(client, record.created());
    let timeouts =
        RequestTimeouts::new(&attributes.timeouts, limits, record.created()).until(deadline);
    write_request(forwarding, client, &mut attempt.target, record)?;
    let outstanding = &attempt.outstanding;
    let mut exchange = Exchange::new(client, &mut attempt.target);
    await_head(&mut exchange, &timeouts, forwarding, to, outstanding, timer, record).await?;
    let head = exchange.target.head();
    let status = head.status();
    // Another target may have been asked than the first one.
    let address = outstanding.address();
    let edits = to.sticky.edits(&forwarding.rule.response, address, head);
    let edits = edits.map_err(|_| Failure::Internal)?;
    exchange.write_response(edits.as_ref().unwrap_or(&forwarding.rule.response))?;
    let answered = record.set_answered(status);
    let is_error = status >= 500;
    outstanding.set_outcome(if is_error { Outcome::ServerError } else { Outcome::Success });
    if exchange.target.framing().is_upgrade {
        record.is_tunnel = true;
        let (client, target) = (exchange.client.tunnel(), exchange.target.tunnel());
        let idle = attributes.timeouts.tunnel;
        return match tunnel::run(client, target, timer, idle, outstanding, |_, _| {}).await? {
            TunnelEnd::Both => Ok(()),
            TunnelEnd::ClientFailed => {
                target.reset();
                Err(Failure::ClientClosed)
            }
            TunnelEnd::TargetFailed => {
                client.reset();
                Err(Failure::TargetReset)
            }
        };
    }
    await_rest(&mut exchange, &timeouts, answered, outstanding, timer).await
}

/// Waits for the head of the response. A request whose connection is closed before any byte of a response may be
/// sent once more, and another target may be asked after some statuses.
async fn await_head<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    timeouts: &RequestTimeouts,
    forwarding: &Forwarding<'_>,
    to: &Destination<'_>,
    outstanding: &Outstanding,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Failure> {
    loop {
        timer.set(timeouts.deadline(Instant::now(), true));
        let result = poll_fn(|cx| {
            let result = exchange.poll_head(cx);
            if result.is_ready() {
                return result;
            }
            if outstanding.poll_cut(cx).is_ready() {
                return Poll::Ready(Err(Failure::TargetDeregistered));
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
        let Err(failure) = result else {
            if repeat_elsewhere(exchange, forwarding, to, outstanding, record).await? {
                continue;
            }
            break;
        };
        repeat(exchange, failure, forwarding, to, outstanding, record).await?;
    }
    exchange.target.forget_sent();
    Ok(())
}

/// Waits until the response was sent.
async fn await_rest<C: ClientSide>(
    exchange: &mut Exchange<'_, C>,
    timeouts: &RequestTimeouts,
    answered: Instant,
    outstanding: &Outstanding,
    timer: &mut Timer,
) -> Result<(), Failure> {
    timer.set(timeouts.deadline(answered, false));
    poll_fn(|cx| {
        let result = exchange.poll_rest(cx);
        if result.is_ready() {
            return result;
        }
        if outstanding.poll_cut(cx).is_ready() {
            return Poll::Ready(Err(Failure::TargetDeregistered));
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
