//! One connection that speaks RESP3, polled by its owner: commands go out in order, replies and pushes come in.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use unstale_port::Error;

use crate::error::{refused, unavailable};
use crate::reply::{self, VALUE_BYTES_MAX, Value};
use crate::stream::Stream;

const READ_BYTES: usize = 64 << 10;
/// Reads for one value before others have their turn: a task may only read so often before it has to yield, and a large
/// value on one connection would leave nothing for the next.
const READS_AT_ONCE: usize = 16;

/// An open connection with what waits to be written and what was read.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    outgoing: BytesMut,
    incoming: BytesMut,
    value_bytes_max: usize,
    /// Bytes read so far.
    read: u64,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            outgoing: BytesMut::new(),
            incoming: BytesMut::new(),
            value_bytes_max: VALUE_BYTES_MAX,
            read: 0,
        }
    }

    /// Takes no value of more bytes from now on: one that is larger ends the connection.
    pub(crate) fn limit(&mut self, value_bytes_max: usize) {
        self.value_bytes_max = value_bytes_max;
    }

    /// Adds a command to what is written by the next [`Self::poll_flush`].
    pub(crate) fn push(&mut self, command: &[&[u8]]) {
        reply::encode(command, &mut self.outgoing);
    }

    /// How many bytes came in so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Where a command is written that is not made of slices.
    pub(crate) fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// Writes what waits, as far as the socket takes it; ready when nothing waits any more.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The next reply or push.
    pub(crate) fn poll_value(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Value>> {
        for _ in 0..READS_AT_ONCE {
            match reply::decode(&mut self.incoming, self.value_bytes_max) {
                Ok(Some(value)) => return Poll::Ready(Ok(value)),
                Ok(None) => {}
                Err(malformed) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, malformed)));
                }
            }
            self.incoming.reserve(READ_BYTES);
            // Dropped unfinished, it has read nothing.
            let read = ready!(pin!(self.stream.read_buf(&mut self.incoming)).poll(cx))?;
            if read == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.read += read as u64;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends one command and waits for its reply; only while nothing else is under way.
    pub(crate) async fn ask(&mut self, operation: &'static str, command: &[&[u8]]) -> Result<Value, Error> {
        match self.call(operation, command).await? {
            Value::Error(line) => Err(refused(operation, &line)),
            value
            @ (Value::Text(_) | Value::Number(_) | Value::Nothing | Value::List(_) | Value::Push(_)) => {
                Ok(value)
            }
        }
    }

    /// The same; a server's error is a reply like any other.
    pub(crate) async fn call(&mut self, operation: &'static str, command: &[&[u8]]) -> Result<Value, Error> {
        self.push(command);
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(|cause| unavailable(operation, cause))?;
        self.next(operation).await
    }

    /// The next reply or push.
    pub(crate) async fn next(&mut self, operation: &'static str) -> Result<Value, Error> {
        poll_fn(|cx| self.poll_value(cx)).await.map_err(|cause| unavailable(operation, cause))
    }

    /// The bare connection; only while nothing is under way.
    pub(crate) fn into_stream(self) -> Stream {
        debug_assert!(self.outgoing.is_empty() && self.incoming.is_empty(), "something is under way");
        self.stream
    }
}
