//! From the listeners of a configuration to those of the proxy.

use std::{net::SocketAddr, sync::Arc};

use ipnet::IpNet;
use lb_config::{
    ClientAuth, DesyncMitigation, HttpAttributes, HttpListener, TlsListener, XffProcessing,
};
use lb_http::{
    connection::ServerOptions,
    desync,
    forwarded::{ForwardedPolicy, Processing},
};
use lb_proxy::{
    CertificateHeaders, ClientTimeouts, Listener, ListenerAttributes, ListenerProtocol,
};
use lb_rules::{Action, Index, ListenerEnd, RuleSet, sticky::SameSite};

use crate::{certificates, tickets::Tickets, unservable::Unservable};

/// What the proxy makes of a listener; an error for each setting that it cannot serve. `is_logged` says whether
/// its requests are logged anywhere.
pub(crate) fn prepare(
    listener: &HttpListener,
    is_logged: bool,
    tickets: &Tickets,
) -> Result<Listener, Vec<Unservable>> {
    let mut reasons = Vec::new();
    let address = address(listener.address, listener.port).map_err(|reason| reasons.push(reason));
    let rules = rules(listener).map_err(|reason| reasons.push(reason));
    let http2 = listener.attributes.http2;
    let alpn = if http2 { ["h2", "http/1.1"].as_slice() } else { &["http/1.1"] };
    let of_listener = |tls| certificates::of_listener(&listener.name, tls, alpn, tickets);
    let tls = listener.tls.as_ref().map(of_listener).transpose();
    let tls = tls.map_err(|error| reasons.push(error.to_string()));
    let (Ok(address), Ok(rules), Ok(tls), []) = (address, rules, tls, reasons.as_slice()) else {
        let named = |reason| Unservable::Listener { name: listener.name.clone(), reason };
        return Err(reasons.into_iter().map(named).collect());
    };
    let (tls, certificates) = tls.unzip();
    let client_auth = listener.tls.as_ref().map(|tls| &tls.client_auth);
    Ok(Listener {
        name: listener.name.clone(),
        address,
        rules: Arc::new(rules),
        tls,
        certificates,
        attributes: ListenerAttributes {
            certificate_headers: match client_auth {
                None | Some(ClientAuth::Off) => CertificateHeaders::None,
                Some(ClientAuth::Verify { .. }) => CertificateHeaders::Verified,
                Some(ClientAuth::Passthrough) => CertificateHeaders::Passthrough,
            },
            ..attributes(&listener.attributes, is_logged)
        },
        same_site: SameSite::default(),
    })
}

/// The same of a listener of TLS.
pub(crate) fn prepare_tls(
    listener: &TlsListener,
    is_logged: bool,
    tickets: &Tickets,
) -> Result<Listener, Vec<Unservable>> {
    let mut reasons = Vec::new();
    let address = address(listener.address, listener.port).map_err(|reason| reasons.push(reason));
    let tls = &listener.tls;
    let config = certificates::of_listener(&listener.name, tls, &tls.alpn, tickets);
    let config = config.map_err(|error| reasons.push(error.to_string()));
    let end = ListenerEnd { protocol: lb_rules::Protocol::Https, port: listener.port };
    let rules = RuleSet::new(Vec::new(), Action::forward(&listener.target_group), end);
    let rules = rules.ok().and_then(|rules| Index::new(rules).ok());
    let (Ok(address), Ok((config, _)), Some(rules)) = (address, config, rules) else {
        let named = |reason| Unservable::Listener { name: listener.name.clone(), reason };
        return Err(reasons.into_iter().map(named).collect());
    };
    let timeouts = ClientTimeouts { idle: listener.idle_timeout, ..ClientTimeouts::default() };
    Ok(Listener {
        name: listener.name.clone(),
        address,
        rules: Arc::new(rules),
        tls: Some(config),
        certificates: None,
        attributes: ListenerAttributes {
            protocol: ListenerProtocol::Tcp,
            http2: false,
            access_log: is_logged,
            connection_log: listener.connection_log.is_some(),
            proxy_protocol_sources: listener.trusted_proxies.clone(),
            timeouts,
            ..ListenerAttributes::default()
        },
        same_site: SameSite::default(),
    })
}

fn address(address: IpNet, port: u16) -> Result<SocketAddr, String> {
    if address.prefix_len() == address.max_prefix_len() {
        return Ok(SocketAddr::new(address.addr(), port));
    }
    Err(format!(
        "this version listens on single addresses, and {address} is a prefix: write a listener for \
         each address"
    ))
}

pub(crate) fn rules(listener: &HttpListener) -> Result<Index, String> {
    let rules = listener.rule_set().map_err(|errors| {
        errors.first().map_or_else(|| "its rules are not valid".to_owned(), ToString::to_string)
    })?;
    Index::new(rules).map_err(|error| format!("its rules do not compile: {error}"))
}

pub(crate) fn attributes(attributes: &HttpAttributes, access_log: bool) -> ListenerAttributes {
    let desync_mitigation = match attributes.desync_mitigation {
        DesyncMitigation::Monitor => desync::DesyncMitigation::Monitor,
        DesyncMitigation::Defensive => desync::DesyncMitigation::Defensive,
        DesyncMitigation::Strictest => desync::DesyncMitigation::Strictest,
    };
    let x_forwarded_for = match attributes.xff_header_processing {
        XffProcessing::Append => Processing::Append,
        XffProcessing::Preserve => Processing::Preserve,
        XffProcessing::Remove => Processing::Remove,
    };
    ListenerAttributes {
        protocol: ListenerProtocol::Http,
        http: ServerOptions { desync_mitigation, ..ServerOptions::default() },
        forwarded: ForwardedPolicy {
            x_forwarded_for,
            with_client_port: attributes.xff_client_port,
            forwarded: None,
        },
        drop_invalid_header_fields: attributes.drop_invalid_header_fields,
        preserve_host_header: attributes.preserve_host_header,
        trace_id: true,
        certificate_headers: CertificateHeaders::None,
        http2: attributes.http2,
        access_log,
        connection_log: attributes.connection_log.is_some(),
        proxy_protocol_sources: attributes.trusted_proxies.clone(),
        timeouts: ClientTimeouts {
            idle: attributes.idle_timeout,
            keep_alive: attributes.client_keep_alive,
            tunnel: attributes.tunnel_timeout,
            ..ClientTimeouts::default()
        },
    }
}
