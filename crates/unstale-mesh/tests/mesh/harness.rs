//! Several meshes polled by one task, as their owners would.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use unstale_mesh::{Builder, Mesh, Secret};
use unstale_port::{Backplane, Event, LinkId};

/// Far beyond anything that passes, so that a failure is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn secret() -> Secret {
    Secret::new("a secret for tests").expect("not empty")
}

/// A mesh of the tests' cluster.
pub(crate) fn builder() -> Builder {
    Mesh::builder().cluster("shop").secret(secret())
}

pub(crate) async fn start(builder: Builder) -> Mesh {
    builder.start().await.expect("the mesh starts")
}

pub(crate) fn address(mesh: &Mesh) -> String {
    mesh.properties().listening.clone().expect("a mesh listens")
}

/// Fails if `future` takes forever.
pub(crate) async fn patiently<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens within a minute")
}

/// Polls all meshes and hands their events to `take` until it gives something.
pub(crate) async fn until<T>(
    meshes: &mut [&mut Mesh],
    mut take: impl FnMut(usize, &mut Mesh, Event) -> Option<T>,
) -> T {
    // One task has one budget of work per poll, so another mesh begins each time: none starves.
    static TURN: AtomicUsize = AtomicUsize::new(0);
    patiently(poll_fn(|cx| {
        let first = TURN.fetch_add(1, Ordering::Relaxed);
        let mut quiet = 0;
        for turn in (0..meshes.len()).cycle() {
            let index = (first + turn) % meshes.len();
            let Poll::Ready(event) = meshes[index].poll_event(cx) else {
                quiet += 1;
                if quiet == meshes.len() {
                    return Poll::Pending;
                }
                continue;
            };
            quiet = 0;
            if let Some(taken) = take(index, meshes[index], event) {
                return Poll::Ready(taken);
            }
        }
        Poll::Pending
    }))
    .await
}

/// Polls both until each has a writable link, and gives the links.
pub(crate) async fn linked(a: &mut Mesh, b: &mut Mesh) -> (LinkId, LinkId) {
    let mut writable = [None, None];
    until(&mut [a, b], |index, _, event| {
        if let Event::Writable { link } = event {
            writable[index] = Some(link);
        }
        writable[0].zip(writable[1])
    })
    .await
}

/// Sends over a writable link and polls both until the frame came in at the other side.
pub(crate) async fn carry(from: &mut Mesh, link: LinkId, to: &mut Mesh, frame: Bytes) -> Bytes {
    from.send(link, frame).expect("the link is writable");
    let (mut came, mut writable) = (None, false);
    until(&mut [from, to], |_, _, event| {
        if let Event::Received { frame, .. } = event {
            came = Some(frame);
        } else {
            assert!(matches!(event, Event::Writable { .. }), "unexpected {event:?}");
            writable = true;
        }
        if writable { came.take() } else { None }
    })
    .await
}

/// Polls until something is counted, and gives its detail.
pub(crate) async fn noted(meshes: &mut [&mut Mesh], at: usize, what: &str) -> String {
    until(meshes, |index, _, event| {
        let Event::Note { what: noted, detail } = event else { return None };
        (index == at && noted == what).then_some(detail)
    })
    .await
}
