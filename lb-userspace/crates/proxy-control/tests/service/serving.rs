//! What clients get: rules, redirects, TLS, and targets that are dead.

use std::{io::Write as _, net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::support::{
    ConfigFile, connect, free_port, get, local, read_response, target, two_groups, wait_until,
};

#[test]
fn rules_decide_between_groups_and_redirects() {
    let port = free_port();
    let file = ConfigFile::new(&two_groups(port, target("web"), target("order")));
    let service = file.serve();
    for (path, body) in [("/", "web"), ("/order/7", "order"), ("/order", "web")] {
        let (head, found) = get(local(port), path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
        assert_eq!(found, body, "{path}");
    }
    let (head, _) = get(local(port), "/old");
    assert!(head.starts_with("HTTP/1.1 301 "), "{head}");
    let location = head.lines().find(|line| line.to_ascii_lowercase().starts_with("location:"));
    assert!(location.is_some_and(|line| line.ends_with("/new")), "{head}");
    assert_eq!(service.stop(), (0, 0));
}

/// One request over TLS with the certificate of `name`, which is the only trusted one.
pub(crate) fn get_tls(
    address: SocketAddr,
    name: &str,
    certificate: &str,
) -> Result<(String, String), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let server_name = name.to_owned().try_into().unwrap();
    let client = ClientConnection::new(Arc::new(config), server_name).unwrap();
    let mut stream = StreamOwned::new(client, connect(address));
    let request = format!("GET /order/1 HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    read_response(&mut stream).ok_or_else(|| "no response".to_owned())
}

/// The configuration of two groups over TLS with two certificates.
pub(crate) fn with_tls(text: &str) -> String {
    text.replace(
        "    protocol: http\n    rules:",
        "    protocol: https\n    certificates:\n      - { certificate: FOLDER/shop.pem, key: \
         FOLDER/shop.key }\n      - { certificate: FOLDER/wild.pem, key: FOLDER/wild.key }\n    tls: \
         { policy: modern }\n    rules:",
    )
}

#[test]
fn https_has_the_certificate_of_the_server_name_and_new_ones_after_a_reload() {
    let port = free_port();
    let file = ConfigFile::new("");
    let shop = file.certificate("shop", "shop.example");
    let wild = file.certificate("wild", "*.wild.example");
    file.write(&with_tls(&two_groups(port, target("web"), target("order"))));
    let service = file.serve();
    for (name, certificate) in [("shop.example", &shop), ("a.wild.example", &wild)] {
        let (head, body) = get_tls(local(port), name, certificate).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, "order");
    }
    assert!(get_tls(local(port), "a.wild.example", &shop).is_err());
    let renewed = file.certificate("shop", "shop.example");
    service.signal(lb_proxy_control::Signal::Hangup);
    wait_until("the new certificate is used", || {
        get_tls(local(port), "shop.example", &renewed).is_ok()
    });
    assert!(get_tls(local(port), "shop.example", &shop).is_err());
    service.stop();
}

#[test]
fn a_target_that_fails_its_checks_gets_no_requests() {
    let (port, alive, dead) = (free_port(), target("alive"), free_port());
    let text = two_groups(port, alive, alive).replace(
        "targets: [{ address: 127.0.0.1 }]",
        &format!(
            "targets: [{{ address: 127.0.0.1 }}, {{ address: 127.0.0.1, port: {dead} }}]\n    \
             health_check: {{ interval: 100ms, timeout: 100ms, healthy_threshold: 1, \
             unhealthy_threshold: 1 }}\n    attributes: {{ retries: {{ on: [reused_connection] }} }}"
        ),
    );
    let file = ConfigFile::new(&text);
    let service = file.serve();
    // Without retries, requests to the dead target fail: round robin sends it every second one.
    let mut in_row = 0;
    wait_until("ten requests in a row are served", || {
        let served = get(local(port), "/").1 == "alive";
        in_row = if served { in_row + 1 } else { 0 };
        in_row == 10
    });
    service.stop();
}

/// A server that speaks HTTP/2 alone, and answers every request with its name.
fn http2_target(name: &'static str) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let Ok(mut http2) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((_, mut respond))) = http2.accept().await {
                        let response = http::Response::builder()
                            .header("content-length", name.len())
                            .body(())
                            .unwrap();
                        let mut send = respond.send_response(response, false).unwrap();
                        send.send_data(bytes::Bytes::from_static(name.as_bytes()), true).unwrap();
                    }
                });
            }
        });
    });
    address
}

#[test]
fn targets_of_http2_are_checked_and_asked_over_http2() {
    let (port, alive, dead) = (free_port(), http2_target("alive"), free_port());
    let text = two_groups(port, alive, alive).replace(
        "targets: [{ address: 127.0.0.1 }]",
        &format!(
            "protocol_version: http2\n    \
             targets: [{{ address: 127.0.0.1 }}, {{ address: 127.0.0.1, port: {dead} }}]\n    \
             health_check: {{ interval: 100ms, timeout: 100ms, healthy_threshold: 1, \
             unhealthy_threshold: 1 }}\n    attributes: {{ retries: {{ attempts: 0 }}, \
             max_connections: 1 }}"
        ),
    );
    let file = ConfigFile::new(&text);
    let service = file.serve();
    // A target that is not found healthy shares its requests with the dead one.
    let mut in_row = 0;
    wait_until("ten requests in a row are served", || {
        let served = get(local(port), "/").1 == "alive";
        in_row = if served { in_row + 1 } else { 0 };
        in_row == 10
    });
    service.stop();
}
