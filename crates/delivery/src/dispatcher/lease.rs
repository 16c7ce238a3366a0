//! Whose a message is: the lease that whoever sends it renews, what becomes of messages whose holder
//! died, and what the holder still writes of them.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::Command;
use kulanz_engine::{
    ExecuteError, Fault,
    store::{Held, Lease, OutboxChange, OutboxRow, OutboxState},
};
use tracing::{error, warn};

use super::{DispatchError, attempt::Courier};
use crate::measures;

/// Messages of others that are taken over at once.
const LEFT_AT_ONCE: u32 = 100;
/// For how long, and how often, the store is asked to take down what became of a message.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);
/// When a message is tried again whose account makes the program panic.
const ASIDE: SignedDuration = SignedDuration::from_hours(1);
/// What the row of a message says that an attempt may have sent: it is tried again under its key,
/// and never told as not sent.
const MAY_HAVE_LEFT: &str = "it may have left, and is tried again under its key";

/// What the row of a message says while its bytes may be leaving.
const LEAVING: &str = "its bytes are leaving";

/// Whether an attempt before this one was interrupted after its bytes may have left, or had no clear
/// answer from the gateway.
pub fn may_have_left(row: &OutboxRow) -> bool {
    row.detail.as_deref().is_some_and(|detail| detail.contains(MAY_HAVE_LEFT))
}

/// What the row says after an attempt: that it may have left is not forgotten.
pub(super) fn remembering(may_have_left: bool, detail: String) -> String {
    if may_have_left { format!("{MAY_HAVE_LEFT}: {detail}") } else { detail }
}

/// From here on bytes of the message may leave: whoever finds it abandoned has to know.
pub(super) fn leaving(row: &OutboxRow, at: Timestamp) -> OutboxChange {
    OutboxChange::Move {
        notice: row.notice.clone(),
        state: OutboxState::Sending,
        next_at: row.next_at,
        changed_at: at,
        detail: Some(remembering(may_have_left(row), LEAVING.to_owned())),
    }
}

impl Courier {
    /// Looks at whatever an instance that died, or an attempt that failed on the way, left in
    /// `Sending`: it is tried again where that is safe, through a gateway that knows our key or
    /// since none of it had left yet, and parked as unknown where it is not. What is under way stays.
    pub(super) async fn recover(&self) -> Result<usize, DispatchError> {
        let mut count = 0;
        loop {
            let (lease, but) = (self.lease(), self.lanes.held());
            let left = self.engine.store().take_abandoned(LEFT_AT_ONCE, lease, but).await?;
            if left.is_empty() {
                return Ok(count);
            }
            for row in &left {
                count += 1;
                let known = self.senders.of(&row.account.creditor, row.channel);
                let known = known.is_none_or(|one| one.idempotent());
                let was_leaving = row.detail.as_deref().is_some_and(|it| it.contains(LEAVING));
                let left = was_leaving || may_have_left(row);
                let done = if known || !left {
                    let detail = Some(remembering(left, "interrupted".to_owned()));
                    let now = self.engine.clock().now();
                    let held = self.held(row);
                    self.engine.try_later(&row.account, held, now, detail).await.map_err(Into::into)
                } else {
                    warn!(notice = %row.notice, "interrupted attempt: outcome unknown");
                    self.park(row, true, "interrupted while sending").await
                };
                let done = match done {
                    // It must not keep all others from being looked at.
                    Err(DispatchError::Engine(fault)) if fault.is_the_accounts() => {
                        self.put_aside(row, left).await
                    }
                    other => other,
                };
                unless_overtaken(row, done)?;
            }
        }
    }

    /// A message that makes the program panic waits for a person, as one does that cannot be made.
    /// Where its account cannot be told even that, its row says so: it is tried again in an hour, or,
    /// where it may have `left`, never.
    pub(super) async fn put_aside(&self, row: &OutboxRow, left: bool) -> Result<(), DispatchError> {
        let (account, notice) = (&row.account, &row.notice);
        error!(%account, %notice, "a message makes the program panic, and is put aside");
        match self.park(row, left, "it makes the program panic; the log says where").await {
            Err(DispatchError::Engine(fault)) if fault.is_the_accounts() => {}
            other => return other,
        }
        let (now, left) = (self.engine.clock().now(), left || may_have_left(row));
        let detail = "its account makes the program panic, or cannot be read; the log says where";
        let change = OutboxChange::Move {
            notice: notice.clone(),
            state: if left { OutboxState::Unknown } else { OutboxState::Queued },
            next_at: now.saturating_add(ASIDE).unwrap_or(now),
            changed_at: now,
            detail: Some(detail.to_owned()),
        };
        self.engine.put_aside(account, self.held(row), change).await?;
        measures::ended(row.channel, if left { "unknown" } else { "later" });
        Ok(())
    }

    pub(super) fn lease(&self) -> Lease {
        let seconds = u32::try_from(self.lease.as_secs()).unwrap_or(u32::MAX);
        Lease { holder: self.engine.instance().to_owned(), seconds }
    }

    pub(super) fn held(&self, row: &OutboxRow) -> Held {
        let (notice, holder) = (row.notice.clone(), Some(self.engine.instance().to_owned()));
        Held { notice, holder, attempt: row.attempts }
    }

    /// Says again and again that the messages that are under way are ours, for ever.
    pub(super) async fn renew_leases(&self) {
        loop {
            tokio::time::sleep(self.lease / 4).await;
            let (begun, held) = (Instant::now(), self.lanes.held());
            if held.is_empty() {
                continue;
            }
            match self.engine.store().renew_lease(held.clone(), self.lease()).await {
                // Those that are at their end are nobody's any more.
                Ok(ours) => {
                    let ours = held.into_iter().zip(ours).filter(|(_, ours)| *ours);
                    self.lanes.renewed(begun, ours.map(|(notice, _)| notice));
                }
                Err(error) => warn!(%error, "the lease on messages cannot be renewed"),
            }
        }
    }

    /// The gateway took the message. Where the store is away at that moment it is waited for: who
    /// looks at the message later could not know any more.
    pub(super) async fn confirm(
        &self,
        row: &OutboxRow,
        at: Timestamp,
    ) -> Result<(), DispatchError> {
        let begun = Instant::now();
        loop {
            let (notice, rules) = (row.notice.clone(), self.rules(&row.account)?);
            let command = Command::ConfirmSent { notice, at, rules };
            match self.engine.execute(&row.account, command, "delivery").await {
                Ok(_) => return Ok(()),
                Err(ExecuteError::Failed(fault))
                    if begun.elapsed() < PATIENCE && !fault.is_the_accounts() =>
                {
                    warn!(notice = %row.notice, %fault, "that it was sent is not recorded yet");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
}

/// What another instance has taken over is no error: it is in good hands.
pub(super) fn unless_overtaken(
    row: &OutboxRow,
    end: Result<(), DispatchError>,
) -> Result<(), DispatchError> {
    match end {
        Err(DispatchError::Engine(Fault::Overtaken)) => {
            warn!(notice = %row.notice, "another instance goes on with this message");
            measures::ended(row.channel, "overtaken");
            Ok(())
        }
        other => other,
    }
}
