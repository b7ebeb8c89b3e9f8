//! The target of a request, and a connection to it: chosen, waited for where all are at their limit, and taken
//! from the pool or opened. Other targets are tried after a failed connection.

use std::{
    future::{Future as _, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use lb_rules::choice::Outcome;

use crate::{
    attributes::TargetProtocol,
    connect::{connect, connect_http2},
    counters::{Counter, CounterSet},
    failure::Failure,
    group::{Chosen, WorkerGroup},
    http2_connection::StreamSlot,
    http2_pool::NextStream,
    http2_target::Http2Target,
    outstanding::Outstanding,
    record::Record,
    snapshot::Group,
    target_connection::TargetConnection,
    target_side::TargetSide,
    timer::Timer,
};

/// A target that has the request.
pub(crate) struct Attempt {
    pub(crate) target: TargetSide,
    pub(crate) outstanding: Outstanding,
}

/// Where to look for a target.
pub(crate) struct Search<'request> {
    pub(crate) group: &'request Rc<WorkerGroup>,
    pub(crate) config: &'request Arc<Group>,
    /// A PROXY protocol header, or nothing.
    pub(crate) header: &'request [u8],
    /// The target of the client's session.
    pub(crate) kept: Option<SocketAddr>,
    /// The target that failed last: another one is asked, if there is any.
    pub(crate) failed: Option<SocketAddr>,
}

/// How often another target than the one that failed is asked for.
const CHOICES_MAX: usize = 4;

/// Finds a target and a connection to it. `poll_gone` says whether the client leaves while it waits.
pub(crate) async fn find_target(
    search: &mut Search<'_>,
    poll_gone: &mut impl FnMut(&mut Context<'_>) -> Poll<()>,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<Attempt, Failure> {
    let (group, config) = (search.group, search.config);
    let mut failure = Failure::ConnectFailed;
    for attempt in 0..=config.attributes.connect_retries {
        if attempt > 0 {
            if !group.may_retry() {
                break;
            }
            record.retries += 1;
        }
        let outstanding = choose(search, poll_gone, timer).await?;
        let address = outstanding.address();
        record.target = Some(address);
        record.target_counters = Some(outstanding.counters());
        match open(group, config, address, search.header).await {
            Ok(target) => return Ok(Attempt { target, outstanding }),
            Err(error) => {
                outstanding.set_outcome(Outcome::ConnectFailure);
                count_failure(&outstanding.counters(), error);
                failure = error;
                search.failed = Some(address);
            }
        }
    }
    Err(failure)
}

/// Chooses a target, another one than `failed` if there is any; `None`: all are at their limit.
pub(crate) fn choose_once(
    group: &Rc<WorkerGroup>,
    kept: Option<SocketAddr>,
    failed: Option<SocketAddr>,
) -> Option<Result<Outstanding, Failure>> {
    let mut chosen = None;
    let choices = if failed.is_some() { CHOICES_MAX } else { 1 };
    for _ in 0..choices {
        match group.choose(kept, fastrand::u64(..), Instant::now()) {
            Chosen::Target { started, fail_open } => {
                let is_other = Some(started.address) != failed;
                let outstanding = Outstanding::new(Rc::clone(group), started);
                chosen = Some((outstanding, fail_open));
                if is_other {
                    break;
                }
            }
            Chosen::Full => break,
            Chosen::NoTarget => return Some(Err(Failure::NoTarget)),
        }
    }
    let (outstanding, fail_open) = chosen?;
    if fail_open {
        group.counters.add(Counter::FailOpenRequests, 1);
    }
    Some(Ok(outstanding))
}

/// Chooses a target. While all are at their limit the request waits.
async fn choose(
    search: &mut Search<'_>,
    poll_gone: &mut impl FnMut(&mut Context<'_>) -> Poll<()>,
    timer: &mut Timer,
) -> Result<Outstanding, Failure> {
    let group = search.group;
    let mut try_once = || choose_once(group, search.kept.take(), search.failed);
    if let Some(result) = try_once() {
        return result;
    }
    let attributes = &search.config.attributes;
    let queue = group.queue();
    let waiting = queue.enter(attributes.queue_max).ok_or(Failure::TargetConnectionLimit)?;
    group.counters.add(Counter::QueuedRequests, 1);
    timer.set(Instant::now() + attributes.queue_timeout);
    loop {
        let mut freed = pin!(waiting.freed());
        freed.as_mut().enable();
        if let Some(result) = try_once() {
            return result;
        }
        poll_fn(|cx| {
            if poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientClosed));
            }
            if freed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            timer.poll_expired(cx).map(|()| Err(Failure::TargetConnectionLimit))
        })
        .await?;
    }
}

/// Takes an idle connection to a target, or opens one.
async fn open(
    group: &Rc<WorkerGroup>,
    config: &Arc<Group>,
    address: SocketAddr,
    header: &[u8],
) -> Result<TargetSide, Failure> {
    let protocol = config.attributes.protocol;
    if matches!(protocol, TargetProtocol::Http2 | TargetProtocol::Grpc) {
        let slot = open_stream(group, config, address, header).await?;
        return Ok(TargetSide::Http2(Box::new(Http2Target::new(slot))));
    }
    if protocol == TargetProtocol::Http1
        && let Some(connection) = group.take_idle(address, Instant::now())
    {
        group.counters.add(Counter::ReusedTargetConnections, 1);
        return Ok(TargetSide::Http1(connection));
    }
    group.counters.add(Counter::TargetConnections, 1);
    let connected = connect(config, address, header).await;
    let stream = connected.inspect_err(|failure| count_failure(&group.counters, *failure))?;
    Ok(TargetSide::Http1(TargetConnection::new(stream, address)))
}

/// Takes a stream of a connection of HTTP/2, or opens a connection. One with a PROXY protocol header is of one
/// client alone.
pub(crate) async fn open_stream(
    group: &Rc<WorkerGroup>,
    config: &Arc<Group>,
    address: SocketAddr,
    header: &[u8],
) -> Result<StreamSlot, Failure> {
    loop {
        let next = if header.is_empty() { group.next_stream(address) } else { None };
        let guard = match next {
            Some(NextStream::Ready(slot)) => {
                group.counters.add(Counter::ReusedTargetConnections, 1);
                return Ok(slot);
            }
            Some(NextStream::Wait(opening)) => {
                opening.wait().await?;
                continue;
            }
            Some(NextStream::Open(guard)) => Some(guard),
            // The target has left since it was chosen, or has to know the client.
            None => None,
        };
        group.counters.add(Counter::TargetConnections, 1);
        return match connect_http2(config, address, header).await {
            Ok(connection) => {
                let slot = StreamSlot::take(Rc::clone(&connection));
                if guard.is_some() {
                    group.add_http2(connection);
                }
                Ok(slot)
            }
            Err(failure) => {
                count_failure(&group.counters, failure);
                if let Some(guard) = guard {
                    guard.failed(failure);
                }
                Err(failure)
            }
        };
    }
}

pub(crate) fn count_failure(counters: &CounterSet, failure: Failure) {
    let is_tls = failure == Failure::TargetTlsFailed;
    let counter = if is_tls { Counter::TargetTlsErrors } else { Counter::TargetConnectionErrors };
    counters.add(counter, 1);
}
