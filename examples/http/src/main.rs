//! A product service that runs as several processes over one SQLite file and stays coherent: see README.md.

mod answer;
mod database;
mod demand;
mod flags;
#[cfg(test)]
mod fuzz;
mod key;
mod recording;
mod routes;
mod service;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use unstale::Node;
use unstale_mesh::{Mesh, Secret};

use crate::database::Database;
use crate::flags::Flags;
use crate::recording::Recording;
use crate::service::Service;

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unstale-example-http: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind(&flags.listen).await?;
    let database = Database::open(&flags.db)?;

    let mut mesh = Mesh::builder()
        .cluster("products")
        .listen(&flags.mesh)
        .secret(Secret::from_env("UNSTALE_MESH_SECRET")?);
    if let Some(address) = &flags.advertise {
        mesh = mesh.advertise(address);
    }
    for peer in &flags.peers {
        mesh = mesh.peer(peer);
    }
    let mut node = Node::builder("products").backplane(mesh.start().await?);
    if let Some(name) = &flags.name {
        node = node.name(name);
    }
    let node = node.start().await?;

    let recording = Recording::open(flags.record.as_deref(), &node)?;
    let service = Service::new(node.clone(), database, recording)?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, routes::all(service)).with_graceful_shutdown(told_to_stop()?).await?;
    Ok(node.shutdown().await?)
}

/// Ready when the process is asked to end.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
