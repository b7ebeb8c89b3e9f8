//! What targets and the connection log are told of the certificate of a client, in the words of ALB ("Mutual authentication with TLS in
//! Application Load Balancer", HTTP headers).

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lb_http::client_certificate::CertificateFields;
use rustls::pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    parse_x509_certificate,
    x509::{AttributeTypeAndValue, X509Name},
};

use crate::{
    attributes::CertificateHeaders, connection_attempt::LeafCertificate, stream::Stream,
    worker_state::ListenerView,
};

/// Characters of a line of PEM.
const LINE: usize = 64;

/// The fields for a connection; `None` where targets are told nothing, or the client has no certificate.
pub(crate) fn certificate_fields(
    listener: &ListenerView,
    stream: &Stream,
) -> Option<CertificateFields> {
    let headers = listener.listener.config.attributes.certificate_headers;
    let Stream::Tls(stream) = stream else { return None };
    fields(headers, stream.get_ref().1.peer_certificates()?)
}

/// The certificate of a client, if it has one that can be read.
pub(crate) fn leaf(stream: &Stream) -> Option<LeafCertificate> {
    let Stream::Tls(stream) = stream else { return None };
    let (_, certificate) =
        parse_x509_certificate(stream.get_ref().1.peer_certificates()?.first()?).ok()?;
    Some(LeafCertificate {
        subject: name(certificate.subject()),
        validity: validity(&certificate),
        serial_number: serial_number(&certificate),
    })
}

fn fields(headers: CertificateHeaders, chain: &[CertificateDer<'_>]) -> Option<CertificateFields> {
    let mut fields = CertificateFields::default();
    match headers {
        CertificateHeaders::None => return None,
        CertificateHeaders::Passthrough => {
            let encoded: String = chain.iter().map(url_encoded_pem).collect();
            fields.add("Clientcert", &encoded);
        }
        CertificateHeaders::Verified => {
            let leaf = chain.first()?;
            // It was parsed when it was verified.
            let (_, certificate) = parse_x509_certificate(leaf).ok()?;
            fields.add("Clientcert-Serial-Number", &serial_number(&certificate));
            fields.add("Clientcert-Issuer", &name(certificate.issuer()));
            fields.add("Clientcert-Subject", &name(certificate.subject()));
            fields.add("Clientcert-Validity", &validity(&certificate));
            fields.add("Clientcert-Leaf", &url_encoded_pem(leaf));
        }
    }
    Some(fields)
}

fn serial_number(certificate: &X509Certificate<'_>) -> String {
    certificate.raw_serial().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02X}");
        text
    })
}

fn validity(certificate: &X509Certificate<'_>) -> String {
    let time = |seconds: i64| {
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| "-".to_owned(), |time| time.to_string())
    };
    let validity = certificate.validity();
    let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    format!("NotBefore={};NotAfter={}", time(from), time(to))
}

/// A name as RFC 2253 has it: the last part first.
fn name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let name = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    format!("{name}={}", escaped(attribute.as_slice()))
}

/// Special characters behind a backslash, others that a header cannot have as `\\XX` (RFC 4514, section 2.4).
fn escaped(value: &[u8]) -> String {
    let mut text = String::new();
    for (place, byte) in value.iter().enumerate() {
        let is_outer_blank = *byte == b' ' && (place == 0 || place + 1 == value.len());
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b'#' if place == 0 => text.push_str("\\#"),
            b' ' if is_outer_blank => text.push_str("\\ "),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                // Writing to a string does not fail.
                let _written = write!(text, "\\{byte:02X}");
            }
        }
    }
    text
}

/// A certificate in PEM, with `+`, `=` and `/` as they are.
fn url_encoded_pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate.as_ref());
    let mut text = "-----BEGIN%20CERTIFICATE-----%0A".to_owned();
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push_str("%0A");
        rest = more;
    }
    text.push_str("-----END%20CERTIFICATE-----%0A");
    text
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber, date_time_ymd,
    };

    use super::*;

    fn certificate() -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "US");
        name.push(DnType::OrganizationName, "A, B");
        name.push(DnType::CommonName, "client");
        parameters.distinguished_name = name;
        parameters.serial_number = Some(SerialNumber::from_slice(&[3, 0xa5, 0xb1]));
        parameters.not_before = date_time_ymd(2023, 9, 21);
        parameters.not_after = date_time_ymd(2024, 9, 20);
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn text(headers: CertificateHeaders) -> String {
        let fields = fields(headers, &[certificate()]).unwrap();
        String::from_utf8(fields.lines().to_vec()).unwrap()
    }

    #[test]
    fn the_fields_of_a_verified_certificate_are_those_of_application_load_balancer() {
        let text = text(CertificateHeaders::Verified);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "X-Amzn-Mtls-Clientcert-Serial-Number: 03A5B1");
        assert_eq!(lines[1], r"X-Amzn-Mtls-Clientcert-Issuer: CN=client,O=A\, B,C=US");
        assert_eq!(lines[2], r"X-Amzn-Mtls-Clientcert-Subject: CN=client,O=A\, B,C=US");
        let validity = "NotBefore=2023-09-21T00:00:00Z;NotAfter=2024-09-20T00:00:00Z";
        assert_eq!(lines[3], format!("X-Amzn-Mtls-Clientcert-Validity: {validity}"));
        let leaf = "X-Amzn-Mtls-Clientcert-Leaf: -----BEGIN%20CERTIFICATE-----%0AMII";
        assert!(lines[4].starts_with(leaf), "{}", lines[4]);
        assert!(lines[4].ends_with("%0A-----END%20CERTIFICATE-----%0A"), "{}", lines[4]);
        assert_eq!((lines[5], lines.len()), ("", 6));
    }

    #[test]
    fn passthrough_has_the_whole_chain() {
        let chain = [certificate(), certificate()];
        let fields = fields(CertificateHeaders::Passthrough, &chain).unwrap();
        let text = String::from_utf8(fields.lines().to_vec()).unwrap();
        assert!(text.starts_with("X-Amzn-Mtls-Clientcert: -----BEGIN"), "{text}");
        assert_eq!(text.matches("-----BEGIN%20CERTIFICATE-----%0A").count(), 2);
        assert!(super::fields(CertificateHeaders::None, &chain).is_none());
    }

    #[test]
    fn names_are_escaped() {
        for (value, expected) in
            [("a+b", r"a\+b"), (" a ", r"\ a\ "), ("#a#", r"\#a#"), ("\u{e9}\n", r"\C3\A9\0A")]
        {
            assert_eq!(escaped(value.as_bytes()), expected, "{value}");
        }
    }
}
