//! A product service whose cache .NET FusionCache nodes share on one Redis: see README.md.

mod database;
mod flags;
mod routes;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use unstale::{FailSafe, Json, Node};
use unstale_fusion::{Format, FusionCache, FusionSettings};
use unstale_redis::{Settings, SharedRedis};

use crate::database::Database;
use crate::flags::Flags;
use crate::routes::Service;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unstale-example-dotnet-estate: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn Error + Send + Sync>> {
    let database = Database::open(&flags.db)?;

    // The same words as in the .NET nodes' configuration.
    let redis = SharedRedis::open(Settings::parse(&flags.redis)?)?;
    let settings = FusionSettings::new("Products", Format::SystemTextJson)
        .key_prefix("shop:")
        .hold_off(Duration::from_millis(flags.longest_factory_ms));
    let shared = FusionCache::open(redis, settings)?;

    let node = Node::builder("shop").start().await?;
    let products = node
        .cache("products")
        .time_to_live(Duration::from_secs(60))
        .fail_safe(FailSafe::for_at_most(Duration::from_secs(3_600)))
        .stored_as(Json)
        .foreign(shared.clone())
        .build()?;

    let listener = TcpListener::bind(&flags.listen).await?;
    // The service would work before, and trust nothing for longer than 250 ms.
    products.until_heard().await;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener, routes::router(Service { database, products, shared, node })).await?;
    Ok(())
}
