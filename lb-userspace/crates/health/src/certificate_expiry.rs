//! When the certificates of a file end, and what is said of that: the same words in warnings, logs and `doctor`.

use std::path::Path;

use lb_files::private_file::read_public;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::parse_x509_certificate;

const DAY: u64 = 86_400;

/// Days before the end in which a certificate should be renewed.
const NOTICE_DAYS: u64 = 30;
/// Days before the end in which it must be renewed now.
const SOON_DAYS: u64 = 7;

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// It is over: clients and targets refuse the certificate.
    Expired,
    /// 7 days at most are left.
    Soon,
    /// 30 days at most are left.
    Near,
}

/// When the first of the certificates in a file ends, in seconds since 1970: its own one, or one of its chain.
///
/// # Errors
///
/// It cannot be read, or has no certificate; for people.
pub fn certificate_end(file: &Path) -> Result<u64, String> {
    let text = read_public(file).map_err(|error| error.to_string())?;
    let unfit = |why: String| format!("{}: {why}", file.display());
    let mut first = None;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
        let (_, certificate) =
            parse_x509_certificate(&certificate).map_err(|error| unfit(error.to_string()))?;
        let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
        first = Some(first.map_or(end, |first: u64| first.min(end)));
    }
    first.ok_or_else(|| unfit("there is no certificate".to_owned()))
}

/// How near the end of a certificate is, and that in words; `None` while it is far. Both times are in seconds
/// since 1970.
#[must_use]
pub fn expiry(end: u64, now: u64) -> Option<(Expiry, String)> {
    let days = |seconds: u64| match seconds / DAY {
        0 => format!("{} h", seconds / 3600),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if end <= now {
        return Some((Expiry::Expired, format!("has expired {} ago", days(now - end))));
    }
    let left = end - now;
    let expiry = match left {
        _ if left <= SOON_DAYS * DAY => Expiry::Soon,
        _ if left <= NOTICE_DAYS * DAY => Expiry::Near,
        _ => return None,
    };
    Some((expiry, format!("expires in {}", days(left))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_comes_in_steps() {
        let now: u64 = 2_000_000_000;
        for (left, expected) in [
            (31 * 86_400, None),
            (30 * 86_400 + 1, None),
            (30 * 86_400, Some((Expiry::Near, "expires in 30 days"))),
            (7 * 86_400 + 1, Some((Expiry::Near, "expires in 7 days"))),
            (7 * 86_400, Some((Expiry::Soon, "expires in 7 days"))),
            (86_400, Some((Expiry::Soon, "expires in 1 day"))),
            (7300, Some((Expiry::Soon, "expires in 2 h"))),
            (0, Some((Expiry::Expired, "has expired 0 h ago"))),
            (-200_000, Some((Expiry::Expired, "has expired 2 days ago"))),
        ] {
            let end = now.saturating_add_signed(left);
            let found = expiry(end, now);
            let found = found.as_ref().map(|(expiry, text)| (*expiry, text.as_str()));
            assert_eq!(found, expected, "{left}");
        }
    }

    #[test]
    fn the_first_end_of_a_chain_counts() {
        let pem = |year: i32| {
            let mut parameters =
                rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            parameters.self_signed(&key).unwrap().pem()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.pem");
        std::fs::write(&file, pem(2040) + &pem(2030) + &pem(2035)).unwrap();
        // date -u -d 2030-01-01 +%s
        assert_eq!(certificate_end(&file), Ok(1_893_456_000));
        std::fs::write(&file, "nothing").unwrap();
        assert!(
            certificate_end(&file).unwrap_err().ends_with("chain.pem: there is no certificate")
        );
    }
}
