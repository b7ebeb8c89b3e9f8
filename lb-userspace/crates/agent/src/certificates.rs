//! When the certificates that the configuration names end. Their files are read away from the loop: once an hour,
//! and after each change of the configuration.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lb_config::{Config, ListenerTls};
use lb_files::file_reader::FileReader;
use lb_health::{Expiry, certificate_end, expiry};
use lb_plan::warning::{Warning, WarningKind};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use utoipa::ToSchema;

/// How often files are read without another configuration.
const INTERVAL: Duration = Duration::from_hours(1);

/// Users of a certificate that a warning names.
const USERS_NAMED_MAX: usize = 3;

/// A certificate that the configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Its file.
    pub file: String,
    /// When it ends, or the first certificate of its chain, in seconds since 1970.
    pub expires_at: u64,
    /// The listeners and target groups that use it, such as `listener shop`.
    pub used_by: Vec<String>,
}

/// Users of each file.
type Users = BTreeMap<PathBuf, Vec<String>>;

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    reader: FileReader,
    reading: Option<JoinHandle<()>>,
    /// Configurations that were applied at the last reading, and when that was.
    read: Option<(u64, Instant)>,
    known: Arc<Mutex<Vec<CertificateView>>>,
}

impl Certificates {
    /// Reads the files again, if that is due.
    pub(super) fn update(&mut self, config: &Config, applied_count: u64, now: Instant) {
        let is_fresh = self.read.is_some_and(|(applied, at)| {
            applied == applied_count && now.saturating_duration_since(at) < INTERVAL
        });
        if is_fresh || self.reading.as_ref().is_some_and(|reading| !reading.is_finished()) {
            return;
        }
        self.read = Some((applied_count, now));
        let users = users(config);
        let (reader, known) = (self.reader.clone(), Arc::clone(&self.known));
        self.reading = Some(tokio::spawn(async move {
            match reader.run(move || read(&users)).await {
                Ok(found) => *known.lock().unwrap_or_else(PoisonError::into_inner) = found,
                Err(error) => tracing::warn!("cannot see when certificates expire: {error}"),
            }
        }));
    }

    /// Those that could be read, by file.
    pub(super) fn views(&self) -> Vec<CertificateView> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that expire within 30 days; `now` is in seconds since 1970.
    pub(super) fn warnings(&self, now: u64) -> Vec<Warning> {
        self.views().iter().filter_map(|certificate| warning(certificate, now)).collect()
    }
}

fn warning(certificate: &CertificateView, now: u64) -> Option<Warning> {
    let (expiry, text) = expiry(certificate.expires_at, now)?;
    let kind = match expiry {
        Expiry::Expired => WarningKind::CertificateExpired,
        Expiry::Soon => WarningKind::CertificateExpiresSoon,
        Expiry::Near => WarningKind::CertificateExpires,
    };
    let users = &certificate.used_by;
    let named: Vec<&str> = users.iter().take(USERS_NAMED_MAX).map(String::as_str).collect();
    let more = match users.len().saturating_sub(USERS_NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let file = &certificate.file;
    let text = format!("certificate {file} of {}{more} {text}", named.join(", "));
    Some(Warning::new(kind, file, text))
}

/// The files that listeners and target groups name, with those that use each.
fn users(config: &Config) -> Users {
    let mut users = Users::new();
    let mut add = |file: &PathBuf, user: String| {
        let all = users.entry(file.clone()).or_default();
        if !all.contains(&user) {
            all.push(user);
        }
    };
    let https = config.http_listeners.iter().filter_map(|one| Some((&one.name, one.tls.as_ref()?)));
    let tls = config.tls_listeners.iter().map(|one| (&one.name, &one.tls));
    let listeners: Vec<(&String, &ListenerTls)> = https.chain(tls).collect();
    for (name, tls) in listeners {
        for files in &tls.certificates {
            add(&files.certificate, format!("listener {name}"));
        }
    }
    for group in &config.http_target_groups {
        let own = group.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref());
        if let Some(files) = own {
            add(&files.certificate, format!("target group {}", group.name));
        }
    }
    users
}

/// Those that can be read. Others are said when the configuration is checked, and by the proxy.
fn read(users: &Users) -> Vec<CertificateView> {
    let view = |(file, used_by): (&PathBuf, &Vec<String>)| {
        let expires_at = certificate_end(file).ok()?;
        let (file, used_by) = (file.display().to_string(), used_by.clone());
        Some(CertificateView { file, expires_at, used_by })
    };
    users.iter().filter_map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "interfaces: [eth0]
target_groups:
  - { name: web, protocol: https, port: 443, targets: [{ address: 10.0.0.1 }], tls: { verify: none, certificate: /c.pem, key: /c.key } }
listeners:
  - { name: shop, address: 203.0.113.1, port: 443, protocol: https, certificates: [{ certificate: /a.pem, key: /a.key }, { certificate: /b.pem, key: /b.key }], default_action: { forward: { target_group: web } } }
  - { name: chat, address: 203.0.113.2, port: 443, protocol: https, certificates: [{ certificate: /a.pem, key: /a.key }], default_action: { forward: { target_group: web } } }
";

    #[test]
    fn files_are_known_with_their_users() {
        let (_, config, _) = lb_config::parse(CONFIG, "x").unwrap_or_else(|e| panic!("{e}"));
        let shown: Vec<String> = users(&config)
            .into_iter()
            .map(|(file, users)| format!("{}: {}", file.display(), users.join(", ")))
            .collect();
        assert_eq!(
            shown,
            [
                "/a.pem: listener shop, listener chat",
                "/b.pem: listener shop",
                "/c.pem: target group web"
            ]
        );
    }

    #[test]
    fn warnings_name_file_users_and_time() {
        let day = 86_400;
        let of = |days: u64, users: usize| {
            let used_by = (0..users).map(|number| format!("listener l{number}")).collect();
            let file = "/a.pem".to_owned();
            let certificate = CertificateView { file, expires_at: days * day, used_by };
            warning(&certificate, 100 * day).map(|one| (one.kind, one.text))
        };
        assert_eq!(of(131, 1), None);
        let near = "certificate /a.pem of listener l0 expires in 20 days".to_owned();
        assert_eq!(of(120, 1), Some((WarningKind::CertificateExpires, near)));
        let soon = "certificate /a.pem of listener l0, listener l1 expires in 6 days".to_owned();
        assert_eq!(of(106, 2), Some((WarningKind::CertificateExpiresSoon, soon)));
        let over = "certificate /a.pem of listener l0, listener l1, listener l2 and 2 more has \
                    expired 3 days ago";
        assert_eq!(of(97, 5), Some((WarningKind::CertificateExpired, over.to_owned())));
    }
}
