//! TLS 1.3 with certificates on both sides.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{Accept, Connect, TlsAcceptor, TlsConnector, TlsStream};
use unstale_port::Error;

use crate::address::config;

/// A node's certificate and key, and the authority that all certificates of the cluster come from.
///
/// Both sides of a connection show a certificate and check the other's; a dialler also checks that it is made out to the
/// host that it dialled (a name or an IP address; with discovery, the discovered name). Whoever has a certificate of the
/// authority is a peer, so let it issue them for nothing else.
///
/// ```no_run
/// use unstale_mesh::{Mesh, Tls};
///
/// # async fn start() -> Result<(), unstale_port::Error> {
/// let tls = Tls::from_files("node.pem", "node.key", "authority.pem")?;
/// let mesh = Mesh::builder().cluster("shop").listen("0.0.0.0:7000").tls(tls).discover("shop.svc:7000").start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads PEM files: the node's certificate with what leads to the authority, its private key, and the certificates of
    /// the authority. They are read once; a renewed certificate takes a restart.
    ///
    /// # Errors
    /// `Config` if a file cannot be read or holds nothing that fits.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        authority: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let (certificate, key, authority) = (certificate.as_ref(), key.as_ref(), authority.as_ref());
        let chain = certificates(certificate)?;
        let mut roots = RootCertStore::empty();
        for root in certificates(authority)? {
            roots.add(root).map_err(|cause| unfit(authority, cause))?;
        }
        let roots = Arc::new(roots);
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|cause| unfit(key, cause))?;
        let provider = Arc::new(ring::default_provider());

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(|cause| unfit(certificate, cause))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), secret.clone_key())
            .map_err(|cause| unfit(certificate, cause))?;
        // Links live long: a fresh handshake each time is cheap, and nothing is kept of old ones.
        client.resumption = Resumption::disabled();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|cause| unfit(authority, cause))?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|cause| unfit(certificate, cause))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, secret)
            .map_err(|cause| unfit(certificate, cause))?;
        server.send_tls13_tickets = 0;
        Ok(Self { connector: Arc::new(client).into(), acceptor: Arc::new(server).into() })
    }

    pub(crate) fn accept(&self, tcp: TcpStream) -> TlsSocket {
        TlsSocket::Accepting(self.acceptor.accept(tcp))
    }

    pub(crate) fn dial(&self, tcp: TcpStream, host: &str) -> TlsSocket {
        match ServerName::try_from(host.to_owned()) {
            Ok(name) => TlsSocket::Connecting(self.connector.connect(name, tcp)),
            Err(cause) => TlsSocket::Failed(format!("{host}: {cause}")),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// A connection inside TLS. Its handshake goes on whenever bytes are to be read or written.
pub(crate) enum TlsSocket {
    Accepting(Accept<TcpStream>),
    Connecting(Connect<TcpStream>),
    Open(TlsStream<TcpStream>),
    Failed(String),
}

impl TlsSocket {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.poll_open(cx))?).poll_read(cx, buffer)
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_open(cx))?).poll_write(cx, bytes)
    }

    /// What is in the socket of a handshake under way is no news to the caller.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Open(stream) => Pin::new(stream).poll_flush(cx),
            Self::Accepting(_) | Self::Connecting(_) | Self::Failed(_) => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.poll_open(cx))?).poll_shutdown(cx)
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut TlsStream<TcpStream>>> {
        let shaken = match self {
            Self::Accepting(accept) => ready!(Pin::new(accept).poll(cx)).map(TlsStream::from),
            Self::Connecting(connect) => ready!(Pin::new(connect).poll(cx)).map(TlsStream::from),
            Self::Open(_) => return self.open(),
            Self::Failed(reason) => Err(io::Error::other(reason.clone())),
        };
        *self = match shaken {
            Ok(stream) => Self::Open(stream),
            // A handshake that failed must not be polled again, and says the same each time.
            Err(cause) => Self::Failed(cause.to_string()),
        };
        self.open()
    }

    fn open(&mut self) -> Poll<io::Result<&mut TlsStream<TcpStream>>> {
        match self {
            Self::Open(stream) => Poll::Ready(Ok(stream)),
            Self::Failed(reason) => Poll::Ready(Err(io::Error::other(reason.clone()))),
            Self::Accepting(_) | Self::Connecting(_) => Poll::Pending,
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|cause| unfit(path, cause))?;
    if found.is_empty() {
        return Err(config(format!("there is no certificate in {}", path.display())));
    }
    Ok(found)
}

fn unfit(path: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    config(format!("cannot use {}: {cause}", path.display())).with_source(cause)
}
