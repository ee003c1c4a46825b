//! Certificates for `rediss` URLs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use redis::{ClientTlsConfig, TlsCertificates};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use unstale_port::Error;

use crate::error::{config, unavailable};

/// Whose certificates are believed, and one's own, if the server asks for it. The server's has to be made out to the host
/// that was dialled.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    /// The same as PEM, for redis-rs.
    authority: Option<Vec<u8>>,
    own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// Reads PEM files: the authorities (`None`: the system's), and one's own certificate and key. They are read once; a
    /// renewed certificate takes a restart.
    ///
    /// # Errors
    /// `Config` if a file cannot be read or holds nothing that fits, or the system has no authorities.
    pub fn from_files(authority: Option<&Path>, own: Option<(&Path, &Path)>) -> Result<Self, Error> {
        let authority = authority.map(read).transpose()?;
        let own = own.map(|(chain, key)| Ok::<_, Error>((read(chain)?, read(key)?))).transpose()?;
        let mut roots = RootCertStore::empty();
        if let Some(pem) = &authority {
            for root in certificates(pem)? {
                roots.add(root).map_err(|cause| unfit("authority", cause))?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(config("the system has no certificates of authorities: name a file of them"));
            }
        }
        let settings = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|cause| unfit("protocol", cause))?
            .with_root_certificates(roots);
        let settings = match &own {
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|cause| unfit("key", cause))?;
                settings
                    .with_client_auth_cert(certificates(chain)?, key)
                    .map_err(|cause| unfit("certificate", cause))?
            }
            None => settings.with_no_client_auth(),
        };
        Ok(Self { connector: Arc::new(settings).into(), authority, own })
    }

    /// The handshake as a client of `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<Box<TlsStream<TcpStream>>, Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(|cause| unfit(host, cause))?;
        let connected = self.connector.connect(name, tcp).await;
        Ok(Box::new(connected.map_err(|cause| unavailable("tls", cause))?))
    }

    /// The same for redis-rs.
    pub(crate) fn certificates(&self) -> TlsCertificates {
        let own = self.own.clone();
        TlsCertificates {
            client_tls: own.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key }),
            root_cert: self.authority.clone(),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|cause| config(format!("cannot read {}: {cause}", path.display())))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|cause| unfit("certificate", cause))?;
    if found.is_empty() {
        return Err(config("there is no certificate in a PEM file that was named for one"));
    }
    Ok(found)
}

fn unfit(what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    config(format!("{what} is of no use for TLS: {cause}")).with_source(cause)
}
