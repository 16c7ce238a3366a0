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
//! Many are under way at the same time, by each gateway as many as its lane has room for
//! ([`lane`]). They are taken and looked at together, and each goes on by itself: where one ends,
//! another takes its place.
//!
//! Whoever takes a message has a lease on it, for a minute at a time. Whatever is written of an
//! attempt, before its bytes leave and after, is written only where the lease is still ours; that
//! the gateway took it is the exception, since that is true whoever has the message by now.

use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kulanz_domain::ids::{AccountId, CreditorId};
use kulanz_engine::{
    Engine, ExecuteError, Fault,
    brake::{self, Gate},
    making::Maker,
    store::{Paylink, StoreError},
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tracing::{error, warn};

mod attempt;
mod lane;
mod lanes;
mod lease;
mod person;

pub use lease::may_have_left;
pub(crate) use person::Person;

use attempt::{Courier, Ended, Taken};
use lanes::{LaneOf, Lanes};

use crate::{
    backoff::Backoff,
    render::{Creditor, Templates},
    renewal::{self, Renewal, RenewalError},
    senders::{Origin, Senders},
    workshop::Workshop,
};

/// For how long a message is taken. Then whoever had it is taken for dead. While a gateway takes
/// its time, the lease is renewed four times in that time.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is looked for messages that nobody goes on with.
const LOOK: Duration = Duration::from_secs(10);
/// Between two looks for more messages, so that they are taken many at a time.
const BREATH: Duration = Duration::from_millis(20);
/// So many breaths at most is waited until a quarter of a lane is free.
const BREATHS: u32 = 5;

/// A creditor as messages show it.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// For the texts.
    pub creditor: Creditor,
    /// For the gateways.
    pub origin: Origin,
}

/// Takes messages and brings them out.
pub struct Dispatcher {
    courier: Courier,
    gate: Gate,
    /// Which queue comes first: each in its turn.
    turn: AtomicUsize,
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

/// What this dispatcher has under way.
struct UnderWay<'c> {
    courier: &'c Courier,
    tasks: JoinSet<()>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    /// Accounts with a message under way, and those of their messages that wait for that one: what it
    /// changes, the look before the next one sees.
    accounts: HashMap<AccountId, VecDeque<Taken>>,
    /// The first fault of ours that was met.
    error: Option<DispatchError>,
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
        let senders = Arc::new(senders.into());
        let (lanes, backoff, lease) = (Lanes::new(&senders), Backoff::default(), LEASE);
        let courier = Courier { engine, workshop, senders, backoff, lanes, lease };
        Self { courier, gate: Gate::default(), turn: AtomicUsize::new(0) }
    }

    /// The same, with another time after which an instance that took a message and does not say
    /// that it is still there is taken for dead; a minute by default.
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.courier.lease = lease;
        self
    }

    /// The texts of a policy's version.
    pub fn add_texts(&self, policy: &str, version: u32, templates: Arc<Templates>) {
        self.courier.workshop.add_texts(policy, version, templates);
    }

    /// Sends a fresh link for an expired one, at the debtor's own request, to the address on file.
    pub async fn renew(&self, expired: &Paylink) -> Result<(), RenewalError> {
        let head = self.courier.workshop.letterhead(&expired.account.creditor);
        let head = head.ok_or(RenewalError::NoAddress)?;
        let texts = renewal::texts().map_err(|problems| {
            let problem = problems.first().map(ToString::to_string).unwrap_or_default();
            Fault::Other(format!("the program's own texts: {problem}"))
        })?;
        let renewal = Renewal {
            engine: &self.courier.engine,
            head,
            senders: &self.courier.senders,
            texts: &texts,
            base_url: self.courier.workshop.base_url(),
        };
        renewal.send(expired).await
    }

    /// Takes messages until it is told to `stop`; those that are under way then come to their end.
    /// What others left is looked for now and then.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.go_on(stop) => {}
            () = self.courier.renew_leases() => {}
        }
    }

    async fn go_on(&self, mut stop: watch::Receiver<bool>) {
        let (mut under_way, mut looked) = (UnderWay::new(&self.courier), None::<Instant>);
        while !*stop.borrow_and_update() {
            let mut taken = Vec::new();
            let turn = async {
                if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                    let left = self.recover().await?;
                    if left > 0 {
                        warn!(left, "messages that nobody went on with were looked at");
                    }
                    looked = Some(Instant::now());
                }
                self.take(&mut taken).await
            };
            let turn = under_way.until(turn).await;
            let any = !taken.is_empty();
            under_way.start(taken);
            let wait = async {
                tokio::select! {
                    () = self.wait(any, turn) => {}
                    // Where nobody is left who could tell it, it goes on for ever.
                    Ok(()) = stop.changed() => {}
                }
            };
            under_way.until(wait).await;
            if let Some(error) = under_way.error.take() {
                self.wait(false, Err(error)).await;
            }
        }
        under_way.end().await;
    }

    /// Waits until it is worth to look for messages again, after a look that took `any`.
    async fn wait(&self, any: bool, turn: Result<BTreeSet<LaneOf>, DispatchError>) {
        match turn {
            Ok(full) if !full.is_empty() => {
                // A few together cost less than each alone.
                for _ in 0..BREATHS {
                    tokio::time::sleep(BREATH).await;
                    if self.courier.lanes.want_more(&full) {
                        break;
                    }
                }
            }
            Ok(_) if any => tokio::time::sleep(BREATH).await,
            Ok(_) => {
                let changed = self.courier.engine.changed(Duration::from_secs(1));
                tokio::join!(changed, tokio::time::sleep(BREATH));
            }
            Err(error) => {
                error!(%error, "the outbox cannot be worked on");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// Takes what is due now, as much as there is room for, and waits until all of it came to its
    /// end; how many messages were taken. None where other rules than ours are served by now.
    pub async fn run_once(&self) -> Result<usize, DispatchError> {
        let mut taken = Vec::new();
        let turn = self.take(&mut taken).await;
        let (count, mut under_way) = (taken.len(), UnderWay::new(&self.courier));
        under_way.start(taken);
        // Those that wait for their turn stay ours for as long as that takes.
        tokio::select! {
            () = under_way.end() => {}
            () = self.courier.renew_leases() => {}
        }
        turn?;
        under_way.error.map_or(Ok(count), Err)
    }

    /// Takes as many messages as each lane has room for and as each creditor's brake allows; lanes
    /// that more may wait for. Others may do the same at this moment: what is on its way counts from
    /// its take on, for all. So above a limit leaves at most what the other instances take between
    /// our count and our take: each a part of what was left, or a few of what a person let through
    /// (see [`Gate`]).
    async fn take(&self, taken: &mut Vec<Taken>) -> Result<BTreeSet<LaneOf>, DispatchError> {
        let Courier { engine, senders, lanes, .. } = &self.courier;
        let (store, now, mut full) = (engine.store(), engine.clock().now(), BTreeSet::new());
        if !engine.is_in_force().await? {
            return Ok(full);
        }
        let mut due = store.due_queues(now).await?;
        if due.is_empty() {
            return Ok(full);
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % due.len();
        due.rotate_left(first);
        let brakes = brake::read(&**store).await?;
        for queue in due {
            let lane = Lanes::of(senders, &queue.0, queue.1);
            // While the gateway is left alone, nothing of it is to be looked for.
            let Some(free) = lanes.room(lane) else { continue };
            if free == 0 {
                full.insert(lane);
                continue;
            }
            let creditor = queue.0.clone();
            let room = self.gate.room(engine, &brakes, &creditor, now).await?;
            if room == 0 {
                continue;
            }
            let (limit, begun) = (free.min(room), Instant::now());
            let rows = store.take_outbox(queue, now, limit, self.courier.lease()).await?;
            self.gate.took(&creditor, rows.len());
            if rows.len() >= limit as usize {
                full.insert(lane);
            }
            taken.extend(rows.into_iter().map(|row| {
                let place = lanes.place(lane, row.notice.clone(), begun);
                Taken { row, place }
            }));
        }
        Ok(full)
    }

    /// Looks at whatever an instance that died, or an attempt that failed on the way, left in
    /// `Sending`: it is tried again where that is safe, through a gateway that knows our key or
    /// since none of it had left yet, and parked as unknown where it is not.
    pub async fn recover(&self) -> Result<usize, DispatchError> {
        self.courier.recover().await
    }
}

impl<'c> UnderWay<'c> {
    fn new(courier: &'c Courier) -> Self {
        let (tasks, ended, accounts) = (JoinSet::new(), mpsc::unbounded_channel(), HashMap::new());
        Self { courier, tasks, ended, accounts, error: None }
    }

    /// Begins with messages that were taken.
    fn start(&mut self, taken: Vec<Taken>) {
        let mut first = Vec::with_capacity(taken.len());
        for one in taken {
            match self.accounts.entry(one.row.account.clone()) {
                Entry::Occupied(mut waiting) => waiting.get_mut().push_back(one),
                Entry::Vacant(account) => {
                    account.insert(VecDeque::new());
                    first.push(one);
                }
            }
        }
        self.spawn(first);
    }

    fn spawn(&mut self, taken: Vec<Taken>) {
        if !taken.is_empty() {
            let courier = self.courier.clone();
            self.tasks.spawn(courier.deliver_all(taken, self.ended.0.clone()));
        }
    }

    /// Sees to what ends, until `done` is.
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = pin!(done);
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.ended.1.recv() => self.over(ended),
                Some(joined) = self.tasks.join_next() => panicked(joined),
                done = &mut done => return done,
            }
        }
    }

    /// The next message of the account has its turn.
    fn over(&mut self, Ended { account, error }: Ended) {
        self.error = self.error.take().or(error);
        let next = self.accounts.get_mut(&account).and_then(VecDeque::pop_front);
        match next {
            Some(next) => self.spawn(vec![next]),
            None => drop(self.accounts.remove(&account)),
        }
    }

    /// Waits until all is at its end.
    async fn end(&mut self) {
        while !self.accounts.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.ended.1.recv() => self.over(ended),
                Some(joined) = self.tasks.join_next() => panicked(joined),
            }
        }
    }
}

/// Whoever sends dies where an attempt does, so that somebody hears of it.
fn panicked(joined: Result<(), JoinError>) {
    if let Err(error) = joined
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
