//! What the server's errors mean: told apart by SQLSTATE and by the name of the constraint.

use std::{error::Error as _, io, time::Duration};

use tokio_postgres::{Error, error::SqlState};

use super::config::{PostgresConfig, said, unusable};
use crate::StoreError;

/// Why a transaction did not come to its end.
pub(super) enum Failed {
    /// Another one was in the way; tried again it may hold.
    Raced(Error),
    /// Somebody else held a lock for longer than one waits for it.
    Busy(Error),
    /// The connection is gone.
    Lost(StoreError),
    /// Trying again does not help.
    For(StoreError),
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Raced(error) | Failed::Busy(error) => Self::Backend(error.into()),
            Failed::Lost(error) | Failed::For(error) => error,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable(..) => Self::Lost(error),
            other => Self::For(other),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        // Two writers met: each account, inbound event, request and deadlock is worth another try, which
        // reads what the other one committed.
        let raced = match error.code() {
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => true,
            Some(&SqlState::UNIQUE_VIOLATION) => {
                matches!(
                    constraint(&error),
                    Some("accounts_creditor_debtor_key" | "inbox_pkey" | "requests_pkey")
                )
            }
            _ => false,
        };
        if raced {
            Self::Raced(error)
        } else if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
            Self::Busy(error)
        } else {
            StoreError::from(error).into()
        }
    }
}

fn constraint(error: &Error) -> Option<&str> {
    error.as_db_error().and_then(|found| found.constraint())
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let Some(code) = error.code().cloned() else {
            let broken = error.source().is_some_and(|source| source.is::<io::Error>());
            return if error.is_closed() || broken {
                Self::Unreachable("the connection was lost".to_owned(), error.into())
            } else {
                Self::Backend(error.into())
            };
        };
        match code {
            SqlState::DISK_FULL => Self::Full(error.into()),
            SqlState::UNIQUE_VIOLATION => match constraint(&error) {
                Some("outbox_notice_key") => Self::Misused("the message exists".to_owned()),
                Some("paylinks_pkey") => Self::Misused("the paylink exists".to_owned()),
                Some("tokens_pkey") => Self::Misused("the token exists".to_owned()),
                _ => Self::Backend(error.into()),
            },
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                Self::Unreachable("the server is stopping or starting".to_owned(), error.into())
            }
            SqlState::READ_ONLY_SQL_TRANSACTION => unusable(
                "it only reads: name the primary server in the URL, and a role that may write",
            ),
            SqlState::INSUFFICIENT_PRIVILEGE => unusable(format!(
                "a right is missing ({}): let the owner of schema kulanz grant it",
                message(&error)
            )),
            _ => Self::Backend(error.into()),
        }
    }
}

pub(super) fn message(error: &Error) -> String {
    match error.as_db_error() {
        Some(found) => found.message().to_owned(),
        None => said(error),
    }
}

/// Why there is no connection, with what to do about it.
pub(super) fn not_connected(config: &PostgresConfig, error: Error) -> StoreError {
    let (user, database) = (config.user(), config.database());
    match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            unusable(format!(
                "the server refuses {} ({}): check user and password, and that pg_hba.conf lets \
                 them in",
                config.place(),
                message(&error)
            ))
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => unusable(format!(
            "the server has no database {database}: make one with CREATE DATABASE {database} \
             OWNER {user} ENCODING 'UTF8' TEMPLATE template0"
        )),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => unusable(format!(
            "{user} may not connect to database {database}: GRANT CONNECT ON DATABASE {database} \
             TO {user}"
        )),
        Some(&SqlState::TOO_MANY_CONNECTIONS) => StoreError::Unreachable(
            format!(
                "{} has no connection left: raise max_connections, or the limit of the role or the \
                 database",
                config.place()
            ),
            error.into(),
        ),
        Some(_) => StoreError::from(error),
        None => {
            // A name or certificate that does not fit will not fit later either.
            let what = said(&error);
            if what.contains("password missing") {
                return unusable(format!(
                    "the server wants a password for {user}: name the place of it with \
                     database_password in kulanz.yaml"
                ));
            }
            if what.contains("invalid configuration") || what.contains("certificate") {
                return unusable(format!("{} cannot be reached: {what}", config.place()));
            }
            if what.contains("server does not support TLS") {
                return unusable(format!(
                    "{} does not speak TLS: set ssl = on there, or sslmode=disable in the URL",
                    config.place()
                ));
            }
            StoreError::Unreachable(format!("{} cannot be reached", config.place()), error.into())
        }
    }
}

/// The server did not answer in time.
pub(super) fn timed_out(what: &str, after: Duration) -> StoreError {
    let source = io::Error::new(io::ErrorKind::TimedOut, format!("{after:?} are over"));
    StoreError::Unreachable(format!("{what} took too long"), source.into())
}
