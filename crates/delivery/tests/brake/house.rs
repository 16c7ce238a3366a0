//! Two creditors with many debtors, on a store in a folder that can be closed and opened again.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kulanz_delivery::{
    dispatcher::{Dispatcher, Letterhead},
    render::{self, Templates, TextKey, TextSource},
    senders::{Origin, OutboxPage, Sender},
};
use kulanz_domain::{
    brake::Brake,
    calendar::{Region, Span},
    contact::{ContactCap, preset},
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    policy::*,
};
use kulanz_engine::{
    Engine, Incoming, Mode, Receipt, SharedRules,
    brake::{self, By, State},
    clock::Clock,
    store::{InboxKey, OutboxState, Store, StoreError, sqlite::SqliteStore},
    vault::Vault,
};
use tempfile::TempDir;

/// A Monday, 10:00 in Berlin and 18:00 in Tokyo.
pub const NOW: &str = "2026-03-16T09:00:00Z";

pub fn limits(per_hour: u32, per_day: u32, times_usual: u32) -> Brake {
    let [per_hour, per_day, times_usual] = [per_hour, per_day, times_usual].map(NonZeroU32::new);
    Brake { per_hour, per_day, times_usual }
}

pub struct House {
    pub engine: Engine,
    pub dispatcher: Dispatcher,
    pub clock: Clock,
    folder: TempDir,
    brakes: [Option<Brake>; 2],
    sender: Arc<dyn Sender>,
    /// Zone of the creditors, and of the debtors.
    zones: (&'static str, &'static str),
    told: u32,
}

fn creditor(id: &str, zone: &str) -> Creditor {
    Creditor {
        id: CreditorId::new(id).unwrap(),
        zone: TimeZone::get(zone).unwrap(),
        region: Region::default(),
        law: Law::None,
        channels: vec![Channel::Email],
        agencies: Vec::new(),
        complete_for_placement: false,
        base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
    }
}

fn step(name: &str, action: StepAction, anchor: Anchor, days: i32) -> Step {
    Step {
        name: StepName::new(name).unwrap(),
        action,
        at: Moment { anchor, before: false, span: Span::Days(days) },
        deadline: (name == "mahnung").then_some(Span::Days(10)),
        fee: Decimal::ZERO,
        lump_sum: false,
        stop_delivery: false,
        expires: None,
        when: None,
        text: "plain".into(),
    }
}

fn policy(creditor: &Creditor, brake: Option<Brake>) -> Policy {
    Policy {
        reference: PolicyRef {
            name: PolicyName::new("plain").unwrap(),
            version: 1,
            hash: "0123456789abcdef".into(),
        },
        creditor: creditor.id.clone(),
        currency: Currency::EUR,
        languages: vec!["de".into()],
        zone: creditor.zone.clone(),
        region: Region::default(),
        cap: ContactCap::new(9, 7).unwrap(),
        minimum: Decimal::ZERO,
        bundle: Bundle::Claim,
        interest: InterestPolicy::default(),
        rest_waived: Decimal::ZERO,
        in_flight: Span::Days(2),
        promise_within: Span::Days(14),
        meets_overdue_days: 3650,
        entry: None,
        spread_minutes: 0,
        trials: None,
        arms: Vec::new(),
        brake,
        personas: vec![Persona {
            name: PersonaName::new("everyone").unwrap(),
            when: None,
            language: LanguageChoice::Debtor,
            tone: "clear".into(),
            window: preset("none").unwrap().window,
            channels: vec![Channel::Email],
            pay_with: vec![PayWith::Transfer],
            pace: Decimal::ONE,
        }],
        steps: vec![
            step("reminder", StepAction::Reminder, Anchor::Due, 4),
            step("mahnung", StepAction::Mahnung, Anchor::Step(0), 10),
            step("last-call", StepAction::Mahnung, Anchor::Step(1), 14),
        ],
    }
}

fn letterhead(name: &str) -> Letterhead {
    Letterhead {
        creditor: render::Creditor {
            name: name.to_owned(),
            support_email: None,
            support_phone: None,
            iban: None,
            imprint: None,
            colour: Default::default(),
        },
        origin: Origin { name: name.to_owned(), email: None, reply_to: None, sms: None },
    }
}

fn start(
    clock: &Clock,
    brakes: [Option<Brake>; 2],
    zone: &str,
    sender: &Arc<dyn Sender>,
    store: SqliteStore,
) -> (Engine, Dispatcher) {
    let (mut rules, mut heads) = (HashMap::new(), HashMap::new());
    for (name, brake) in ["shop", "mill"].into_iter().zip(brakes) {
        let creditor = creditor(name, zone);
        let id = creditor.id.clone();
        let policies = BTreeMap::from([("EUR", Arc::new(policy(&creditor, brake)))]);
        rules.insert(id.clone(), Arc::new(Rules { creditor, policies }));
        heads.insert(id, letterhead(name));
    }
    let vault = Arc::new(Vault::new([7; 32]));
    let rules = SharedRules::new(rules);
    let engine = Engine::start(Arc::new(store), vault, clock.clone(), rules, Mode::Serving);
    let senders = BTreeMap::from([(Channel::Email, Arc::clone(sender))]);
    let url = "http://127.0.0.1:8080".to_owned();
    let dispatcher = Dispatcher::new(engine.clone(), heads, senders, url);
    let key = TextKey {
        text: "plain".to_owned(),
        language: "de".to_owned(),
        tone: "clear".to_owned(),
        channel: Channel::Email,
    };
    let source = "Subject: Erinnerung\n\nGuten Tag\n".to_owned();
    let text = TextSource { file: "plain.hbs".to_owned(), source };
    let texts = Templates::compile([(key, text)]).unwrap();
    dispatcher.add_texts("plain", 1, Arc::new(texts));
    (engine, dispatcher)
}

impl House {
    /// With the brakes of `shop` and `mill`.
    pub fn new(brakes: [Option<Brake>; 2]) -> Self {
        Self::in_zones(brakes, ("Europe/Berlin", "Europe/Berlin"))
    }

    pub fn in_zones(brakes: [Option<Brake>; 2], zones: (&'static str, &'static str)) -> Self {
        Self::sending(brakes, zones, Arc::new(OutboxPage))
    }

    pub fn sending(
        brakes: [Option<Brake>; 2],
        zones: (&'static str, &'static str),
        sender: Arc<dyn Sender>,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::standing(NOW.parse().unwrap());
        let store = SqliteStore::open(folder.path()).unwrap();
        let (engine, dispatcher) = start(&clock, brakes, zones.0, &sender, store);
        Self { engine, dispatcher, clock, folder, brakes, sender, zones, told: 0 }
    }

    /// The process ends and another one begins; messages under way are looked at.
    pub async fn restart(self) -> Self {
        let Self { engine, dispatcher, clock, folder, brakes, sender, zones, told } = self;
        drop((engine, dispatcher));
        let opened = async {
            loop {
                match SqliteStore::open(folder.path()) {
                    Ok(store) => return store,
                    Err(StoreError::InUse) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
        };
        let store = tokio::time::timeout(Duration::from_secs(30), opened).await.unwrap();
        let (engine, dispatcher) = start(&clock, brakes, zones.0, &sender, store);
        dispatcher.recover().await.unwrap();
        Self { engine, dispatcher, clock, folder, brakes, sender, zones, told }
    }

    pub fn store(&self) -> &dyn Store {
        &**self.engine.store()
    }

    pub fn at(&self, when: &str) {
        self.clock.set(when.parse().unwrap());
    }

    pub fn later(&self, hours: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_hours(hours));
    }

    async fn tell(&mut self, account: &AccountId, fact: Fact, secrets: Vec<(String, Vec<u8>)>) {
        self.told += 1;
        let (now, id) = (self.clock.now(), format!("{:09}", self.told));
        let incoming = Incoming {
            key: InboxKey { source: "test".into(), id: id.clone() },
            account: account.clone(),
            stamp: Stamp { at: now, id: format!("test#{id}") },
            fact,
            secrets,
            recorded_at: None,
            trace: None,
        };
        let receipts = self.engine.record(vec![incoming]).await.unwrap();
        assert_eq!(receipts, [Receipt::Accepted]);
    }

    /// Debtors of `creditor`, named from `first` on, each with an invoice due on `due`.
    pub async fn debtors(&mut self, creditor: &str, first: u32, count: u32, due: &str) {
        for number in first..first + count {
            let account: AccountId = format!("{creditor}/D-{number}").parse().unwrap();
            let profile = DebtorProfile {
                kind: DebtorKind::Consumer,
                language: "de".into(),
                country: "DE".into(),
                region: None,
                timezone: Some(self.zones.1.into()),
                reachable: vec![Channel::Email],
                prefers: vec![],
                pays_with: vec![],
                hours: None,
                sms_consent: None,
                vulnerable: false,
                address_researched: false,
                represented: false,
                minor_until: None,
                birth_told: BirthTold::Never,
                attributes: BTreeMap::new(),
            };
            let person = br#"{"name":"Kim","email":"kim@example.org"}"#.to_vec();
            let debtor = vec![("debtor".to_owned(), person)];
            self.tell(&account, Fact::DebtorUpdated { profile }, debtor).await;
            self.invoice(&account, &format!("R-{number}"), due).await;
        }
    }

    pub async fn invoice(&mut self, account: &AccountId, name: &str, due: &str) {
        let due_on: Date = due.parse().unwrap();
        let invoice = Invoice {
            invoice: InvoiceId::new(name).unwrap(),
            issued_on: due_on.checked_sub(jiff::Span::new().days(14)).unwrap(),
            due_on,
            amount: Money::parse("50.00", Currency::EUR).unwrap(),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: false,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        };
        self.tell(account, Fact::InvoiceIssued { invoice }, Vec::new()).await;
    }

    pub async fn pays(&mut self, account: &str) {
        let account: AccountId = account.parse().unwrap();
        let number = account.debtor.as_str().trim_start_matches("D-").to_owned();
        let fact = Fact::PaymentReceived {
            payment: PaymentId::new(&format!("P-{number}")).unwrap(),
            booked_on: self.clock.now().to_zoned(TimeZone::UTC).date(),
            amount: Money::parse("50.00", Currency::EUR).unwrap(),
            method: "transfer".into(),
            invoice: Some(InvoiceId::new(&format!("R-{number}")).unwrap()),
        };
        self.tell(&account, fact, Vec::new()).await;
    }

    /// All that is due happens, as far as it may.
    pub async fn run(&self) {
        self.engine.run_due().await.unwrap();
        self.run_messages().await;
    }

    /// All that waits leaves, as far as it may.
    pub async fn run_messages(&self) {
        while self.dispatcher.run_once().await.unwrap() > 0 {}
    }

    /// Messages of a creditor in a state.
    pub async fn count(&self, creditor: &str, state: OutboxState) -> usize {
        let rows = self.store().outbox(Some(state), 100_000).await.unwrap();
        rows.iter().filter(|row| row.account.creditor.as_str() == creditor).count()
    }

    pub async fn sent(&self, creditor: &str) -> usize {
        self.count(creditor, OutboxState::Sent).await
    }

    pub async fn state(&self, creditor: &str) -> State {
        let brakes = brake::read(self.store()).await.unwrap();
        brakes.get(&CreditorId::new(creditor).unwrap()).cloned().unwrap_or_default()
    }

    pub async fn is_pulled(&self, creditor: &str) -> bool {
        self.state(creditor).await.pulled.is_some()
    }

    pub async fn release(&self, creditor: &str) -> u64 {
        let (id, now) = (CreditorId::new(creditor).unwrap(), self.clock.now());
        let by = By { person: "ada", at: now, key: None };
        brake::release(self.store(), &id, by).await.unwrap().unwrap()
    }

    pub async fn let_through(&self, creditor: &str, messages: u64) {
        self.let_through_by(creditor, messages, None).await;
    }

    /// The same, ordered with a key.
    pub async fn let_through_by(&self, creditor: &str, messages: u64, key: Option<&str>) {
        let id = CreditorId::new(creditor).unwrap();
        let by = By { person: "ada", at: self.clock.now(), key };
        let told = brake::let_through(self.store(), &id, by, messages).await.unwrap();
        assert_eq!(told, Ok(messages));
    }

    /// The most messages that one account got on one day of the creditor's zone.
    pub async fn most_on_a_day(&self) -> usize {
        let zone = TimeZone::get(self.zones.0).unwrap();
        let mut days: HashMap<(AccountId, Date), usize> = HashMap::new();
        for (account, notice) in self.store().notices(None, 100_000).await.unwrap() {
            if let Some(at) = notice.sent_at {
                *days.entry((account, at.to_zoned(zone.clone()).date())).or_default() += 1;
            }
        }
        days.into_values().max().unwrap_or(0)
    }

    /// The steps of an account's messages with the moments at which they were sent.
    pub async fn told_to(&self, account: &str) -> Vec<(String, Timestamp)> {
        let account: AccountId = account.parse().unwrap();
        let rows = self.store().notices(Some(account), 100).await.unwrap();
        let sent = rows
            .into_iter()
            .rev()
            .filter_map(|(_, row)| Some((row.step.map(|step| step.to_string())?, row.sent_at?)));
        sent.collect()
    }
}
