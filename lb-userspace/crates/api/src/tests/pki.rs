//! An authority that makes certificates, and the files of a TLS listener in a folder.

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::unistd::getegid;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::access::{
    AccessOptions, Authority, AuthorityFiles, ReadSocket, Remote, Role, Token, identity,
};

/// Signs certificates.
pub(super) struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes its own certificate.
    pub(super) fn write(&self, path: &Path) {
        fs::write(path, self.0.pem()).unwrap();
    }

    /// Writes certificate and key for a common name and alternative names, until this year.
    pub(super) fn sign(&self, name: &str, alternatives: &[&str], ends: i32, folder: &Path) -> Pair {
        let alternatives: Vec<String> = alternatives.iter().map(|&one| one.to_owned()).collect();
        let mut params = CertificateParams::new(alternatives).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let pair = Pair {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        };
        fs::write(&pair.certificate, certificate.pem()).unwrap();
        write_private(&pair.key, &key.serialize_pem());
        pair
    }
}

/// Certificate and key.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

pub(super) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// What a TLS listener needs, and a token and a certificate of each role.
pub(super) struct Pki {
    pub(super) folder: tempfile::TempDir,
    pub(super) issuer: Issuer,
    tokens: [Token; Role::ALL.len()],
    pub(super) authority: Arc<Authority>,
}

impl Pki {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::new("issuer");
        issuer.write(&folder.path().join("ca.pem"));
        let Pair { certificate, key } =
            issuer.sign("server", &["localhost", "127.0.0.1"], 2090, folder.path());
        let tokens = Role::ALL.map(|_| Token::random().unwrap());
        let lines = Role::ALL.map(|role| {
            let digest = tokens[role as usize].digest();
            format!("token-{role} {role} {digest}\ncert:cert-{role} {role}\n")
        });
        for role in Role::ALL {
            issuer.sign(&format!("cert-{role}"), &[], 2090, folder.path());
        }
        write_private(&folder.path().join("tokens"), &lines.concat());
        let files = AuthorityFiles {
            certificate,
            key,
            client_ca: Some(folder.path().join("ca.pem")),
            tokens: folder.path().join("tokens"),
        };
        let authority = Arc::new(Authority::load(files).unwrap());
        Self { folder, issuer, tokens, authority }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn token(&self, role: Role) -> &Token {
        &self.tokens[role as usize]
    }

    /// The header that shows it.
    pub(super) fn bearer(&self, role: Role) -> String {
        format!("authorization: Bearer {}\r\n", self.token(role).reveal())
    }

    pub(super) fn certificate(&self, role: Role) -> Pair {
        Pair {
            certificate: self.path(&format!("cert-{role}.crt")),
            key: self.path(&format!("cert-{role}.key")),
        }
    }

    /// All listener sockets: the main socket, `read.sock` in the folder, TLS on any port of
    /// 127.0.0.1.
    pub(super) fn access(&self) -> AccessOptions {
        AccessOptions {
            socket_group: None,
            read: Some(ReadSocket { path: self.path("read.sock"), group: getegid() }),
            remote: Some(Remote {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                authority: Arc::clone(&self.authority),
            }),
        }
    }

    /// A client that believes this authority, with or without a certificate.
    pub(super) async fn connect(
        &self,
        server: SocketAddr,
        client: Option<&Pair>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.path("ca.pem")).unwrap();
        roots.add(ca).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(Pair { certificate, key }) => {
                let (chain, key) = identity(certificate, key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let stream = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}
