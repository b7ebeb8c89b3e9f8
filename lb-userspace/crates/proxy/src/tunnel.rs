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

/// Moves bytes until both sides have ended, or nothing has come for `idle`, or the target has left
/// for longer than its deregistration delay.
pub(crate) async fn run(
    client: &mut Wire,
    target: &mut Wire,
    timer: &mut Timer,
    idle: Duration,
    outstanding: &Outstanding,
) -> Result<(), Failure> {
    let (mut up, mut down) = (Direction::Open, Direction::Open);
    target.output.forget_sent();
    timer.set(Instant::now() + idle);
    poll_fn(|cx| {
        let moved_before = client.received + target.received;
        if let Poll::Ready(Err(_)) = poll_direction(cx, client, target, &mut up) {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(Err(_)) = poll_direction(cx, target, client, &mut down) {
            return Poll::Ready(Ok(()));
        }
        if up == Direction::Ended && down == Direction::Ended {
            return Poll::Ready(Ok(()));
        }
        if client.received + target.received != moved_before {
            timer.set(Instant::now() + idle);
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
) -> Poll<io::Result<()>> {
    loop {
        while !from.input.is_empty() {
            let count = ready!(to.poll_send(cx, from.input.bytes()))?;
            from.input.consume(count);
        }
        match direction {
            Direction::Open => match from.poll_fill(cx) {
                Poll::Ready(Ok(0)) => *direction = Direction::Ending,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(to.poll_flush(cx))?;
                    return Poll::Pending;
                }
            },
            Direction::Ending => {
                ready!(to.poll_flush(cx))?;
                ready!(to.poll_shutdown(cx))?;
                *direction = Direction::Ended;
            }
            Direction::Ended => return Poll::Ready(Ok(())),
        }
    }
}
