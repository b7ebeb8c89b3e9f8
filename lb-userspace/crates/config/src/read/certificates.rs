//! Certificates and TLS of a listener, and the files that they are in.

use std::path::PathBuf;

use crate::{
    model::{CertificateFiles, ClientAuth, ListenerTls, TlsPolicy},
    named_file::NamedFile,
    section::{List, Section},
    values,
};

const CERTIFICATE: &str = "/etc/xelb/shop.pem";
const KEY: &str = "/etc/xelb/shop.key";
const CA: &str = "/etc/xelb/ca.pem";
const CRL: &str = "/etc/xelb/ca.crl";

/// TLS of a listener of `https` or `tls`; `has_headers` says whether its targets can be told what
/// certificate a client has.
pub(super) fn listener_tls(listener: &Section<'_>, has_headers: bool) -> Option<ListenerTls> {
    let certificates = certificates(listener);
    let section = listener.section("tls")?;
    let policies = [("modern", TlsPolicy::Modern), ("intermediate", TlsPolicy::Intermediate)];
    let wanted = "a policy: modern (TLS 1.3) or intermediate (TLS 1.2 and 1.3)";
    let policy = section.read("policy", |node| values::word(node, &policies, wanted));
    let client_auth = client_auth(&section, has_headers);
    let alpn = alpn(&section, has_headers);
    section.finish();
    let policy = policy.unwrap_or_default();
    Some(ListenerTls { certificates: certificates?, policy, client_auth: client_auth?, alpn })
}

/// Protocols that a listener of `tls` offers.
fn alpn(tls: &Section<'_>, is_https: bool) -> Vec<String> {
    if is_https {
        tls.refuse(
            "alpn",
            "belongs to `protocol: tls`; this listener is https, where the attribute `http2` says it",
        );
        return Vec::new();
    }
    let Some(list) = tls.list("alpn") else { return Vec::new() };
    let mut all = Vec::new();
    for entry in list.entries() {
        match values::alpn_protocol(entry.node) {
            Ok(name) if all.contains(&name) => {
                tls.findings.error(&entry.at, format!("{name} is there twice"));
            }
            Ok(name) => all.push(name),
            Err(message) => tls.findings.error(&entry.at, message),
        }
    }
    all
}

fn certificates(listener: &Section<'_>) -> Option<Vec<CertificateFiles>> {
    let example = format!("certificates: [{{ certificate: {CERTIFICATE}, key: {KEY} }}]");
    listener.required("certificates", &example)?;
    let list = listener.list("certificates")?;
    if list.items().len() == 0 {
        listener.findings.error(&list.at, "is empty; TLS needs at least one certificate");
        return None;
    }
    let read = |entry: crate::section::Entry<'_>| {
        let section = Section::new(entry.node, entry.at, listener.findings)?;
        let files = certificate_files(&section, true);
        section.finish();
        files
    };
    // All are read, so that all errors are found.
    let all: Vec<Option<CertificateFiles>> =
        Some(&list).into_iter().flat_map(List::entries).map(read).collect();
    all.into_iter().collect()
}

/// `certificate` and `key` of a section; `None` with neither.
pub(super) fn certificate_files(section: &Section<'_>, needed: bool) -> Option<CertificateFiles> {
    let given = section.entry("certificate").is_some() || section.entry("key").is_some();
    if !needed && !given {
        return None;
    }
    section.required("certificate", &format!("certificate: {CERTIFICATE}"));
    section.required("key", &format!("key: {KEY}"));
    let certificate = file(section, "certificate", CERTIFICATE, NamedFile::Certificate);
    let key = file(section, "key", KEY, NamedFile::Key);
    Some(CertificateFiles { certificate: certificate?, key: key? })
}

/// The file of CA certificates under `ca`.
pub(super) fn ca(section: &Section<'_>) -> Option<PathBuf> {
    file(section, "ca", CA, NamedFile::Authorities)
}

fn file(
    section: &Section<'_>,
    key: &'static str,
    example: &str,
    kind: fn(PathBuf) -> NamedFile,
) -> Option<PathBuf> {
    let entry = section.entry(key)?;
    let path = section.read(key, |node| values::file(node, example))?;
    section.findings.file(&entry.at, kind(path.clone()));
    Some(path)
}

/// What a word of `client_auth` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Off,
    Verify,
    Passthrough,
}

fn client_auth(section: &Section<'_>, has_headers: bool) -> Option<ClientAuth> {
    let words =
        [("off", Asked::Off), ("verify", Asked::Verify), ("passthrough", Asked::Passthrough)];
    let read = |node: &_| values::word(node, &words, "off, verify or passthrough");
    let given = section.entry("client_auth");
    let asked = section.read("client_auth", read);
    let authorities = ca(section);
    let lists = file(section, "crl", CRL, NamedFile::RevocationLists);
    let asked = match (&given, asked) {
        (Some(_), None) => return None,
        (_, asked) => asked.unwrap_or(Asked::Off),
    };
    for key in ["ca", "crl"] {
        if let (true, Some(entry)) = (asked != Asked::Verify, section.entry(key)) {
            let message = format!("belongs to `client_auth: verify`; add it, or remove `{key}`");
            section.findings.error(&entry.at, message);
        }
    }
    match asked {
        Asked::Off => Some(ClientAuth::Off),
        Asked::Verify => {
            section.required("ca", &format!("ca: {CA}"))?;
            let is_wrong = lists.is_none() && section.entry("crl").is_some();
            authorities.filter(|_| !is_wrong).map(|ca| ClientAuth::Verify { ca, crl: lists })
        }
        Asked::Passthrough => {
            if let (false, Some(entry)) = (has_headers, given) {
                let message = "passes certificates in a header, which belongs to `protocol: \
                               https`; use off or verify";
                section.findings.error(&entry.at, message);
            }
            Some(ClientAuth::Passthrough)
        }
    }
}
