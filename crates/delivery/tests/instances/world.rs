//! A database, and engines with dispatchers that work on it at the same time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kulanz_delivery::{
    dispatcher::{Dispatcher, Letterhead},
    render::{Content, Creditor as Shop, Templates, TextKey, TextSource},
    senders::{Accepted, Origin, Outgoing, Recipient, SendError, Sender},
};
use kulanz_domain::{
    calendar::{Region, Span},
    contact::{ContactWindow, preset},
    fact::*,
    ids::*,
    law::rates::RateTable,
    money::{Currency, Decimal, Money},
    policy::{
        Anchor, Bundle, Creditor, LanguageChoice, Law, Moment, Persona, Policy, PolicyRef, Rules,
        Step, StepAction,
    },
};
use kulanz_engine::{
    Engine, Incoming, Mode, SharedRules,
    clock::Clock,
    store::{InboxKey, Store, postgres::PostgresStore},
    vault::Vault,
};

/// A Monday in the contact window.
pub const NOW: &str = "2026-03-23T10:00:00Z";

const TEXT: &str = "{{creditor.name}}: {{total}} sind offen ({{reference}}). {{link}}";

/// What is overdue by then; the reminder comes five days after it is due.
pub const DUE: Date = jiff::civil::date(2026, 3, 15);

fn rules() -> SharedRules {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let creditor = Creditor {
        id: "shop".parse().unwrap(),
        zone: zone.clone(),
        region: Region::None,
        law: Law::De,
        channels: vec![Channel::Email, Channel::Sms],
        agencies: Vec::new(),
        complete_for_placement: true,
        base_rates: RateTable::Germany.shipped().unwrap().into(),
    };
    let persona = Persona {
        name: "everyone".parse().unwrap(),
        when: None,
        language: LanguageChoice::Debtor,
        tone: "warm".into(),
        window: ContactWindow::decency_default(),
        channels: vec![Channel::Sms, Channel::Email],
        pay_with: vec![PayWith::Transfer],
        pace: Decimal::ONE,
    };
    let reminder = Step {
        name: "reminder".parse().unwrap(),
        action: StepAction::Reminder,
        at: Moment { anchor: Anchor::Due, before: false, span: Span::Days(5) },
        deadline: None,
        fee: Decimal::ZERO,
        lump_sum: false,
        expires: None,
        stop_delivery: false,
        when: None,
        text: "reminder".into(),
    };
    let policy = Policy {
        reference: PolicyRef { name: "p".parse().unwrap(), version: 1, hash: "1".into() },
        creditor: "shop".parse().unwrap(),
        currency: Currency::EUR,
        languages: vec!["de".to_owned()],
        zone,
        region: Region::None,
        cap: preset("none").unwrap().cap,
        minimum: Decimal::ZERO,
        bundle: Bundle::Account,
        interest: kulanz_domain::policy::InterestPolicy::default(),
        rest_waived: Decimal::ZERO,
        in_flight: Span::Days(0),
        promise_within: Span::Days(30),
        meets_overdue_days: 60,
        entry: None,
        spread_minutes: 0,
        trials: None,
        arms: Vec::new(),
        brake: None,
        personas: vec![persona],
        steps: vec![reminder],
    };
    let policies = [("EUR", Arc::new(policy))].into();
    let rules = Arc::new(Rules { creditor, policies });
    SharedRules::new([("shop".parse().unwrap(), rules)].into())
}

/// Counts what it is asked to send, by key; while it hangs, nobody hears of it again; while it is
/// silent, it is to be asked again, and may have taken it.
#[derive(Default)]
pub struct Gateway {
    pub asked: Mutex<BTreeMap<String, u32>>,
    pub hangs: AtomicBool,
    pub silent: AtomicBool,
    /// Where set, it has enough, and wants to be left alone for so long.
    pub busy: Mutex<Option<Duration>>,
    pub knows_keys: bool,
    /// Number and text of what was handed in.
    pub sent: Mutex<Vec<(String, String)>>,
    /// Where set, whoever sends stands still with all its thread until it is told of it, as a process
    /// that was stopped does; then the gateway is busy.
    pub stands_still: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Gateway {
    pub fn new(knows_keys: bool) -> Arc<Self> {
        Arc::new(Self { knows_keys, ..Self::default() })
    }

    /// Messages, and the most that one of them was asked for.
    pub fn counts(&self) -> (usize, u32) {
        let asked = self.asked.lock().unwrap();
        (asked.len(), asked.values().copied().max().unwrap_or(0))
    }
}

#[async_trait]
impl Sender for Gateway {
    async fn send(&self, message: &Outgoing, key: &NoticeId) -> Result<Accepted, SendError> {
        if let (Recipient::Mobile(number), Content::Sms(sms)) = (&message.to, &message.content) {
            self.sent.lock().unwrap().push((number.clone(), sms.text.clone()));
        }
        *self.asked.lock().unwrap().entry(key.to_string()).or_default() += 1;
        if let Some(after) = *self.busy.lock().unwrap() {
            let (reason, after) = ("has enough".to_owned(), Some(after));
            return Err(SendError::Retry { reason, after, may_have_left: false, busy: true });
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(until) = self.stands_still.lock().unwrap().take() {
            until.recv().unwrap();
            let (reason, after) = ("busy".to_owned(), None);
            return Err(SendError::Retry { reason, after, may_have_left: false, busy: false });
        }
        if self.silent.load(Ordering::SeqCst) {
            let (reason, after) = ("no clear answer".to_owned(), None);
            return Err(SendError::Retry { reason, after, may_have_left: true, busy: false });
        }
        Ok(Accepted { via: "test".to_owned(), gateway_id: None })
    }

    fn idempotent(&self) -> bool {
        self.knows_keys
    }
}

/// An engine with its dispatcher, as one process has them.
pub struct Instance {
    pub engine: Engine,
    pub dispatcher: Arc<Dispatcher>,
}

impl Instance {
    /// On the database of `url`, its clock off by `skew`, sending by `gateway`.
    pub async fn new(url: &str, skew: SignedDuration, gateway: &Arc<Gateway>) -> Self {
        Self::with_mail(url, skew, gateway, None).await
    }

    /// The same, and e-mails by `mail`.
    pub async fn with_mail(
        url: &str,
        skew: SignedDuration,
        gateway: &Arc<Gateway>,
        mail: Option<&Arc<Gateway>>,
    ) -> Self {
        let store = PostgresStore::open_shared(url.parse().unwrap()).await.unwrap();
        let mail = mail.map(|mail| Arc::clone(mail) as Arc<dyn Sender>);
        Self::on(Arc::new(store), skew, Arc::clone(gateway) as Arc<dyn Sender>, mail)
    }

    /// The same on any store, by any gateways.
    pub fn on(
        store: Arc<dyn Store>,
        skew: SignedDuration,
        gateway: Arc<dyn Sender>,
        mail: Option<Arc<dyn Sender>>,
    ) -> Self {
        let at = NOW.parse::<Timestamp>().unwrap() + skew;
        let clock = Clock::standing(at);
        let vault = Arc::new(Vault::new([7; 32]));
        let engine = Engine::start(store, vault, clock, rules(), Mode::Serving);
        let shop = Shop {
            name: "Shop".to_owned(),
            support_email: None,
            support_phone: None,
            iban: None,
            imprint: None,
            colour: Default::default(),
        };
        let origin = Origin { name: "Shop".to_owned(), ..Origin::default() };
        let heads =
            HashMap::from([("shop".parse().unwrap(), Letterhead { creditor: shop, origin })]);
        let mut senders = BTreeMap::from([(Channel::Sms, gateway)]);
        senders.extend(mail.map(|mail| (Channel::Email, mail)));
        let url = "https://pay.example".to_owned();
        let dispatcher =
            Dispatcher::new(engine.clone(), heads, senders, url).with_lease(Duration::from_secs(5));
        let mail = format!("Subject: Offen\n\n{TEXT}\n");
        let text = |channel: Channel, source: &str| {
            let key = TextKey {
                text: "reminder".to_owned(),
                language: "de".to_owned(),
                tone: "warm".to_owned(),
                channel,
            };
            let file = format!("reminder.de.warm.{}.hbs", channel.name());
            (key, TextSource { file, source: source.to_owned() })
        };
        let texts = [text(Channel::Sms, TEXT), text(Channel::Email, &mail)];
        let texts = Templates::compile(texts).unwrap();
        dispatcher.add_texts("p", 1, Arc::new(texts));
        Self { engine, dispatcher: Arc::new(dispatcher) }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.engine.store()
    }
}

pub fn account(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

/// An event that says `fact` of `debtor`.
pub fn told(id: &str, debtor: &str, fact: Fact) -> Incoming {
    let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let secrets = match fact {
        Fact::DebtorUpdated { .. } => {
            let person = br#"{"mobile":"+4915112345678","email":"d@example.org"}"#;
            vec![("debtor".to_owned(), person.to_vec())]
        }
        _ => Vec::new(),
    };
    Incoming {
        key: InboxKey { source: "/test".to_owned(), id: id.to_owned() },
        account: account(debtor),
        stamp: Stamp { at, id: id.to_owned() },
        fact,
        secrets,
        recorded_at: None,
        trace: None,
    }
}

pub fn profile() -> Fact {
    reachable_by(Channel::Sms)
}

pub fn reachable_by(channel: Channel) -> Fact {
    Fact::DebtorUpdated {
        profile: DebtorProfile {
            kind: DebtorKind::Consumer,
            language: "de".to_owned(),
            country: "DE".to_owned(),
            region: None,
            timezone: None,
            reachable: vec![channel],
            prefers: Vec::new(),
            pays_with: Vec::new(),
            hours: None,
            sms_consent: Some(true),
            vulnerable: false,
            address_researched: false,
            represented: false,
            minor_until: None,
            birth_told: BirthTold::Never,
            attributes: Default::default(),
        },
    }
}

pub fn euros(cents: i64) -> Money {
    Money::new(Decimal::new(cents, 2), Currency::EUR)
}

pub fn issued(invoice: &str, cents: i64) -> Fact {
    Fact::InvoiceIssued {
        invoice: Invoice {
            invoice: invoice.parse().unwrap(),
            issued_on: jiff::civil::date(2026, 3, 1),
            due_on: DUE,
            amount: euros(cents),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: true,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        },
    }
}

pub fn paid(payment: &str, cents: i64) -> Fact {
    Fact::PaymentReceived {
        payment: payment.parse().unwrap(),
        booked_on: jiff::civil::date(2026, 3, 20),
        amount: euros(cents),
        method: "transfer".to_owned(),
        invoice: None,
    }
}

/// Looks again and again until it is so.
pub async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !look().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::task::yield_now().await;
    }
}

/// Random numbers that a seed gives again (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// With the seed in KULANZ_SEED, or a new one; it is printed, and shown where a test fails.
    pub fn new(what: &str) -> Self {
        let given = std::env::var("KULANZ_SEED").ok().map(|seed| seed.parse().unwrap());
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let seed = given.unwrap_or(now as u64);
        println!("{what}: KULANZ_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Takes down how attempts end, as the metrics tell it.
#[derive(Clone, Default)]
pub struct Ends(pub Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Ends {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "metric"
    }
    fn event(&self, event: &tracing::Event<'_>) {
        struct End<'e>(&'e Ends);
        impl tracing::field::Visit for End<'_> {
            fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
                if field.name() == "end" {
                    self.0.0.lock().unwrap().push(value.to_owned());
                }
            }
            fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut End(self));
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
