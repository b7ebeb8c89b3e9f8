//! The life of one request, whatever version of HTTP the client speaks: the rule, its action, a response, and
//! what is counted and logged.

use std::{future::poll_fn, time::Instant};

use lb_http::{
    encode::LocalResponse,
    field_name::FieldName,
    head::{Head, list_elements},
};
use lb_rules::{FixedResponse, Header, Redirect, RequestHead, location};

use crate::{
    access_log::ActionKind,
    client_side::ClientSide,
    compiled::{CompiledAction, CompiledRule},
    destination::Forwarding,
    failure::Failure,
    forward::forward,
    grpc,
    record::Record,
    request_context::RequestContext,
    timer::Timer,
};

/// Addresses in `X-Forwarded-For`, as ALB.
const FORWARDED_ADDRESSES_MAX: usize = 30;

/// What becomes of the client's connection or stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestEnd {
    /// The response was sent.
    Complete,
    /// The response was cut, or the client has left: reset it.
    Cut,
}

/// Serves a request whose head has arrived.
pub(crate) async fn serve<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    timer: &mut Timer,
) -> RequestEnd {
    let mut record = Record::new();
    let result = act(context, client, timer, &mut record).await;
    conclude(context, client, timer, record, result.err()).await
}

/// Answers a request that was refused, or whose head did not come.
pub(crate) async fn refuse<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    timer: &mut Timer,
    failure: Failure,
) -> RequestEnd {
    conclude(context, client, timer, Record::new(), Some(failure)).await
}

/// Sends the response of the proxy itself, if one is due; counts and logs.
async fn conclude<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    timer: &mut Timer,
    mut record: Record,
    failure: Option<Failure>,
) -> RequestEnd {
    let mut end = RequestEnd::Complete;
    if let Some(failure) = failure {
        record.failure = Some(failure);
        let has_begun = record.status != 0;
        if !has_begun {
            record.status = failure.status();
        }
        let is_answered = !has_begun
            && !failure.is_client_gone()
            && respond_failure(context, client, failure).is_ok();
        if !is_answered {
            end = RequestEnd::Cut;
        }
    }
    if end == RequestEnd::Complete
        && let Err(failure) = flush(context, client, timer).await
    {
        record.failure.get_or_insert(failure);
        end = RequestEnd::Cut;
    }
    record.finish(context.worker, &context.listener, context.connection, client);
    end
}

/// Finds the rule and does what it says.
async fn act<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Failure> {
    if forwarded_addresses(client.head()) > FORWARDED_ADDRESSES_MAX {
        return Err(Failure::TooManyForwardedAddresses);
    }
    let listener = &context.listener.listener;
    if is_misdirected(context, client) {
        return Err(Failure::MisdirectedRequest);
    }
    let rule = {
        let headers = headers(client.head(), listener.needs_headers);
        let head = request_head(client, &headers, context);
        let (found, rules_tried) = listener.config.rules.find_and_count(&head);
        record.rules_tried = rules_tried;
        listener.rule(found)
    };
    record.set_rule(rule);
    match &rule.action {
        CompiledAction::Forward { forward: action, groups } => {
            record.action = Some(ActionKind::Forward);
            rewrite(context, client, rule)?;
            let forwarding = Forwarding { context, rule, action, groups };
            forward(&forwarding, client, timer, record).await
        }
        CompiledAction::Redirect(redirect) => {
            record.action = Some(ActionKind::Redirect);
            respond_redirect(context, client, redirect, record)
        }
        CompiledAction::Fixed(fixed) => {
            record.action = Some(ActionKind::FixedResponse);
            client.check_own_response(fixed.status)?;
            record.status = fixed.status;
            respond_fixed(context, client, fixed)
        }
    }
}

/// Whether a client of HTTP/2 has sent a request over the connection of another host, which has another certificate
/// (RFC 9113, section 9.1.1).
fn is_misdirected<C: ClientSide>(context: &RequestContext<'_>, client: &C) -> bool {
    let certificates = context.listener.listener.config.certificates.as_deref();
    let tls = context.connection.tls.as_ref();
    let asked_for = tls.and_then(|tls| tls.server_name.as_deref());
    let (Some(certificates), Some(asked_for), "HTTP/2.0", Some(host)) =
        (certificates, asked_for, client.version(), client.uri().host())
    else {
        return false;
    };
    !certificates.serves(asked_for, host.name())
}

/// What rules see of a request.
fn request_head<'request, C: ClientSide>(
    client: &'request C,
    headers: &'request [Header<'request>],
    context: &RequestContext<'_>,
) -> RequestHead<'request> {
    let uri = client.uri();
    RequestHead {
        // A method is a token, and so ASCII.
        method: str::from_utf8(client.head().method()).unwrap_or_default(),
        host: uri.host().map_or("", |host| host.name()),
        path: uri.path(),
        query: uri.query(),
        headers,
        peer: context.connection.client.ip().to_canonical(),
    }
}

/// The fields for rules; none where no rule asks for them.
fn headers(head: &Head, is_needed: bool) -> Vec<Header<'_>> {
    if !is_needed {
        return Vec::new();
    }
    head.fields()
        .map(|field| Header {
            name: str::from_utf8(field.name).unwrap_or_default(),
            value: field.value,
        })
        .collect()
}

/// Number of addresses that the client says it comes from.
fn forwarded_addresses(head: &Head) -> usize {
    head.values(FieldName::XForwardedFor).flat_map(list_elements).count()
}

/// Applies the transforms of a rule.
fn rewrite<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    rule: &CompiledRule,
) -> Result<(), Failure> {
    let Some(rewriter) = &rule.rewriter else { return Ok(()) };
    let head = request_head(client, &[], context);
    let rewritten = rewriter.apply(&head).map_err(|error| {
        tracing::debug!(rule = %rule.name, %error, "a request was not rewritten");
        Failure::RewriteFailed
    })?;
    let (url, host) = (rewritten.url.into_owned(), rewritten.host);
    let policy = context.listener.listener.config.attributes.http.uri_policy;
    let uri = client.uri_mut();
    if url != "*" {
        uri.set_path_and_query(&url, policy).map_err(|_| Failure::RewriteFailed)?;
    }
    if let Some(host) = host {
        uri.set_host(&host).map_err(|_| Failure::RewriteFailed)?;
    }
    Ok(())
}

fn respond_redirect<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    redirect: &Redirect,
    record: &mut Record,
) -> Result<(), Failure> {
    let url = {
        let head = request_head(client, &[], context);
        location(redirect, &head, context.listener.listener.end).map_err(|error| {
            tracing::debug!(%error, "a redirect was not sent");
            Failure::RedirectFailed
        })?
    };
    respond(context, client, redirect.status, &[("Location", &url)], b"")?;
    record.status = redirect.status;
    record.redirect_url = Some(url);
    Ok(())
}

fn respond_fixed<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    fixed: &FixedResponse,
) -> Result<(), Failure> {
    let content_type = fixed.content_type.as_deref().map(|value| ("Content-Type", value));
    let fields: Vec<(&str, &str)> = content_type.into_iter().collect();
    respond(context, client, fixed.status, &fields, fixed.body.as_bytes())
}

/// Writes the response to a request that failed.
fn respond_failure<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    failure: Failure,
) -> Result<(), Failure> {
    if !grpc::is_client(client) {
        return respond(context, client, failure.status(), &[], b"");
    }
    let fields = [
        ("Content-Type", "application/grpc"),
        ("grpc-status", failure.grpc_status()),
        ("grpc-message", failure.as_str()),
    ];
    respond(context, client, 200, &fields, b"")
}

/// Writes a whole response of the proxy itself.
fn respond<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    status: u16,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<(), Failure> {
    let date = context.worker.date();
    let mut all = vec![("Server", "xelb"), ("Date", date.as_ref())];
    all.extend_from_slice(fields);
    let response = LocalResponse { status, fields: &all, body };
    client.write_local(&response).map_err(|_| Failure::Internal)
}

/// Sends what waits, for the idle timeout at most.
async fn flush<C: ClientSide>(
    context: &RequestContext<'_>,
    client: &mut C,
    timer: &mut Timer,
) -> Result<(), Failure> {
    timer.set(Instant::now() + context.listener.listener.config.attributes.timeouts.idle);
    poll_fn(|cx| {
        let result = client.poll_flush(cx);
        if result.is_ready() {
            return result;
        }
        timer.poll_expired(cx).map(|()| Err(Failure::ClientWriteTimeout))
    })
    .await
}
