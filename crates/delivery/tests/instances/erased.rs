//! A person is erased while a message to them waits, is looked at, leaves, or has left: what is told of
//! it is what became of it, and nothing begins to leave afterwards. On both stores.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use jiff::SignedDuration;
use kulanz_delivery::senders::{Accepted, Outgoing, SendError, Sender};
use kulanz_domain::{Command, Refusal, fact::Channel, ids::NoticeId};
use kulanz_engine::{
    ExecuteError, Extra,
    store::{
        Held, Lease, OutboxChange,
        OutboxState::{self, Parked, Queued, Sending, Sent, Suppressed, Unknown},
        Store,
        postgres::PostgresStore,
        sqlite::SqliteStore,
    },
};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

use crate::{NO_SKEW, server, world::*};

type Answer = Result<Accepted, SendError>;

/// A gateway that stands still with each message until it is told what to answer.
struct Standing {
    asked: AtomicUsize,
    knows_keys: bool,
    answers: Mutex<mpsc::UnboundedReceiver<Answer>>,
}

#[async_trait]
impl Sender for Standing {
    async fn send(&self, _: &Outgoing, _: &NoticeId) -> Answer {
        self.asked.fetch_add(1, SeqCst);
        self.answers.lock().await.recv().await.unwrap()
    }

    fn idempotent(&self) -> bool {
        self.knows_keys
    }
}

/// One debtor with a message that is due.
struct World {
    one: Instance,
    gateway: Arc<Standing>,
    answer: mpsc::UnboundedSender<Answer>,
    notice: NoticeId,
    _folder: TempDir,
}

/// On each store, with a gateway that knows our keys and with one that does not.
async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for (embedded, knows_keys) in [(true, true), (true, false), (false, true), (false, false)] {
        let folder = TempDir::new().unwrap();
        let store: Arc<dyn Store> = match embedded {
            true => Arc::new(SqliteStore::open(folder.path()).unwrap()),
            false => {
                let url = server::database().parse().unwrap();
                Arc::new(PostgresStore::open_shared(url).await.unwrap())
            }
        };
        let (answer, answers) = mpsc::unbounded_channel();
        let (asked, answers) = (AtomicUsize::new(0), Mutex::new(answers));
        let gateway = Arc::new(Standing { asked, knows_keys, answers });
        let one = Instance::on(store, NO_SKEW, Arc::clone(&gateway) as Arc<dyn Sender>, None);
        let facts = vec![told("p", "D", profile()), told("i", "D", issued("R-1", 5_000))];
        one.engine.record(facts).await.unwrap();
        let notice = one.store().outbox(Some(Queued), 9).await.unwrap().remove(0).notice;
        worlds.push(World { one, gateway, answer, notice, _folder: folder });
    }
    worlds
}

impl World {
    async fn does(&self, command: Command) {
        self.one.engine.execute(&account("D"), command, "test").await.unwrap();
    }

    async fn erase(&self) {
        self.does(Command::Erase { at: self.one.engine.clock().now() }).await;
    }

    /// The message leaves, and its person is erased meanwhile.
    async fn erased_while_it_leaves(&self) -> tokio::task::JoinHandle<()> {
        let dispatcher = Arc::clone(&self.one.dispatcher);
        let sending =
            tokio::spawn(async move { assert_eq!(dispatcher.run_once().await.unwrap(), 1) });
        eventually("the gateway is asked", async || self.asked() == 1).await;
        self.erase().await;
        sending
    }

    fn asked(&self) -> usize {
        self.gateway.asked.load(SeqCst)
    }

    /// Takes what is due a day later.
    async fn next_day(&self) {
        let clock = self.one.engine.clock();
        clock.set(clock.now() + SignedDuration::from_hours(24));
        self.one.dispatcher.run_once().await.unwrap();
    }

    /// What the outbox says of the message, what its account does, and each event about it since it
    /// was decided.
    async fn is(&self, row: OutboxState, state: &str, events: &[&str]) {
        let found = self.one.store().outbox_row(self.notice.clone()).await.unwrap().unwrap();
        let loaded = self.one.engine.load(&account("D")).await.unwrap().unwrap();
        let stream = self.one.store().stream(account("D"), 0).await.unwrap();
        let after = stream.iter().skip_while(|event| event.kind != "NoticeDecided").skip(1);
        let kinds: Vec<&str> = after.map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, events);
        assert_eq!((found.state, loaded.account.notices[&self.notice].state.name()), (row, state));
    }
}

fn again(may_have_left: bool) -> Answer {
    Err(SendError::Retry { reason: "later".into(), after: None, may_have_left, busy: false })
}

fn refused(address_bad: bool) -> Answer {
    Err(SendError::Refused { reason: "no".into(), address_bad })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_when_its_person_is_erased_does_not_leave() {
    for world in worlds().await {
        world.erase().await;
        world.one.dispatcher.run_once().await.unwrap();
        assert_eq!(world.asked(), 0);
        world.is(Suppressed, "suppressed", &["AccountErased", "NoticeSuppressed"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_looked_at_when_its_person_is_erased_does_not_begin_to_leave() {
    for world in worlds().await {
        let engine = &world.one.engine;
        let lease = Lease { holder: engine.instance().to_owned(), seconds: 60 };
        let (queue, now) = (("shop".parse().unwrap(), Channel::Sms), engine.clock().now());
        let row = world.one.store().take_outbox(queue, now, 1, lease).await.unwrap().remove(0);
        world.erase().await;
        let (notice, holder) = (row.notice.clone(), Some(engine.instance().to_owned()));
        let leaving = OutboxChange::Move {
            notice: notice.clone(),
            state: Sending,
            next_at: now,
            changed_at: now,
            detail: Some("its bytes are leaving".to_owned()),
        };
        let held = vec![Held { notice: notice.clone(), holder, attempt: row.attempts }];
        let extra = Extra { outbox: vec![leaving], held, ..Extra::default() };
        let leave = Command::Leave { notice };
        let told = engine.execute_with(&account("D"), Some(leave), "delivery", extra).await;
        assert!(matches!(told, Err(ExecuteError::Refused(Refusal::Erased))), "{told:?}");
        world.is(Sending, "decided", &["AccountErased"]).await;
        // Whoever had it says so, or whoever comes after it.
        world.one.dispatcher.recover().await.unwrap();
        world.one.dispatcher.run_once().await.unwrap();
        assert_eq!(world.asked(), 0);
        world.is(Suppressed, "suppressed", &["AccountErased", "NoticeSuppressed"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leaving_when_its_person_is_erased_is_told_as_the_gateway_answers() {
    let accepted = || Ok(Accepted { via: "test".to_owned(), gateway_id: None });
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(accepted()).unwrap();
        leaves.await.unwrap();
        world.is(Sent, "sent", &["AccountErased", "NoticeSent"]).await;
    }
    // It was not taken, and is not sent again.
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(again(false)).unwrap();
        leaves.await.unwrap();
        world.is(Queued, "decided", &["AccountErased"]).await;
        world.next_day().await;
        assert_eq!(world.asked(), 1);
        world.is(Suppressed, "suppressed", &["AccountErased", "NoticeSuppressed"]).await;
    }
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(refused(true)).unwrap();
        leaves.await.unwrap();
        world.is(Suppressed, "suppressed", &["AccountErased", "NoticeSuppressed"]).await;
    }
    // It may have been taken.
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(again(true)).unwrap();
        leaves.await.unwrap();
        world.next_day().await;
        assert_eq!(world.asked(), 1);
        world.is(Unknown, "unknown", &["AccountErased", "NoticeParked"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_says_of_an_erased_ones_message_whether_it_was_sent() {
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(refused(false)).unwrap();
        leaves.await.unwrap();
        world.is(Parked, "parked", &["AccountErased", "NoticeParked"]).await;
        let (notice, by) = (world.notice.clone(), "ada".to_owned());
        world.does(Command::Discard { notice, by }).await;
        let events = ["AccountErased", "NoticeParked", "NoticeDiscarded"];
        world.is(Suppressed, "discarded", &events).await;
    }
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        world.answer.send(Err(SendError::Unknown { reason: "no answer".into() })).unwrap();
        leaves.await.unwrap();
        world.is(Unknown, "unknown", &["AccountErased", "NoticeParked"]).await;
        let (notice, at) = (world.notice.clone(), world.one.engine.clock().now());
        let rules = world.one.engine.rules(&account("D")).unwrap();
        world.does(Command::ConfirmSent { notice, at, rules }).await;
        world.is(Sent, "sent", &["AccountErased", "NoticeParked", "NoticeSent"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leaving_when_its_person_is_erased_and_its_holder_dies_is_of_unknown_outcome() {
    for world in worlds().await {
        let leaves = world.erased_while_it_leaves().await;
        leaves.abort();
        eventually("it is found", async || world.one.dispatcher.recover().await.unwrap() == 1)
            .await;
        world.one.dispatcher.run_once().await.unwrap();
        assert_eq!(world.asked(), 1);
        world.is(Unknown, "unknown", &["AccountErased", "NoticeParked"]).await;
    }
}
