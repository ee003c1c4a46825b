//! Brokerless peers over TCP: authenticated, sealed, first in, first out.
//!
//! A [`Mesh`] is an [`unstale_port::Backplane`]: it listens, dials the peers of a fixed list or of a DNS name, and keeps
//! one link to each. Both ends of a link prove that they know the cluster's [`Secret`] and seal every frame with a
//! session key and a counter, so frames that were forged, replayed, reordered or cut are refused. Bytes on the wire are
//! described in `docs/formats/mesh.md`.
//!
//! It is meant for up to about a hundred nodes. Everything happens inside [`unstale_port::Backplane::poll_event`] of the
//! owner's task: there are no tasks, channels or locks between the owner and its sockets.
//!
//! ```
//! use std::future::poll_fn;
//! use unstale_mesh::{Mesh, Secret};
//! use unstale_port::{Backplane, Event};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), unstale_port::Error> {
//! let secret = Secret::new("correct horse battery staple")?;
//! let mut a = Mesh::builder().cluster("shop").secret(secret.clone()).start().await?;
//! let address = a.properties().listening.clone().expect("a mesh listens");
//! let mut b = Mesh::builder().cluster("shop").secret(secret).peer(&address).start().await?;
//!
//! // Both are polled by their owners, here by one task.
//! let up = poll_fn(|cx| {
//!     while a.poll_event(cx).is_ready() {}
//!     b.poll_event(cx)
//! });
//! assert!(matches!(up.await, Event::Up { remote, .. } if remote.dialled == Some(address)));
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `tls`, all of this runs inside TLS 1.3 with certificates on both sides, and the secret is optional.
//!
//! | limit | value | at the limit |
//! |---|---|---|
//! | connections that have not authenticated | 256 | the oldest is closed, counted as `handshake-crowded` |
//! | their age | 5 s | closed, counted as `handshake-timeout` |
//! | their messages | 1,024 bytes | closed, counted as `handshake-oversized` |
//! | links | 1,024 | refused, counted as `links-full` |
//! | a frame | [`FRAME_BYTES_MAX`] | `TooLarge` when sent; when received the link is closed, counted as `frame-oversized` |
//! | silence of a link | 2 s | closed, counted as `link-silent`, and dialled again |
//! | a write without progress | 5 s | closed, counted as `link-stuck`, and dialled again |

mod address;
mod builder;
mod census;
#[cfg(test)]
mod fuzz;
mod handshake;
mod link;
mod mesh;
mod notes;
mod ready;
mod record;
mod secret;
mod session;
mod stream;
mod target;
#[cfg(feature = "tls")]
mod tls;

pub use builder::Builder;
pub use mesh::Mesh;
pub use secret::Secret;
pub use session::FRAME_BYTES_MAX;
#[cfg(feature = "tls")]
pub use tls::Tls;
