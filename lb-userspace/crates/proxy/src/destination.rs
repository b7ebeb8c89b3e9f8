//! Where a request goes, and its head for that target.

use std::{rc::Rc, sync::Arc};

use lb_http::{encode::RequestToForward, trace_id::TraceId};
use lb_rules::Forward;

use crate::{
    client_side::ClientSide, compiled::CompiledRule, failure::Failure, group::WorkerGroup,
    record::Record, request_context::RequestContext, snapshot::Group, stickiness::StickyRequest,
    target_side::TargetSide,
};

/// What a forward action needs.
pub(crate) struct Forwarding<'request> {
    pub(crate) context: &'request RequestContext<'request>,
    pub(crate) rule: &'request CompiledRule,
    pub(crate) action: &'request Forward,
    /// Places of its groups in the snapshot.
    pub(crate) groups: &'request [usize],
}

/// The group of a request, and what its choice was made from.
pub(crate) struct Destination<'request> {
    pub(crate) group: &'request Rc<WorkerGroup>,
    pub(crate) config: &'request Arc<Group>,
    /// A PROXY protocol header, or nothing.
    pub(crate) header: &'request [u8],
    pub(crate) sticky: &'request StickyRequest,
}

/// Writes the head of the request.
pub(crate) fn write_request<C: ClientSide>(
    forwarding: &Forwarding<'_>,
    client: &C,
    target: &mut TargetSide,
    record: &mut Record,
) -> Result<(), Failure> {
    let context = forwarding.context;
    let listener = &context.listener.listener;
    let attributes = &listener.config.attributes;
    if attributes.trace_id && record.trace_id.is_none() {
        record.trace_id = Some(trace_id(record.unix_time().as_secs()));
    }
    let request = RequestToForward {
        head: client.head(),
        framing: client.framing(),
        uri: client.uri(),
        default_host: &context.connection.default_host,
        source: &context.connection.source,
        forwarded: attributes.forwarded,
        trace_id: record.trace_id.as_ref(),
        certificate: context.connection.certificate.as_ref(),
        edits: &forwarding.rule.request,
        preserve_host: attributes.preserve_host_header,
        drop_invalid_fields: attributes.drop_invalid_header_fields,
    };
    target.write_request(&request)?;
    record.set_forwarded();
    Ok(())
}

fn trace_id(seconds: u64) -> TraceId {
    let mut random = [0; 12];
    fastrand::fill(&mut random);
    // The form has 32 bits of time, as ALB's.
    TraceId { seconds: u32::try_from(seconds & 0xffff_ffff).unwrap_or_default(), random }
}
