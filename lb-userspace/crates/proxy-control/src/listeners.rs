//! From the listeners of a configuration to those of the proxy.

use std::{net::SocketAddr, sync::Arc};

use ipnet::IpNet;
use lb_config::{
    ClientAuth, DesyncMitigation, HttpAttributes, HttpListener, ListenerTls, XffProcessing,
};
use lb_http::{
    connection::ServerOptions,
    desync,
    forwarded::{ForwardedPolicy, Processing},
};
use lb_proxy::{ClientTimeouts, Listener, ListenerAttributes};
use lb_rules::{Index, sticky::SameSite};
use rustls::ServerConfig;

use crate::{certificates, unservable::Unservable};

/// What the proxy makes of a listener; an error for each setting that it cannot serve. `is_logged` says whether
/// its requests are logged anywhere.
pub(crate) fn prepare(
    listener: &HttpListener,
    is_logged: bool,
) -> Result<Listener, Vec<Unservable>> {
    let mut reasons = Vec::new();
    let address = address(listener.address, listener.port).map_err(|reason| reasons.push(reason));
    let rules = rules(listener).map_err(|reason| reasons.push(reason));
    let http2 = listener.attributes.http2;
    let tls = listener.tls.as_ref().map(|tls| server_config(tls, http2)).transpose();
    let tls = tls.map_err(|reason| reasons.push(reason));
    let (Ok(address), Ok(rules), Ok(tls), []) = (address, rules, tls, reasons.as_slice()) else {
        let named = |reason| Unservable::Listener { name: listener.name.clone(), reason };
        return Err(reasons.into_iter().map(named).collect());
    };
    Ok(Listener {
        name: listener.name.clone(),
        address,
        rules: Arc::new(rules),
        tls,
        attributes: attributes(&listener.attributes, is_logged),
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

fn server_config(tls: &ListenerTls, http2: bool) -> Result<Arc<ServerConfig>, String> {
    if tls.client_auth != ClientAuth::Off {
        return Err("this version asks clients for no certificates: remove `tls.client_auth`, or \
                    set it to off"
            .to_owned());
    }
    certificates::of_listener(tls, http2).map_err(|error| error.to_string())
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
        http: ServerOptions { desync_mitigation, ..ServerOptions::default() },
        forwarded: ForwardedPolicy {
            x_forwarded_for,
            with_client_port: attributes.xff_client_port,
            forwarded: None,
        },
        drop_invalid_header_fields: attributes.drop_invalid_header_fields,
        preserve_host_header: attributes.preserve_host_header,
        trace_id: true,
        http2: attributes.http2,
        access_log,
        proxy_protocol_sources: attributes.trusted_proxies.clone(),
        timeouts: ClientTimeouts {
            idle: attributes.idle_timeout,
            keep_alive: attributes.client_keep_alive,
            tunnel: attributes.tunnel_timeout,
            ..ClientTimeouts::default()
        },
    }
}
