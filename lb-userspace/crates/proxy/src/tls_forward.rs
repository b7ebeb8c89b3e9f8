//! A connection of a listener of TLS: what is inside goes to a target as it is, in both directions.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Instant, SystemTime},
};

use lb_http::proxy_protocol;
use lb_rules::choice::Outcome;

use crate::{
    access_log::TlsDetails,
    arrival::Arrival,
    compiled::CompiledAction,
    connection_log::ConnectionEvent,
    counters::{Counter, CounterSet},
    failure::Failure,
    find_target::{Attempt, Search, find_target},
    group::WorkerGroup,
    log_event::LogEvent,
    record::{ConnectionInfo, Record},
    stream::Stream,
    target_side::TargetSide,
    timer::Timer,
    tunnel::{self, TunnelEnd},
    wire::Wire,
    worker_state::{ListenerView, OpenConnection, View, Worker},
};

/// Forwards a connection until it ends. A failure resets it, since its end would look like that of the target.
pub(crate) async fn forward_connection(
    open: &OpenConnection,
    mut listener: ListenerView,
    connection: &ConnectionInfo,
    stream: Stream,
) {
    let view = open.worker.view();
    if let Some(current) = Worker::listener(&view, &listener.listener.name) {
        listener = current;
    }
    let mut record = Record::new();
    let mut client = Wire::new(stream);
    let result = match group_of(&view, &listener) {
        Some(group) => forward(open, &listener, connection, &mut client, group, &mut record).await,
        None => Err(Failure::NoTarget),
    };
    if let Err(failure) = result {
        client.stream().reset_on_close();
        record.failure = Some(failure);
        open.worker.counters.add_failure(failure.as_str());
    }
    log(open, &listener, connection, &client, &record);
}

/// The group of the listener; its rules have nothing but a default action.
fn group_of(view: &View, listener: &ListenerView) -> Option<Rc<WorkerGroup>> {
    let CompiledAction::Forward { forward, .. } = listener.listener.default_action() else {
        return None;
    };
    // By name: a listener that has left is one of an older snapshot.
    let name = &forward.target_groups.first()?.name;
    view.groups.iter().find(|group| *group.name == **name).cloned()
}

async fn forward(
    open: &OpenConnection,
    listener: &ListenerView,
    connection: &ConnectionInfo,
    client: &mut Wire,
    group: Rc<WorkerGroup>,
    record: &mut Record,
) -> Result<(), Failure> {
    record.group = Some(Rc::clone(&group));
    let config = group.config();
    group.begin_request();
    let idle = listener.listener.config.attributes.timeouts.idle;
    let mut timer = Timer::new(Instant::now() + idle);
    let version = config.attributes.proxy_protocol;
    let header = proxy_protocol::write(version, connection.client, connection.local);
    let mut search =
        Search { group: &group, config: &config, header: &header, kept: None, failed: None };
    // Bytes that wait say nothing of a client that has left.
    let mut stays = |_: &mut Context<'_>| Poll::Pending;
    let found = find_target(&mut search, &mut stays, &mut timer, record).await;
    if record.retries > 0 {
        group.counters.add(Counter::Retries, u64::from(record.retries));
    }
    let Attempt { target, outstanding } = found?;
    record.set_forwarded();
    let TargetSide::Http1(mut target) = target else { return Err(Failure::Internal) };
    outstanding.set_outcome(Outcome::Success);
    let sets = [
        Some(&open.worker.counters.total),
        Some(listener.counters.as_ref()),
        Some(group.counters.as_ref()),
        record.target_counters.as_deref(),
    ];
    let sets: Vec<&CounterSet> = sets.into_iter().flatten().collect();
    for set in &sets {
        set.add(Counter::TlsConnections, 1);
    }
    let moved = |received, sent| {
        for set in &sets {
            set.add(Counter::ReceivedBytes, received);
            set.add(Counter::SentBytes, sent);
        }
    };
    let end = tunnel::run(client, &mut target.wire, &mut timer, idle, &outstanding, moved).await;
    match end {
        Ok(TunnelEnd::Both) => Ok(()),
        Ok(TunnelEnd::ClientFailed) => {
            target.wire.stream().reset_on_close();
            Err(Failure::ClientClosed)
        }
        Ok(TunnelEnd::TargetFailed) => {
            outstanding.set_outcome(Outcome::ServerError);
            Err(Failure::TargetReset)
        }
        Err(failure) => {
            target.wire.stream().reset_on_close();
            if failure == Failure::TargetDeregistered {
                group.counters.add(Counter::DeregistrationCuts, 1);
            }
            Err(failure)
        }
    }
}

/// Logs a connection whose handshake failed.
pub(crate) fn log_failed_handshake(
    open: &OpenConnection,
    listener: &ListenerView,
    &Arrival { accepted, client, local, .. }: &Arrival,
    tls: Option<TlsDetails>,
) {
    write(&open.worker, listener, || ConnectionEvent {
        listener: Arc::clone(&listener.listener.name),
        accepted,
        ended: SystemTime::now(),
        client,
        local,
        handshake: None,
        tls,
        group: None,
        target: None,
        connect: None,
        received_bytes: 0,
        sent_bytes: 0,
        retries: 0,
        reason: Some("client_tls_failed"),
    });
}

fn log(
    open: &OpenConnection,
    listener: &ListenerView,
    connection: &ConnectionInfo,
    client: &Wire,
    record: &Record,
) {
    write(&open.worker, listener, || ConnectionEvent {
        listener: Arc::clone(&listener.listener.name),
        accepted: connection.accepted,
        ended: SystemTime::now(),
        client: connection.client,
        local: connection.local,
        handshake: connection.handshake,
        tls: connection.tls.clone(),
        group: record.group.as_ref().map(|group| Arc::clone(&group.name)),
        target: record.target,
        connect: record.time_to_forward(),
        received_bytes: client.received,
        sent_bytes: client.sent,
        retries: record.retries,
        reason: record.failure.map(Failure::as_str),
    });
}

fn write(worker: &Worker, listener: &ListenerView, event: impl FnOnce() -> ConnectionEvent) {
    if listener.listener.config.attributes.access_log && worker.shared.access_log.is_some() {
        worker.log(LogEvent::Connection(Box::new(event())));
    }
}
