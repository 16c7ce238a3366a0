//! Takes messages from the outbox and brings each to its end: sent, suppressed, later, parked or
//! unknown. What became of it is an event of its account, in the same transaction as the row.
//!
//! A message is made with its decision (`kulanz_engine::making`). The order of one attempt: the row
//! says `Sending`, durably; the account is looked at once more; where what the message was made of
//! has changed meanwhile it is made anew and kept, sealed, with the paylink that it carries; the row
//! says, durably, that bytes may leave; only then do they. Where a process dies after that, another
//! one finds it in the row: through a gateway that knows our key the message is tried again,
//! otherwise it is parked as unknown.
//!
//! Whoever takes a message has a lease on it, for a minute at a time. Whatever is written of an
//! attempt, before its bytes leave and after, is written only where the lease is still ours; that
//! the gateway took it is the exception, since that is true whoever has the message by now.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    Command,
    decision::Recheck,
    fact::{Fact, Receipt, Stamp},
    ids::*,
    policy::Rules,
};
use kulanz_engine::brake::{self, Gate};
use kulanz_engine::making::{self, Decided, Maker, Of, Opened};
use kulanz_engine::store::{OutboxChange, OutboxRow, OutboxState, Paylink, StoreError};
use kulanz_engine::{Engine, ExecuteError, Extra, Fault, Loaded, trace};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{Instrument, Span, error, field::Empty, info, info_span, warn};

mod lease;
mod person;

pub(crate) use person::Person;

use lease::{Renewed, leaving, may_have_left, remembering, unless_overtaken};

use crate::{
    backoff::Backoff,
    measures,
    render::{Creditor, Templates},
    renewal::{self, Renewal, RenewalError},
    senders::{Origin, Outgoing, SendError, Senders},
    workshop::{Unmade, Workshop},
};

/// Messages that are on their way at the same time.
const AT_ONCE: u32 = 16;
/// For how long a message is taken. Then whoever had it is taken for dead. While a gateway takes
/// its time, the lease is renewed four times in that time.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is looked for messages that nobody goes on with.
const LOOK: Duration = Duration::from_secs(10);

/// A creditor as messages show it.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// For the texts.
    pub creditor: Creditor,
    /// For the gateways.
    pub origin: Origin,
}

/// Everything that a message is made with.
pub struct Dispatcher {
    engine: Engine,
    workshop: Arc<Workshop>,
    senders: Senders,
    backoff: Backoff,
    gate: Gate,
    /// Which creditor comes first: each in its turn.
    turn: AtomicUsize,
    lease: Duration,
}

/// Why a message could not be brought to its end. The row stays as it is.
#[derive(Debug, Error)]
pub enum DispatchError {
    /// A fault of the engine.
    #[error(transparent)]
    Engine(#[from] Fault),
    /// A fault of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The account refused what should have been possible.
    #[error("the account refuses: {0}")]
    Refused(String),
    /// It took so long that another instance may go on with the message.
    #[error("the lease on the message ran out before it left")]
    Late,
}

impl From<ExecuteError> for DispatchError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Failed(fault) => Self::Engine(fault),
            ExecuteError::Refused(refusal) => Self::Refused(refusal.to_string()),
        }
    }
}

/// An attempt that is worth another one.
struct Failed {
    reason: String,
    after: Option<Duration>,
    /// The gateway may have the message all the same.
    left: bool,
}

impl Dispatcher {
    /// A dispatcher; `senders` has one for each channel in use, `base_url` is where debtors'
    /// pages are, without a slash at its end.
    pub fn new(
        engine: Engine,
        letterheads: HashMap<CreditorId, Letterhead>,
        senders: impl Into<Senders>,
        base_url: String,
    ) -> Self {
        Self::with_fingerprint(engine, letterheads, senders, base_url, "")
    }

    /// The same for rules with this `fingerprint`: a message that was made by others is made anew.
    pub fn with_fingerprint(
        engine: Engine,
        letterheads: HashMap<CreditorId, Letterhead>,
        senders: impl Into<Senders>,
        base_url: String,
        fingerprint: &str,
    ) -> Self {
        let workshop = Arc::new(Workshop::new(letterheads, base_url, fingerprint));
        engine.make_by(Arc::clone(&workshop) as Arc<dyn Maker>);
        let (gate, turn) = (Gate::default(), AtomicUsize::new(0));
        let (senders, backoff, lease) = (senders.into(), Backoff::default(), LEASE);
        Self { engine, workshop, senders, backoff, gate, turn, lease }
    }

    /// The same, with another time after which an instance that took a message and does not say
    /// that it is still there is taken for dead; a minute by default.
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The texts of a policy's version.
    pub fn add_texts(&self, policy: &str, version: u32, templates: Arc<Templates>) {
        self.workshop.add_texts(policy, version, templates);
    }

    /// Sends a fresh link for an expired one, at the debtor's own request, to the address on file.
    pub async fn renew(&self, expired: &Paylink) -> Result<(), RenewalError> {
        let head = self.workshop.letterhead(&expired.account.creditor);
        let head = head.ok_or(RenewalError::NoAddress)?;
        let texts = renewal::texts().map_err(|problems| {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            Fault::Other(format!("the program's own texts: {problem}"))
        })?;
        let renewal = Renewal {
            engine: &self.engine,
            head,
            senders: &self.senders,
            texts: &texts,
            base_url: self.workshop.base_url(),
        };
        renewal.send(expired).await
    }

    /// Takes messages until it is told to `stop`; those that are under way then come to their end.
    /// What others left is looked for now and then.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let mut looked: Option<Instant> = None;
        while !*stop.borrow() {
            let turn = async {
                if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                    let left = self.recover().await?;
                    if left > 0 {
                        warn!(left, "messages that nobody went on with were looked at");
                    }
                    looked = Some(Instant::now());
                }
                self.run_once().await
            };
            match turn.await {
                Ok(0) => self.engine.changed(Duration::from_secs(1)).await,
                Ok(_) => {}
                Err(error) => {
                    error!(%error, "the outbox cannot be worked on");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Takes what is due now; how many messages were taken. None where other rules than ours are
    /// served by now.
    pub async fn run_once(&self) -> Result<usize, DispatchError> {
        if !self.engine.is_in_force().await? {
            return Ok(0);
        }
        let since = Renewed::now();
        let rows = self.take().await?;
        if rows.is_empty() {
            return Ok(0);
        }
        // Messages of one account go one after the other: what the first of them changes, the
        // look before the next one sees.
        let mut accounts: BTreeMap<&AccountId, Vec<&OutboxRow>> = BTreeMap::new();
        for row in &rows {
            accounts.entry(&row.account).or_default().push(row);
        }
        let under_way = accounts.values().map(|rows| self.deliver_all(rows, &since)).collect();
        // Those that wait for their turn stay ours for as long as that takes.
        let errors = tokio::select! {
            errors = join_all(under_way) => errors,
            () = self.renew_leases(&rows, &since) => Vec::new(),
        };
        errors.into_iter().flatten().next().map_or(Ok(rows.len()), Err)
    }

    /// Takes as many messages as may leave at once and as each creditor's brake allows. Others
    /// may do the same at this moment: what is on its way counts from its take on, for all. So
    /// above a limit leaves at most what the other instances take between our count and our take:
    /// each a part of what was left (see [`Gate`]) or what a person let through, at most
    /// `AT_ONCE`.
    async fn take(&self) -> Result<Vec<OutboxRow>, DispatchError> {
        let (store, now) = (self.engine.store(), self.engine.clock().now());
        let mut due = store.due_creditors(now).await?;
        let mut rows = Vec::new();
        if due.is_empty() {
            return Ok(rows);
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % due.len();
        due.rotate_left(first);
        let brakes = brake::read(&**store).await?;
        for creditor in due {
            let free = AT_ONCE - u32::try_from(rows.len()).unwrap_or(AT_ONCE);
            if free == 0 {
                break;
            }
            let room = self.gate.room(&self.engine, &brakes, &creditor, now).await?;
            if room > 0 {
                let limit = free.min(room);
                let taken = store.take_outbox(creditor.clone(), now, limit, self.lease()).await?;
                self.gate.took(&creditor, taken.len());
                rows.extend(taken);
            }
        }
        Ok(rows)
    }

    async fn deliver_all(&self, rows: &[&OutboxRow], since: &Renewed) -> Vec<DispatchError> {
        let mut errors = Vec::new();
        for row in rows {
            let attempt = async { unless_overtaken(row, self.deliver(row, since).await) };
            if let Err(error) = attempt.instrument(span(row)).await {
                error!(notice = %row.notice, %error, "a message stays in Sending");
                errors.push(error);
            }
        }
        errors
    }

    async fn deliver(&self, row: &OutboxRow, since: &Renewed) -> Result<(), DispatchError> {
        let (account, notice) = (&row.account, &row.notice);
        let (rechecked, loaded) = self.engine.recheck(account, notice).await?;
        match rechecked {
            Recheck::Send => {}
            Recheck::Later(at) => {
                let detail =
                    Some(remembering(may_have_left(row), "may not be contacted now".to_owned()));
                self.engine.try_later(account, self.held(row), at, detail).await?;
                measures::ended(row.channel, "later");
                return Ok(());
            }
            // The gateway may have it already: nobody can say that it was not sent.
            Recheck::Suppress(_) if may_have_left(row) => {
                return self
                    .park(row, true, "it may have left, and is no longer right to send")
                    .await;
            }
            Recheck::Suppress(reason) => {
                info!(%account, %notice, ?reason, "not sent");
                let command = Command::Suppress { notice: notice.clone(), reason };
                let extra = Extra { held: vec![self.held(row)], ..Extra::default() };
                self.engine.execute_with(account, Some(command), "delivery", extra).await?;
                measures::ended(row.channel, "suppressed");
                return Ok(());
            }
            Recheck::NotPending => return self.overtaken(row).await,
        }
        let at = self.engine.clock().now();
        let message = match self.ready(row, loaded, at).await {
            Ok(message) => message,
            Err(Unmade::Fault(fault)) => return Err(fault.into()),
            Err(unmade) => {
                error!(%notice, %unmade, "a message could not be made");
                return self.park(row, false, &unmade.to_string()).await;
            }
        };
        let Some(sender) = self.senders.of(&account.creditor, row.channel) else {
            return self.park(row, false, "no sender for this channel").await;
        };
        // Whoever was stopped for so long between two lines may not be the only one any more.
        if since.is_over(self.lease) {
            return Err(DispatchError::Late);
        }
        let begun = Instant::now();
        let answer = sender.send(&message, notice).await;
        measures::answered(row.channel, begun.elapsed());
        match answer {
            Ok(accepted) => {
                measures::ended(row.channel, "sent");
                info!(%account, %notice, via = %accepted.via, "sent");
                self.confirm(row, at).await
            }
            Err(SendError::Retry { reason, after, may_have_left: left }) => {
                self.again(row, at, Failed { reason, after, left }).await
            }
            Err(SendError::Refused { reason, address_bad: true }) => {
                self.bounced(row, at, reason).await
            }
            Err(SendError::Refused { reason, .. }) => self.park(row, false, &reason).await,
            Err(SendError::Unknown { reason }) => self.park(row, true, &reason).await,
        }
    }

    fn rules(&self, account: &AccountId) -> Result<Arc<Rules>, DispatchError> {
        self.engine
            .rules(account)
            .ok_or_else(|| DispatchError::Refused(format!("no rules for {}", account.creditor)))
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

    async fn park(
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
        let extra = self.moved(row, OutboxState::Suppressed, &format!("bounced: {reason}"));
        self.engine.execute_with(&row.account, Some(command), "delivery", extra).await?;
        measures::ended(row.channel, "bounced");
        Ok(())
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
        at: Timestamp,
    ) -> Result<Outgoing, Unmade> {
        let (id, loaded) = (&row.account, loaded.ok_or(Unmade::NoAddress)?);
        let notice = loaded.account.notices.get(&row.notice).ok_or(Unmade::NoAddress)?;
        let (account, notice) = (&loaded.account, &notice.decided);
        let head = self.workshop.letterhead(&id.creditor).ok_or(Unmade::NoLetterhead)?;
        let rules = self.engine.rules(id).ok_or(Unmade::NoLetterhead)?;
        let slot = making::slot(&row.notice);
        let slots = [making::slots(notice), vec![slot.clone()]].concat();
        let Opened { mut data, mut stamps } =
            self.engine.stamped_secrets(id, &loaded, slots).await?;
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
        match self.engine.execute_with(id, None, "delivery", extra).await {
            Ok(_) => {}
            Err(ExecuteError::Failed(fault)) => return Err(fault.into()),
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

/// Waits for all of them, which go on at the same time.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, done) in &mut futures {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, done)| done).collect()
}
