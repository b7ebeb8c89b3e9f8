//! Bytes in both directions, of no protocol that is known here: WebSockets and other upgrades.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use crate::{
    failure::Failure,
    outstanding::Outstanding,
    timer::Timer,
    tunnel_side::{GivenUp, TunnelSide},
};

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
    client: &mut dyn TunnelSide,
    target: &mut dyn TunnelSide,
    timer: &mut Timer,
    idle: Duration,
    outstanding: &Outstanding,
    mut moved: impl FnMut(u64, u64),
) -> Result<TunnelEnd, Failure> {
    let (mut up, mut down) = (Direction::Open, Direction::Open);
    timer.set(Instant::now() + idle);
    poll_fn(|cx| {
        let (mut received, mut sent) = (0, 0);
        let mut up_failed = poll_direction(cx, client, target, &mut up, &mut received);
        let down_failed = poll_direction(cx, target, client, &mut down, &mut sent);
        // What has arrived of the target goes to the client before a reset is looked at.
        let may_have_left = match up_failed {
            Poll::Pending => down == Direction::Ended,
            Poll::Ready(end) => end == Err(Failed::To),
        };
        if may_have_left {
            up_failed = match target.poll_given_up(cx) {
                Poll::Ready(GivenUp::InOrder) => {
                    up = Direction::Ended;
                    Poll::Ready(Ok(()))
                }
                Poll::Ready(GivenUp::Failed) => Poll::Ready(Err(Failed::To)),
                Poll::Pending => up_failed,
            };
        }
        if (received, sent) != (0, 0) {
            moved(received, sent);
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
            _ => client.poll_given_up(cx).is_ready().then_some(TunnelEnd::ClientFailed),
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

/// Moves what there is in one direction; an error ends the tunnel. `arrived` counts bytes.
fn poll_direction(
    cx: &mut Context<'_>,
    from: &mut dyn TunnelSide,
    to: &mut dyn TunnelSide,
    direction: &mut Direction,
    arrived: &mut u64,
) -> Poll<Result<(), Failed>> {
    let failed = |_| Failed::To;
    loop {
        while !from.arrived().is_empty() {
            let count = ready!(to.poll_pass(cx, from.arrived())).map_err(failed)?;
            from.consume_arrived(count);
        }
        match direction {
            Direction::Open => match from.poll_arrive(cx) {
                Poll::Ready(Ok(0)) => *direction = Direction::Ending,
                Poll::Ready(Ok(count)) => *arrived += count as u64,
                // TLS that ends without its alert: many peers do so, and other proxies take it for the end.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    *direction = Direction::Ending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failed::From)),
                Poll::Pending => {
                    ready!(to.poll_pass_all(cx)).map_err(failed)?;
                    return Poll::Pending;
                }
            },
            Direction::Ending => {
                ready!(to.poll_pass_all(cx)).map_err(failed)?;
                ready!(to.poll_end(cx)).map_err(failed)?;
                *direction = Direction::Ended;
            }
            Direction::Ended => return Poll::Ready(Ok(())),
        }
    }
}
