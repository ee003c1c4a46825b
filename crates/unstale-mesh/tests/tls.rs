//! Meshes inside TLS with certificates on both sides.

use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use unstale_mesh::{Builder, Mesh, Secret, Tls};
use unstale_port::{Backplane, Event, LinkId};

/// Somebody who issues certificates, and the folder that they are in.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("authority.pem"), &certificate.pem());
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// A node with a certificate for `host`.
    fn node(&self, host: &str) -> Tls {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let path = |name| self.folder.path().join(name);
        write(&path("node.pem"), &certificate.pem());
        write(&path("node.key"), &key.serialize_pem());
        Tls::from_files(path("node.pem"), path("node.key"), path("authority.pem")).expect("they fit")
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}

async fn start(builder: Builder) -> Mesh {
    builder.start().await.expect("the mesh starts")
}

/// The port of a mesh, at 127.0.0.1.
fn address(mesh: &Mesh) -> String {
    let listening = mesh.properties().listening.clone().expect("a mesh listens");
    format!("127.0.0.1:{}", listening.rsplit_once(':').expect("a port").1)
}

/// Polls all until `take` gives something.
async fn until<T>(meshes: &mut [&mut Mesh], mut take: impl FnMut(usize, &mut Mesh, Event) -> Option<T>) -> T {
    let taken = poll_fn(|cx| {
        loop {
            let mut quiet = true;
            for (index, mesh) in meshes.iter_mut().enumerate() {
                if let Poll::Ready(event) = mesh.poll_event(cx) {
                    quiet = false;
                    if let Some(taken) = take(index, mesh, event) {
                        return Poll::Ready(taken);
                    }
                }
            }
            if quiet {
                return Poll::Pending;
            }
        }
    });
    tokio::time::timeout(Duration::from_secs(60), taken).await.expect("it happens within a minute")
}

async fn writable(meshes: &mut [&mut Mesh], at: usize) -> LinkId {
    until(meshes, |index, _, event| match (index == at, event) {
        (true, Event::Writable { link }) => Some(link),
        (_, _) => None,
    })
    .await
}

/// The reasons, of both sides, why two meshes do not link.
async fn refusal(a: &mut Mesh, b: &mut Mesh) -> [String; 2] {
    let mut noted = [None, None];
    until(&mut [a, b], |index, _, event| {
        let Event::Note { what, detail } = event else { panic!("unexpected {event:?}") };
        noted[index].get_or_insert(format!("{what}: {detail}"));
        let [Some(first), Some(second)] = &noted else { return None };
        Some([first.clone(), second.clone()])
    })
    .await
}

#[tokio::test]
async fn peers_with_certificates_of_one_authority_are_linked_without_a_secret_even_beyond_loopback() {
    let authority = Authority::new();
    let mut a = start(Mesh::builder().listen("0.0.0.0:0").tls(authority.node("127.0.0.1"))).await;
    let mut b = start(Mesh::builder().tls(authority.node("127.0.0.1")).peer(address(&a))).await;
    let to_a = writable(&mut [&mut a, &mut b], 1).await;
    let frame: Bytes = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    b.send(to_a, frame.clone()).expect("writable");
    let came = until(&mut [&mut a, &mut b], |index, _, event| match (index, event) {
        (0, Event::Received { frame, .. }) => Some(frame),
        (_, _) => None,
    })
    .await;
    assert!(came == frame);
}

#[tokio::test]
async fn a_peer_is_known_by_the_name_that_was_discovered() {
    let authority = Authority::new();
    let mut a = start(Mesh::builder().tls(authority.node("localhost"))).await;
    let by_name = address(&a).replace("127.0.0.1", "localhost");
    let mut b = start(Mesh::builder().tls(authority.node("localhost")).discover(by_name)).await;
    writable(&mut [&mut a, &mut b], 1).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut a = start(Mesh::builder().tls(ours.node("127.0.0.1"))).await;
    let mut b = start(Mesh::builder().tls(theirs.node("127.0.0.1")).peer(address(&a))).await;
    for reason in refusal(&mut a, &mut b).await {
        assert!(reason.starts_with("handshake-broken: "), "{reason}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_by_who_dials_it() {
    let authority = Authority::new();
    let mut a = start(Mesh::builder().tls(authority.node("other.invalid"))).await;
    let mut b = start(Mesh::builder().tls(authority.node("127.0.0.1")).peer(address(&a))).await;
    let [_, at_dialler] = refusal(&mut a, &mut b).await;
    assert!(at_dialler.contains("not valid for name"), "{at_dialler}");
}

#[tokio::test]
async fn a_secret_is_asked_for_inside_tls_too() {
    let authority = Authority::new();
    let secret = |text| Secret::new(text).expect("not empty");
    let mut a = start(Mesh::builder().tls(authority.node("127.0.0.1")).secret(secret("one"))).await;
    let other = Mesh::builder().tls(authority.node("127.0.0.1")).secret(secret("two"));
    let mut b = start(other.peer(address(&a))).await;
    let [at_listener, _] = refusal(&mut a, &mut b).await;
    assert!(at_listener.starts_with("handshake-secret: "), "{at_listener}");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_refused_and_harms_nobody() {
    let authority = Authority::new();
    let mut a = start(Mesh::builder().tls(authority.node("127.0.0.1"))).await;
    let mut plain = start(Mesh::builder().peer(address(&a))).await;
    let [at_listener, _] = refusal(&mut a, &mut plain).await;
    assert!(at_listener.starts_with("handshake-broken: "), "{at_listener}");
    drop(plain);
    let mut stranger = TcpStream::connect(address(&a)).await.expect("it listens");
    stranger.write_all(&[0x16, 3, 1, 0xff, 0xff, 1, 2, 3]).await.expect("sent");
    let mut b = start(Mesh::builder().tls(authority.node("127.0.0.1")).peer(address(&a))).await;
    writable(&mut [&mut a, &mut b], 1).await;
}

#[tokio::test]
async fn files_that_do_not_fit_are_named() {
    let authority = Authority::new();
    authority.node("127.0.0.1");
    let path = |name| authority.folder.path().join(name);
    write(&path("empty.pem"), "");
    for (certificate, key, root, named) in [
        ("absent.pem", "node.key", "authority.pem", "absent.pem"),
        ("empty.pem", "node.key", "authority.pem", "empty.pem"),
        ("node.pem", "node.pem", "authority.pem", "node.pem"),
        ("node.pem", "node.key", "node.key", "node.key"),
        ("authority.pem", "node.key", "authority.pem", "authority.pem"),
    ] {
        let error = Tls::from_files(path(certificate), path(key), path(root)).expect_err("it is refused");
        assert!(error.to_string().contains(named), "{error}");
    }
}
