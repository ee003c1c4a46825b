//! A mesh keeps the promises of a backplane.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unstale_conformance::BackplaneFixture;
use unstale_mesh::{Mesh, Secret};
use unstale_port::Properties;

/// Meshes that all dial each other.
struct Meshes;

impl BackplaneFixture for Meshes {
    type Backplane = Mesh;

    async fn start(&mut self, count: usize) -> Vec<Mesh> {
        let bound: Vec<_> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let addresses: Vec<_> =
            bound.iter().map(|bound| bound.local_addr().expect("bound").to_string()).collect();
        let secret = Secret::new("a secret for tests").expect("not empty");
        let mut meshes = Vec::new();
        for listener in bound {
            let mut builder = Mesh::builder().cluster("shop").secret(secret.clone()).listener(listener);
            for address in &addresses {
                builder = builder.peer(address);
            }
            meshes.push(builder.start().await.expect("the mesh starts"));
        }
        meshes
    }

    async fn throw_garbage(&mut self, target: &Properties, bytes: &[u8]) {
        let address = target.listening.clone().expect("a mesh listens");
        let mut stranger = TcpStream::connect(address).await.expect("it listens");
        // The mesh hangs up as soon as it does not like what it reads: then the rest cannot be sent.
        let _ = stranger.write_all(bytes).await;
        let _ = stranger.shutdown().await;
        let _ = stranger.read_to_end(&mut Vec::new()).await;
    }
}

unstale_conformance::backplane_suite!(Meshes);
