//! The routes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answer::{Refusal, of_read, of_write};
use crate::database::{Fields, Product, Wish};
use crate::demand::Demand;
use crate::service::Service;

/// The most bytes of a request's body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// The most bytes of an id, a category or a tag.
const NAME_BYTES_MAX: usize = 1 << 10;

/// Every route of the service.
pub(crate) fn all(service: Service) -> Router {
    Router::new()
        .route("/products/{id}", get(product).put(put_product).delete(delete_product))
        .route("/products/bulk", post(bulk))
        .route("/categories/{name}", get(category))
        .route("/tags/{tag}", delete(forget))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || Refusal::with(StatusCode::NOT_FOUND, "there is no such route"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(service)
}

/// A body in JSON, whatever the request says about its type.
struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Refusal::with(error.status(), error.body_text()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Refusal::bad(error.to_string()))
    }
}

/// The part of the path that the route names.
struct Part(String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let part = Path::from_request_parts(parts, state).await;
        part.map(|Path(part)| Self(part)).map_err(|error| Refusal::with(error.status(), error.body_text()))
    }
}

async fn product(
    State(service): State<Service>,
    Part(id): Part,
    demand: Demand,
) -> Result<Response, Refusal> {
    let read = service.product(id, demand).await;
    let read = read.map_err(|error| Refusal::of_read(error, &service.name))?;
    Ok(of_read(&read, &service.name, read.as_deref()))
}

async fn put_product(
    State(service): State<Service>,
    Part(id): Part,
    Body(fields): Body<Fields>,
) -> Result<Response, Refusal> {
    let wish = checked(Wish { id, fields })?;
    let (stored, receipt) = service.store(vec![wish]).await?;
    Ok(of_write(&receipt, &stored[0]))
}

async fn bulk(State(service): State<Service>, Body(wishes): Body<Vec<Wish>>) -> Result<Response, Refusal> {
    if wishes.is_empty() {
        return Err(Refusal::bad("there is no product in the list"));
    }
    let wishes = wishes.into_iter().map(checked).collect::<Result<_, _>>()?;
    let (stored, receipt) = service.store(wishes).await?;
    Ok(of_write(&receipt, stored))
}

async fn delete_product(State(service): State<Service>, Part(id): Part) -> Result<Response, Refusal> {
    match service.delete(id.clone()).await? {
        Some(deletion) => Ok(of_write(&deletion.receipt, json!({ "id": id, "version": deletion.version }))),
        None => Err(Refusal::with(StatusCode::NOT_FOUND, "there is no such product")),
    }
}

async fn category(
    State(service): State<Service>,
    Part(name): Part,
    demand: Demand,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Category<'a> {
        category: &'a str,
        products: &'a [Product],
    }
    let read = service.category(&name, demand).await;
    let read = read.map_err(|error| Refusal::of_read(error, &service.name))?;
    Ok(of_read(&read, &service.name, Some(Category { category: &name, products: &read })))
}

async fn forget(State(service): State<Service>, Part(tag): Part) -> Result<Response, Refusal> {
    name_checked("the tag", &tag)?;
    let receipt = service.forget(tag.clone()).await?;
    Ok(of_write(&receipt, json!({ "tag": tag })))
}

async fn ready(State(service): State<Service>) -> Response {
    let readiness = service.node.ready();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], readiness.to_json()).into_response()
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let text: (HeaderName, HeaderValue) =
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    ([text], service.node.metrics().to_prometheus())
}

fn checked(wish: Wish) -> Result<Wish, Refusal> {
    name_checked("the id", &wish.id)?;
    name_checked("the category", &wish.fields.category)?;
    Ok(wish)
}

fn name_checked(what: &str, name: &str) -> Result<(), Refusal> {
    match name.len() {
        0 => Err(Refusal::bad(format!("{what} is empty"))),
        1..=NAME_BYTES_MAX => Ok(()),
        bytes => Err(Refusal::bad(format!("{what} has {bytes} bytes, the limit is {NAME_BYTES_MAX}"))),
    }
}
