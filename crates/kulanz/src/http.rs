//! The server: events in, accounts out, orders and paylinks, debtors' pages, and in a sandbox the
//! outbox page. Each group of paths has a file of its own below.

mod accounts;
mod asked;
pub mod caller;
mod caught;
mod events;
pub mod idempotency;
mod notices;
#[cfg(test)]
mod openapi;
mod orders;
mod paylinks;
mod placements;
pub mod problem;
pub mod schema;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use jiff::tz::TimeZone;
use kulanz_wire::MAX_BATCH_BYTES;

pub use self::caught::caught;
use crate::house::House;

/// Shared by all requests.
#[derive(Clone)]
pub struct Server {
    /// The installation.
    pub house: Arc<House>,
    /// Where debtors reach their pages, without a slash at its end.
    pub base_url: Arc<str>,
    /// Test pages may be shown.
    pub sandbox: bool,
    /// The server has begun to end, told to or since a part of it has died.
    pub ending: Arc<AtomicBool>,
    /// Commands with a key that it works on.
    pub under_way: idempotency::UnderWay,
}

/// The routes of the program itself; debtors' pages are merged in by the caller.
pub fn router(server: Server) -> Router {
    let mut router = Router::new().nest("/v1", v1()).fallback(problem::no_such_path);
    if server.sandbox {
        router = router
            .route("/", get(crate::outbox_page::index))
            .route("/outbox", get(crate::outbox_page::index))
            .route("/outbox/{notice}", get(crate::outbox_page::message))
            .route("/outbox/{notice}/html", get(crate::outbox_page::html));
    }
    router
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BATCH_BYTES))
        .with_state(server)
}

/// What shops and their systems ask.
fn v1() -> Router<Server> {
    Router::new()
        .route("/events", post(events::take))
        .route("/orders", post(orders::give))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{creditor}/{debtor}", get(accounts::show))
        .route("/accounts/{creditor}/{debtor}/events", get(accounts::events))
        .route("/accounts/{creditor}/{debtor}/paylinks", post(paylinks::make))
        .route("/accounts/{creditor}/{debtor}/placements/{placement}", get(placements::show))
        .route("/notices/{notice}", get(notices::show))
        .method_not_allowed_fallback(problem::no_such_method)
        .fallback(problem::no_such_path)
}

/// Listens on `address`; anything but loopback needs a token in the store first.
pub async fn listen(house: &House, address: SocketAddr) -> Result<tokio::net::TcpListener> {
    let tokens = house.engine.store().tokens().await?;
    let published = house.settings.base_url.as_deref().is_some_and(|url| !is_local(url));
    if published && tokens.is_empty() {
        bail!(
            "base_url says that a proxy shows this server to others, and through a proxy everybody \
             looks like this machine. Make a token first: `kulanz token create --person NAME \
             --role events`"
        );
    }
    if !address.ip().is_loopback() && tokens.is_empty() {
        bail!(
            "nobody could be told apart on {address}: make a token first (`kulanz token create \
             --person NAME --role events`), or listen on 127.0.0.1"
        );
    }
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is something else there?"))
}

/// Whether a URL names this machine.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    matches!(host, "localhost" | "127.0.0.1") || rest.starts_with("[::1]")
}

/// The time for people, in the zone of the machine's clock setting.
pub fn shown(at: jiff::Timestamp) -> String {
    at.to_zoned(TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC))
        .strftime("%a %Y-%m-%d %H:%M")
        .to_string()
}
