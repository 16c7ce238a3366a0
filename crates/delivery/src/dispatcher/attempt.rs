//! One attempt at one message, from the look at its account to whatever becomes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    Command, Refusal,
    decision::Recheck,
    event::Suppression,
    fact::{Fact, Receipt, Stamp},
    ids::{AccountId, NoticeId},
    policy::Rules,
};
use kulanz_engine::{
    Engine, ExecuteError, Extra, Fault, Loaded, Looked,
    making::{self, Decided, Of, Opened},
    panics,
    store::{OutboxChange, OutboxRow, OutboxState},
    trace,
};
use tokio::{sync::mpsc::UnboundedSender, task::JoinSet};
use tracing::{Instrument, Span, error, field::Empty, info, info_span, warn};

use super::{
    DispatchError, Person,
    lane::Said,
    lanes::{Lanes, Place},
    lease::{leaving, may_have_left, remembering, unless_overtaken},
    panicked,
};
use crate::{
    backoff::Backoff,
    measures,
    senders::{Outgoing, SendError, Senders},
    workshop::{Unmade, Workshop},
};

/// What every attempt needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Courier {
    pub(super) engine: Engine,
    pub(super) workshop: Arc<Workshop>,
    pub(super) senders: Arc<Senders>,
    pub(super) backoff: Backoff,
    pub(super) lanes: Lanes,
    pub(super) lease: Duration,
}

/// A message that was taken, and its place.
pub(super) struct Taken {
    pub(super) row: OutboxRow,
    pub(super) place: Place,
}

/// An attempt is over, well or with what went wrong on our side.
pub(super) struct Ended {
    pub(super) account: AccountId,
    pub(super) error: Option<DispatchError>,
}

/// An attempt that is worth another one.
struct Failed {
    reason: String,
    after: Option<Duration>,
    /// The gateway may have the message all the same.
    left: bool,
}

impl Courier {
    /// Looks at messages of different accounts, at all of them together, and brings each to its end
    /// by itself; tells of each when it is over.
    pub(super) async fn deliver_all(self, taken: Vec<Taken>, ended: UnboundedSender<Ended>) {
        let messages: Vec<(AccountId, NoticeId)> =
            taken.iter().map(|one| (one.row.account.clone(), one.row.notice.clone())).collect();
        let looked = match self.engine.look_at(&messages).await {
            Ok(looked) => looked,
            Err(fault) => messages.iter().map(|_| Err(fault.copy())).collect(),
        };
        let mut attempts = JoinSet::new();
        for (Taken { row, mut place }, looked) in taken.into_iter().zip(looked) {
            let (courier, ended, span) = (self.clone(), ended.clone(), span(&row));
            let attempt = async move {
                let end = courier.bring(&row, looked, &mut place).await;
                let error = unless_overtaken(&row, end).err();
                if let Some(error) = &error {
                    error!(notice = %row.notice, %error, "a message stays in Sending");
                }
                // Its place is free before it is told.
                drop(place);
                // Nobody waits for it where whoever sends has gone.
                drop(ended.send(Ended { account: row.account, error }));
            };
            attempts.spawn(attempt.instrument(span));
        }
        while let Some(attempt) = attempts.join_next().await {
            panicked(attempt);
        }
    }

    /// Brings a message to an end. One that makes the program panic is put aside.
    async fn bring(
        &self,
        row: &OutboxRow,
        looked: Result<Looked, Fault>,
        place: &mut Place,
    ) -> Result<(), DispatchError> {
        let end = match looked {
            Ok(looked) => {
                let delivered = self.deliver(row, looked, place);
                panics::caught_in("delivery", delivered).await.unwrap_or_else(|it| Err(it.into()))
            }
            Err(fault) => Err(fault.into()),
        };
        match end {
            Err(DispatchError::Engine(fault)) if fault.is_the_accounts() => {
                self.put_aside(row, place.was_asked()).await
            }
            other => other,
        }
    }

    /// Brings a message, as it was looked at, to an end.
    async fn deliver(
        &self,
        row: &OutboxRow,
        looked: Looked,
        place: &mut Place,
    ) -> Result<(), DispatchError> {
        let (account, notice) = (&row.account, &row.notice);
        let Looked { rechecked, loaded, opened } = looked;
        match rechecked {
            Recheck::Send => {}
            Recheck::Later(at) => {
                let detail =
                    Some(remembering(may_have_left(row), "may not be contacted now".to_owned()));
                self.engine.try_later(account, self.held(row), at, detail).await?;
                measures::ended(row.channel, "later");
                return Ok(());
            }
            Recheck::Suppress(reason) => return self.suppress(row, reason).await,
            Recheck::NotPending => return self.overtaken(row).await,
        }
        let at = self.engine.clock().now();
        let message = match self.ready(row, loaded, opened, at).await {
            Ok(message) => message,
            Err(Unmade::Fault(fault)) => return Err(fault.into()),
            Err(Unmade::Erased) => return self.suppress(row, Suppression::Erased).await,
            Err(unmade) => {
                error!(%notice, %unmade, "a message could not be made");
                return self.park(row, false, &unmade.to_string()).await;
            }
        };
        let Some(sender) = self.senders.of(&account.creditor, row.channel) else {
            return self.park(row, false, "no sender for this channel").await;
        };
        // Whoever was stopped for so long between two lines may not be the only one any more.
        if place.is_late(self.lease) {
            return Err(DispatchError::Late);
        }
        place.asks();
        let begun = Instant::now();
        let answer = sender.send(&message, notice).await;
        measures::answered(row.channel, begun.elapsed());
        place.answered(match &answer {
            Err(SendError::Retry { busy: true, after, .. }) => Said::Busy(*after),
            _ => Said::Works,
        });
        match answer {
            Ok(accepted) => {
                measures::ended(row.channel, "sent");
                info!(%account, %notice, via = %accepted.via, "sent");
                self.confirm(row, at).await
            }
            Err(SendError::Retry { reason, after, may_have_left: left, .. }) => {
                self.again(row, at, Failed { reason, after, left }).await
            }
            Err(SendError::Refused { reason, address_bad: true }) => {
                self.bounced(row, at, reason).await
            }
            Err(SendError::Refused { reason, .. }) => self.park(row, false, &reason).await,
            Err(SendError::Unknown { reason }) => self.park(row, true, &reason).await,
        }
    }

    pub(super) fn rules(&self, account: &AccountId) -> Result<Arc<Rules>, DispatchError> {
        self.engine
            .rules(account)
            .ok_or_else(|| DispatchError::Refused(format!("no rules for {}", account.creditor)))
    }

    /// The message is not right to send any more.
    async fn suppress(&self, row: &OutboxRow, reason: Suppression) -> Result<(), DispatchError> {
        if may_have_left(row) {
            // The gateway may have it already: nobody can say that it was not sent.
            return self.park(row, true, "it may have left, and is no longer right to send").await;
        }
        let (account, notice) = (&row.account, &row.notice);
        info!(%account, %notice, ?reason, "not sent");
        let command = Command::Suppress { notice: notice.clone(), reason };
        // Nobody is going to read it.
        let (forgets, held) = (vec![making::slot(notice)], vec![self.held(row)]);
        let extra = Extra { forgets, held, ..Extra::default() };
        self.engine.execute_with(account, Some(command), "delivery", extra).await?;
        measures::ended(row.channel, "suppressed");
        Ok(())
    }

    /// The row was taken although its account knows its end already: the row follows.
    async fn overtaken(&self, row: &OutboxRow) -> Result<(), DispatchError> {
        let change = OutboxChange::Move {
            notice: row.notice.clone(),
            state: OutboxState::Suppressed,
            next_at: row.next_at,
            changed_at: self.engine.clock().now(),
            detail: Some("its account had closed it".to_owned()),
        };
        let extra = Extra { outbox: vec![change], held: vec![self.held(row)], ..Extra::default() };
        self.engine.execute_with(&row.account, None, "delivery", extra).await?;
        Ok(())
    }

    async fn again(
        &self,
        row: &OutboxRow,
        at: Timestamp,
        failed: Failed,
    ) -> Result<(), DispatchError> {
        let left = failed.left || may_have_left(row);
        let reason = remembering(left, failed.reason);
        let random = kulanz_engine::vault::random::<8>().map_err(Fault::from)?;
        let random = u64::from_le_bytes(random);
        // A message may have waited for days, for its window or for us, before it was first tried.
        let since_decided = Duration::try_from(at.duration_since(row.decided_at));
        let tried_for = self.backoff.cap.saturating_mul(row.attempts.saturating_sub(1));
        let elapsed = since_decided.unwrap_or_default().min(tried_for);
        match self.backoff.next(row.attempts, elapsed, random, failed.after) {
            Some(wait) => {
                warn!(notice = %row.notice, attempts = row.attempts, %reason, "tried again later");
                let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
                let next = at.saturating_add(wait).unwrap_or(at);
                let held = self.held(row);
                self.engine.try_later(&row.account, held, next, Some(reason)).await?;
                measures::ended(row.channel, "again");
                Ok(())
            }
            None => self.park(row, left, &reason).await,
        }
    }

    pub(super) async fn park(
        &self,
        row: &OutboxRow,
        outcome_unknown: bool,
        reason: &str,
    ) -> Result<(), DispatchError> {
        // What an earlier attempt left behind is not undone by what this one was told.
        let outcome_unknown = outcome_unknown || may_have_left(row);
        warn!(notice = %row.notice, outcome_unknown, %reason, "parked");
        let command = Command::Park { notice: row.notice.clone(), outcome_unknown };
        let state = if outcome_unknown { OutboxState::Unknown } else { OutboxState::Parked };
        let extra = self.moved(row, state, reason);
        self.engine.execute_with(&row.account, Some(command), "delivery", extra).await?;
        measures::ended(row.channel, if outcome_unknown { "unknown" } else { "parked" });
        Ok(())
    }

    /// The gateway says that the address is bad: the step did not happen, the channel is marked,
    /// and the account decides again.
    async fn bounced(
        &self,
        row: &OutboxRow,
        at: Timestamp,
        reason: String,
    ) -> Result<(), DispatchError> {
        warn!(notice = %row.notice, %reason, "the address is bad");
        let fact = Fact::NoticeReceipt {
            notice: row.notice.clone(),
            channel: row.channel,
            at,
            receipt: Receipt::Bounced,
        };
        let command = Command::Record {
            fact,
            stamp: Stamp { at, id: format!("kulanz:gateway#{}", row.notice) },
            at,
            account: row.account.clone(),
            rules: self.rules(&row.account)?,
        };
        let mut extra = self.moved(row, OutboxState::Suppressed, &format!("bounced: {reason}"));
        if !may_have_left(row) {
            extra.forgets.push(making::slot(&row.notice));
        }
        match self.engine.execute_with(&row.account, Some(command), "delivery", extra).await {
            // Of the address nothing is kept any more, and it was not sent.
            Err(ExecuteError::Refused(Refusal::Erased)) => {
                self.suppress(row, Suppression::Erased).await
            }
            done => {
                done?;
                measures::ended(row.channel, "bounced");
                Ok(())
            }
        }
    }

    fn moved(&self, row: &OutboxRow, state: OutboxState, detail: &str) -> Extra {
        let now = self.engine.clock().now();
        let change = OutboxChange::Move {
            notice: row.notice.clone(),
            state,
            next_at: now,
            changed_at: now,
            detail: Some(detail.to_owned()),
        };
        Extra { outbox: vec![change], held: vec![self.held(row)], ..Extra::default() }
    }

    /// The message that leaves: as it was made with its decision where that is still right, else made
    /// anew. On return it says durably that its bytes may leave.
    async fn ready(
        &self,
        row: &OutboxRow,
        loaded: Option<Loaded>,
        opened: Opened,
        at: Timestamp,
    ) -> Result<Outgoing, Unmade> {
        let (id, loaded) = (&row.account, loaded.ok_or(Unmade::NoAddress)?);
        let notice = loaded.account.notices.get(&row.notice).ok_or(Unmade::NoAddress)?;
        let (account, notice) = (&loaded.account, &notice.decided);
        let head = self.workshop.letterhead(&id.creditor).ok_or(Unmade::NoLetterhead)?;
        let rules = self.engine.rules(id).ok_or(Unmade::NoLetterhead)?;
        let slot = making::slot(&row.notice);
        let Opened { mut data, mut stamps } = opened;
        let kept = data.remove(&slot);
        stamps.remove(&slot);
        let to = Person::of(data.get("debtor")).recipient(row.channel);
        let to = to.ok_or(Unmade::NoAddress)?;
        let of = Of { version: loaded.version, stamps };
        let decided = Decided { id, account, notice, rules: &rules, at, data: &data, of };
        let (outbox, held) = (vec![leaving(row, at)], vec![self.held(row)]);
        let mut extra = Extra { outbox, held, ..Extra::default() };
        let content = match kept.and_then(|kept| self.workshop.as_kept(kept, &decided)) {
            Some(content) => content,
            None => {
                self.workshop.fetch_texts(&**self.engine.store(), &notice.policy).await?;
                let made = self.workshop.message(&decided)?;
                extra.secrets.push((slot, self.workshop.keep(&made)?));
                extra.paylinks.push(made.paylink);
                made.content
            }
        };
        let leave = Command::Leave { notice: row.notice.clone() };
        match self.engine.execute_with(id, Some(leave), "delivery", extra).await {
            Ok(_) => {}
            Err(ExecuteError::Failed(fault)) => return Err(fault.into()),
            Err(ExecuteError::Refused(Refusal::Erased)) => return Err(Unmade::Erased),
            Err(ExecuteError::Refused(refusal)) => {
                return Err(Fault::Other(refusal.to_string()).into());
            }
        }
        let (account, step, from) = (id.clone(), row.step.clone(), head.origin.clone());
        let reference = row.notice.to_string();
        Ok(Outgoing { account, step, to, from, content, reference, date: at })
    }
}

/// An attempt, in the trace of the decision that made the message; none where that is not traced.
fn span(row: &OutboxRow) -> Span {
    let Some(decision) = trace::continued(row.traceparent.as_deref()) else { return Span::none() };
    let (account, notice, channel) = (&row.account, &row.notice, row.channel.name());
    decision.adopt(info_span!(
        parent: None, "delivery.send", %account, %notice, channel, attempt = row.attempts,
        end = Empty
    ))
}
