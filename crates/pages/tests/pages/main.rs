//! The debtor's page over HTTP, on a real store with a standing clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod apology;
mod card;
mod exits;
mod house;
mod links;
mod minors;
mod overview;
mod replies;
mod statement;
