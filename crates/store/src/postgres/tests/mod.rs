//! What PostgreSQL owes beyond the contract: rights, schema, the global order while others write,
//! and what happens when the server or the way to it fails.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;
mod lanes;
mod leaving;
mod locks;
mod order;
mod plans;
mod recent;
mod start;
mod transfer;

#[path = "../../../../../tests/tools/postgres.rs"]
mod server;

use std::sync::Arc;

use tokio_postgres::{Client, NoTls};

use super::*;

fn config(url: &str) -> PostgresConfig {
    url.parse().unwrap()
}

fn fresh() -> impl AsyncFn() -> Arc<dyn Store> {
    let url = server::database();
    async move || {
        Arc::new(PostgresStore::open_shared(config(&url)).await.unwrap()) as Arc<dyn Store>
    }
}

crate::contract_tests!(fresh);

/// A connection beside the store's, as the same user.
async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET search_path TO kulanz").await.unwrap();
    client
}

/// What the server says to a statement that it refuses.
async fn refused(client: &Client, sql: &str) -> String {
    error::message(&client.batch_execute(sql).await.unwrap_err())
}
