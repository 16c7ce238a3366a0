//! One message that waits is not sent: behind a brake, or since its account was erased.
//!
//! It is discarded only while it waits: what is written of it names the wait that it was found in,
//! in one transaction with its account's event. Whoever takes a message to send it, on whichever
//! instance, and whoever discards it cannot both have it, and what is told is what was.

use kulanz_domain::{Command, event::Suppression};
use kulanz_store::{Held, OutboxChange, OutboxRow, OutboxState};

use crate::{Engine, ExecuteError, Extra, Fault, making};

/// How often a message is looked at again that was tried, and waits again, meanwhile.
const TRIES: usize = 5;

/// What became of a message that was to be discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It is not sent, and its account decides again.
    Done,
    /// An attempt before may have been taken: a person has to say whether it was.
    Unknown,
    /// It had been let through: it left, or is leaving.
    Left,
    /// It had come to an end otherwise.
    Over,
}

/// Discards a message that waits as `row` says, where it still does, for this `reason`. `may_have_left`
/// tells whether an attempt before may have been taken.
///
/// # Errors
/// A fault of the store or of its account.
pub async fn discard(
    engine: &Engine,
    mut row: OutboxRow,
    may_have_left: impl Fn(&OutboxRow) -> bool,
    (reason, cause): (Suppression, &str),
) -> Result<Discarded, Fault> {
    for _ in 0..TRIES {
        let notice = row.notice.clone();
        let held = vec![Held { notice: notice.clone(), holder: None, attempt: row.attempts }];
        let (command, extra, end) = if may_have_left(&row) {
            // Nobody can say that it was not sent, and it is the proof of what was said.
            let now = engine.clock().now();
            let moved = OutboxChange::Move {
                notice: notice.clone(),
                state: OutboxState::Unknown,
                next_at: now,
                changed_at: now,
                detail: Some("it may have left, and is not tried again".to_owned()),
            };
            let extra = Extra { held, outbox: vec![moved], ..Extra::default() };
            (Command::Park { notice, outcome_unknown: true }, extra, Discarded::Unknown)
        } else {
            let forgets = vec![making::slot(&notice)];
            let extra = Extra { held, forgets, ..Extra::default() };
            (Command::Suppress { notice, reason }, extra, Discarded::Done)
        };
        match engine.execute_with(&row.account, Some(command), cause, extra).await {
            Ok(done) if done.kinds.is_empty() => return Ok(Discarded::Over),
            Ok(_) => return Ok(end),
            Err(ExecuteError::Refused(_)) => return Ok(Discarded::Over),
            Err(ExecuteError::Failed(Fault::Overtaken)) => {}
            Err(ExecuteError::Failed(fault)) => return Err(fault),
        }
        match engine.store().outbox_row(row.notice.clone()).await? {
            // It was tried, not taken, and waits again.
            Some(now) if now.state == OutboxState::Queued => row = now,
            Some(now) if now.state != OutboxState::Suppressed => return Ok(Discarded::Left),
            _ => return Ok(Discarded::Over),
        }
    }
    // It is tried all the time: somebody lets it leave.
    Ok(Discarded::Left)
}
