//! The routes, each answer with how it was served.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{delete, get};
use serde_json::json;
use unstale::{Cache, ErrorKind, Freshness, Load, Loaded, Node};
use unstale_fusion::FusionCache;

use crate::database::Database;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) database: Database,
    pub(crate) products: Cache<String, String>,
    pub(crate) shared: FusionCache,
    pub(crate) node: Node,
}

pub(crate) fn router(service: Service) -> Router {
    Router::new()
        .route("/products/{id}", get(read).put(write))
        .route("/cache/{id}", delete(forget))
        .route("/counts", get(counts))
        .with_state(service)
}

type Answer = Result<axum::response::Response, (StatusCode, String)>;

/// `GET /products/7`, or `?within=250` for an answer that is at most so many milliseconds old.
async fn read(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<Vec<(String, u64)>>,
) -> Answer {
    let at = service.node.now();
    let database = service.database.clone();
    let load = async move |_: Load<String>| {
        let name = database.name(id).await?;
        Ok::<_, rusqlite::Error>(name.map_or_else(Loaded::nothing, Loaded::value))
    };
    let key = key(id);
    let reading = service.products.find_or_load(&key, load).at(at);
    let within =
        query.iter().find(|(name, _)| name == "within").map(|(_, millis)| Duration::from_millis(*millis));
    let read = match within {
        Some(within) => reading.freshness(Freshness::within(within)).await,
        None => reading.await,
    }
    .map_err(|error| refused(&error))?;
    let why = if read.has_foreign_writer() { "foreign writer" } else { "no proof" };
    let headers = [
        ("unstale-served", format!("{:?}", read.served()).to_lowercase()),
        ("unstale-proven", if read.proven() { "yes".to_owned() } else { format!("no: {why}") }),
    ];
    match &*read {
        Some(name) => Ok((headers, name.to_string()).into_response()),
        None => Ok((StatusCode::NOT_FOUND, headers).into_response()),
    }
}

/// `PUT /products/7`: the database first, then the cache, on both sides.
async fn write(State(service): State<Service>, Path(id): Path<i64>, name: String) -> Answer {
    service
        .database
        .write(id, name)
        .await
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    forget(State(service), Path(id)).await
}

/// `DELETE /cache/7`: for whoever wrote the database past this service.
async fn forget(State(service): State<Service>, Path(id): Path<i64>) -> Answer {
    // Announced or not: this service is alone, and .NET nodes were told when Redis took it.
    let _ = service.products.remove(&key(id)).await.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /counts`: what was heard of .NET nodes and mended.
async fn counts(State(service): State<Service>) -> String {
    let counts = service.shared.counts();
    json!({"heard": counts.heard, "undone": counts.undone, "settled": counts.settled, "lost": counts.lost})
        .to_string()
}

/// The key as .NET nodes have it, without the prefix.
fn key(id: i64) -> String {
    format!("product:{id}")
}

fn refused(error: &unstale::Error) -> (StatusCode, String) {
    let is_ours = matches!(error.kind(), ErrorKind::Store | ErrorKind::NotProven | ErrorKind::Unannounced);
    let status = if is_ours { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, error.to_string())
}
