//! For whoever watches over a server: whether it lives, whether it can work, and its figures.

use std::sync::atomic::Ordering;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    http::{Server, caller::Caller, problem::Refused},
    telemetry,
};

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(server: Server) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(server)
}

/// Whether the store answers and has room: else nothing can be taken, and a restart would not help.
/// Whoever still has a connection to a server that ends is told so.
async fn ready(State(server): State<Server>) -> Response {
    if server.ending.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server ends\n").into_response();
    }
    if server.house.engine.lacks_room() {
        let said = "no space left for the data\n";
        return (StatusCode::SERVICE_UNAVAILABLE, said).into_response();
    }
    match server.house.engine.store().next_wake(kulanz_store::Partitions::ALL).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// Figures of the whole installation: not for tokens of one creditor, nor for those of shops.
async fn metrics(caller: Caller) -> Result<Response, Refused> {
    caller.needs(&["read", "admin"])?;
    if caller.creditor().is_some() {
        return Err(Refused::forbidden("metrics need a token for all creditors"));
    }
    let text = telemetry::exposition().unwrap_or_else(|| Ok(String::new()));
    let text = text.map_err(|error| Refused::fault(&error))?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text).into_response())
}
