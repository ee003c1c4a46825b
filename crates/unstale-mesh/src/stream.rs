//! The bytes of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsSocket};

/// What connections run over.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP.
    Tcp,
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Tls),
}

impl Transport {
    /// Whether it proves by itself who is at the other end.
    pub(crate) fn authenticates(&self) -> bool {
        match self {
            Self::Tcp => false,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
        }
    }

    /// A connection that a peer made.
    pub(crate) fn accept(&self, tcp: TcpStream) -> Stream {
        match self {
            Self::Tcp => Stream::Tcp(tcp),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Stream::Tls(Box::new(tls.accept(tcp))),
        }
    }

    /// A connection to `host`, which with TLS has to show a certificate of that name.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "names matter to TLS alone"))]
    pub(crate) fn dial(&self, tcp: TcpStream, host: &str) -> Stream {
        match self {
            Self::Tcp => Stream::Tcp(tcp),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Stream::Tls(Box::new(tls.dial(tcp, host))),
        }
    }
}

/// A connection's bytes, in clear or inside TLS.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsSocket>),
}

impl Stream {
    /// Reads what is there into `buffer`; 0 is the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let read = match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_read(cx, &mut buffer),
        };
        read.map_ok(|()| buffer.filled().len())
    }

    /// Writes as much as there is room for.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    /// Ready when all that was written is in the socket.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_shutdown(cx),
        }
    }
}
