//! What goes back to a client besides the rows.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use unstale::{ErrorKind, Read, Receipt, Served};

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
    /// The node whose read it was.
    read_of: Option<HeaderValue>,
}

impl Refusal {
    /// The request makes no sense.
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, reason)
    }

    /// With another status than 400.
    pub(crate) fn with(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), read_of: None }
    }

    /// Of a read of this node: nothing was served, and nothing proven.
    pub(crate) fn of_read(error: unstale::Error, node: &HeaderValue) -> Self {
        Self { read_of: Some(node.clone()), ..Self::from(error) }
    }

    /// The database did not do it.
    pub(crate) fn database(error: impl std::fmt::Display) -> Self {
        Self::with(StatusCode::INTERNAL_SERVER_ERROR, format!("the database: {error}"))
    }
}

impl From<unstale::Error> for Refusal {
    fn from(error: unstale::Error) -> Self {
        const FOR_NOW: [ErrorKind; 4] =
            [ErrorKind::NotProven, ErrorKind::Unannounced, ErrorKind::Timeout, ErrorKind::ShutDown];
        let status = if FOR_NOW.contains(&error.kind()) {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self::with(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = (self.status, Json(json!({ "error": self.reason }))).into_response();
        if let Some(node) = self.read_of {
            let headers = answer.headers_mut();
            headers.insert(HeaderName::from_static("unstale-proven"), yes_or_no(false));
            headers.insert(HeaderName::from_static("unstale-node"), node);
        }
        answer
    }
}

/// The answer to a read, with how it was served; 404 without a body's worth of `body`.
pub(crate) fn of_read<T>(read: &Read<T>, node: &HeaderValue, body: Option<impl Serialize>) -> Response {
    let mut answer = match body {
        Some(body) => Json(body).into_response(),
        None => Refusal::with(StatusCode::NOT_FOUND, "there is no such product").into_response(),
    };
    let served = match read.served() {
        Served::Hit => "hit",
        Served::Load => "load",
        Served::Stale => "stale",
        Served::Bypass | _ => "bypass",
    };
    let headers = answer.headers_mut();
    headers.insert(HeaderName::from_static("unstale-served"), HeaderValue::from_static(served));
    headers.insert(HeaderName::from_static("unstale-proven"), yes_or_no(read.proven()));
    headers.insert(HeaderName::from_static("unstale-node"), node.clone());
    if let Some(age) = read.proof_age() {
        let age = HeaderValue::from(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        headers.insert(HeaderName::from_static("unstale-proof-age-ms"), age);
    }
    answer
}

/// The answer to a write, with the token that names it.
pub(crate) fn of_write(receipt: &Receipt, body: impl Serialize) -> Response {
    let mut answer = Json(body).into_response();
    let headers = answer.headers_mut();
    if let Ok(session) = HeaderValue::try_from(receipt.session().to_string()) {
        headers.insert(HeaderName::from_static("unstale-session"), session);
    }
    headers.insert(HeaderName::from_static("unstale-announced"), yes_or_no(receipt.announced()));
    answer
}

const fn yes_or_no(yes: bool) -> HeaderValue {
    HeaderValue::from_static(if yes { "yes" } else { "no" })
}
