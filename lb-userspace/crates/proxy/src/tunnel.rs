//! Bytes in both directions, of no protocol that is known here: WebSockets and other upgrades.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use crate::{failure::Failure, outstanding::Outstanding, timer::Timer, wire::Wire};

/// How far one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Open,
    /// The sender has ended; the rest is on its way.
    Ending,
    Ended,
}

/// How a tunnel has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TunnelEnd {
    /// Both sides have ended in order.
    Both,
    /// The client has reset its connection, or it failed.
    ClientFailed,
    /// The same of the target.
    TargetFailed,
}

/// The side of a direction whose connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    From,
    To,
}

/// Moves bytes until both sides have ended, or nothing has come for `idle`, or the target has left
/// for longer than its deregistration delay. `moved` gets the numbers of bytes that have come from the client and
/// from the target, again and again.
pub(crate) async fn run(
    client: &mut Wire,
    target: &mut Wire,
    timer: &mut Timer,
    idle: Duration,
    outstanding: &Outstanding,
    mut moved: impl FnMut(u64, u64),
) -> Result<TunnelEnd, Failure> {
    let (mut up, mut down) = (Direction::Open, Direction::Open);
    target.output.forget_sent();
    timer.set(Instant::now() + idle);
    poll_fn(|cx| {
        let before = (client.received, target.received);
        let up_failed = poll_direction(cx, client, target, &mut up);
        let down_failed = poll_direction(cx, target, client, &mut down);
        if (client.received, target.received) != before {
            moved(client.received - before.0, target.received - before.1);
            timer.set(Instant::now() + idle);
        }
        let end = match (up_failed, down_failed) {
            (Poll::Ready(Err(Failed::From)), _) | (_, Poll::Ready(Err(Failed::To))) => {
                Some(TunnelEnd::ClientFailed)
            }
            (Poll::Ready(Err(Failed::To)), _) | (_, Poll::Ready(Err(Failed::From))) => {
                Some(TunnelEnd::TargetFailed)
            }
            _ if (up, down) == (Direction::Ended, Direction::Ended) => Some(TunnelEnd::Both),
            _ => None,
        };
        if let Some(end) = end {
            return Poll::Ready(Ok(end));
        }
        if outstanding.poll_cut(cx).is_ready() {
            return Poll::Ready(Err(Failure::TargetDeregistered));
        }
        timer.poll_expired(cx).map(|()| Err(Failure::TunnelTimeout))
    })
    .await
}

/// Moves what there is in one direction; an error ends the tunnel.
fn poll_direction(
    cx: &mut Context<'_>,
    from: &mut Wire,
    to: &mut Wire,
    direction: &mut Direction,
) -> Poll<Result<(), Failed>> {
    let failed = |_| Failed::To;
    loop {
        while !from.input.is_empty() {
            let count = ready!(to.poll_send(cx, from.input.bytes())).map_err(failed)?;
            from.input.consume(count);
        }
        match direction {
            Direction::Open => match from.poll_fill(cx) {
                Poll::Ready(Ok(0)) => *direction = Direction::Ending,
                Poll::Ready(Ok(_)) => {}
                // TLS that ends without its alert: many peers do so, and other proxies take it for the end.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    *direction = Direction::Ending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failed::From)),
                Poll::Pending => {
                    ready!(to.poll_flush(cx)).map_err(failed)?;
                    return Poll::Pending;
                }
            },
            Direction::Ending => {
                ready!(to.poll_flush(cx)).map_err(failed)?;
                ready!(to.poll_shutdown(cx)).map_err(failed)?;
                *direction = Direction::Ended;
            }
            Direction::Ended => return Poll::Ready(Ok(())),
        }
    }
}
