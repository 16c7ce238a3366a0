//! A shop with one debtor, on a real store, and a browser of sorts.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account,
    book::Book,
    calendar::{Region, Span},
    contact::preset,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    policy::*,
};
use kulanz_engine::{Engine, Extra, Incoming, Mode, SharedRules, clock::Clock, vault::Vault};
use kulanz_pages::{Agency, Counselling, CreditorCard, Pages, Renew, router};
use kulanz_store::{InboxKey, sqlite::SqliteStore};
use tower::ServiceExt;

/// 16 March 2026, 10:00 in Berlin.
pub const NOW: &str = "2026-03-16T09:00:00Z";

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub struct House {
    pub engine: Engine,
    pub clock: Clock,
    pub account: AccountId,
    pub pages: Pages,
    router: Router,
    told: AtomicU32,
    folder: PathBuf,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// What stands between `before` and the next `<`, entities and hard spaces as people see them.
    pub fn after(&self, before: &str) -> String {
        let at = self.body.find(before).unwrap_or_else(|| panic!("{before} in {}", self.body));
        let rest = &self.body[at + before.len()..];
        rest[..rest.find('<').unwrap()].replace('\u{a0}', " ").replace("&amp;", "&")
    }

    /// Hidden fields of the first form that is sent to a path with `action` in it.
    pub fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let form = self.body.split("<form ").skip(1).find(|form| {
            let tag = form.split('>').next().unwrap();
            tag.contains("post") && tag.contains(action)
        });
        let form = form.unwrap_or_else(|| panic!("no form for {action} in {}", self.body));
        let form = form.split("</form>").next().unwrap();
        let attribute = |tag: &str, name: &str| {
            let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let hidden = form.split("<input").filter(|tag| tag.contains("type=\"hidden\""));
        hidden.map(|tag| (attribute(tag, "name"), attribute(tag, "value"))).collect()
    }
}

fn card() -> CreditorCard {
    CreditorCard {
        name: "Lindenmoor & Söhne".into(),
        legal_name: "Lindenmoor GmbH".into(),
        address: vec!["Am Moor 1".into(), "33098 Paderborn".into()],
        iban: "DE02 1203 0000 0000 2020 51".into(),
        bic: Some("BYLADEM1001".into()),
        support_email: "hilfe@lindenmoor.example".into(),
        support_phone: "+49 5251 000 000".into(),
        support_hours: Some("Mo-Fr 9-17 Uhr".into()),
        colour: "#2f6b3a".into(),
        logo_text: "Lindenmoor".into(),
        imprint: Some("Lindenmoor GmbH, Am Moor 1".into()),
        privacy_url: Some("https://lindenmoor.example/privacy".into()),
        debt_counselling: vec![Counselling {
            name: "Schuldnerberatung Paderborn".into(),
            url: "https://beratung.example/".into(),
            phone: Some("+49 5251 111".into()),
        }],
        agencies: vec![Agency {
            id: AgencyId::new("nordinkasso").unwrap(),
            name: "Nordinkasso GmbH".into(),
            contact: vec!["Tel. 040 000".into()],
        }],
        language: "de".into(),
    }
}

/// What the policy of a house does beside its offers, which nobody gets soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ladder {
    Quiet,
    /// An agency, five days after the due date.
    HandsOff,
    /// A Mahnung five days after the due date, another ten days later, and interest.
    Charges,
}

fn policy(currency: Currency, ladder: Ladder) -> Policy {
    let limits = preset("de").unwrap();
    let plans = vec![
        PlanTerms { rates: 3, first_percent: None, at_least: Decimal::from(20) },
        PlanTerms { rates: 6, first_percent: None, at_least: Decimal::from(20) },
    ];
    let step = |name, action, days| Step {
        name: StepName::new(name).unwrap(),
        action,
        at: Moment { anchor: Anchor::Due, before: false, span: Span::Days(days) },
        deadline: None,
        fee: Decimal::ZERO,
        lump_sum: false,
        stop_delivery: false,
        expires: None,
        when: None,
        text: "offer".into(),
    };
    let mut steps = Vec::new();
    if ladder == Ladder::Charges {
        for (name, days) in [("mahnung", 5), ("last-call", 15)] {
            let deadline = Some(Span::Days(10));
            let fee = Decimal::new(250, 2);
            let lump_sum = name == "last-call";
            steps.push(Step { deadline, fee, lump_sum, ..step(name, StepAction::Mahnung, days) });
        }
    }
    if ladder == Ladder::HandsOff {
        let agency = AgencyId::new("nordinkasso").unwrap();
        steps.push(step("inkasso", StepAction::HandOff { agency, release: Release::Automatic }, 5));
    }
    steps.push(step("instalments", StepAction::Offer { plans }, 900));
    Policy {
        reference: PolicyRef {
            name: PolicyName::new(&format!("shop-{}", currency.code())).unwrap(),
            version: 1,
            hash: "0123456789abcdef".into(),
        },
        creditor: CreditorId::new("shop").unwrap(),
        currency,
        languages: vec!["de".into(), "en".into()],
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        region: Region::DeNw,
        cap: limits.cap,
        minimum: Decimal::ZERO,
        bundle: Bundle::Account,
        interest: InterestPolicy {
            claimed: match ladder {
                Ladder::Charges => InterestClaimed::Statutory,
                _ => InterestClaimed::None,
            },
            ..InterestPolicy::default()
        },
        rest_waived: Decimal::ZERO,
        in_flight: Span::BusinessDays(2),
        promise_within: Span::Days(14),
        meets_overdue_days: 3650,
        entry: None,
        spread_minutes: 0,
        brake: None,
        trials: None,
        arms: Vec::new(),
        personas: vec![Persona {
            name: PersonaName::new("everyone").unwrap(),
            when: None,
            language: LanguageChoice::Debtor,
            tone: "clear".into(),
            window: limits.window,
            channels: vec![Channel::Email],
            pay_with: vec![PayWith::Card, PayWith::Transfer],
            pace: Decimal::ONE,
        }],
        steps,
    }
}

impl House {
    pub async fn new() -> Self {
        Self::with(Ladder::Quiet, None).await
    }

    pub async fn with(ladder: Ladder, renew: Option<Renew>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("kulanz-pages-{}-{number}", std::process::id()));
        let store = Arc::new(SqliteStore::open(&folder).unwrap());
        let clock = Clock::standing(NOW.parse().unwrap());
        let creditor = Creditor {
            id: CreditorId::new("shop").unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            region: Region::DeNw,
            law: Law::De,
            channels: vec![Channel::Email],
            agencies: vec![AgencyId::new("nordinkasso").unwrap()],
            complete_for_placement: true,
            base_rates: kulanz_domain::law::rates::RateTable::Germany.shipped().unwrap().into(),
        };
        let policies = [Currency::EUR, Currency::USD]
            .map(|currency| (currency.code(), Arc::new(policy(currency, ladder))));
        let rules = Rules { creditor, policies: BTreeMap::from(policies) };
        let rules = HashMap::from([(CreditorId::new("shop").unwrap(), Arc::new(rules))]);
        let engine = Engine::start(
            store,
            Arc::new(Vault::new([7; 32])),
            clock.clone(),
            SharedRules::new(rules),
            Mode::Serving,
        );
        let card = Arc::new(card());
        let pages = Pages {
            engine: engine.clone(),
            creditors: Arc::new(move |_| Some(Arc::clone(&card))),
            base_url: "http://127.0.0.1:8080".into(),
            dev_mode: true,
            renew,
        };
        let house = Self {
            engine,
            clock,
            account: "shop/K-1".parse().unwrap(),
            router: router(pages.clone()),
            pages,
            told: AtomicU32::new(0),
            folder,
        };
        house.debtor("de", false).await;
        house
    }

    pub async fn debtor(&self, language: &str, represented: bool) {
        self.debtor_of(DebtorKind::Consumer, language, represented).await;
    }

    pub async fn debtor_of(&self, kind: DebtorKind, language: &str, represented: bool) {
        let profile = profile(kind, language, represented);
        self.tell(Fact::DebtorUpdated { profile }).await;
    }

    /// The debtor is of age by `until`.
    pub async fn minor(&self, language: &str, until: &str) {
        let profile = DebtorProfile {
            minor_until: Some(day(until)),
            birth_told: BirthTold::Here,
            ..profile(DebtorKind::Consumer, language, false)
        };
        self.tell(Fact::DebtorUpdated { profile }).await;
    }

    pub async fn tell(&self, fact: Fact) {
        self.tell_with(fact, vec![]).await;
    }

    pub async fn tell_with(&self, fact: Fact, secrets: Vec<(String, Vec<u8>)>) {
        let id = self.told.fetch_add(1, Ordering::Relaxed).to_string();
        let incoming = Incoming {
            key: InboxKey { source: "test".into(), id: id.clone() },
            account: self.account.clone(),
            stamp: Stamp { at: self.clock.now(), id: format!("test#{id:0>6}") },
            fact,
            secrets,
            recorded_at: None,
            trace: None,
        };
        let receipts = self.engine.record(vec![incoming]).await.unwrap();
        assert_eq!(receipts, [kulanz_engine::Receipt::Accepted]);
    }

    /// An invoice, due ten days ago.
    pub async fn invoice(&self, id: &str, amount: Money) {
        self.invoice_for(id, amount, "Gartenbank Eiche").await;
    }

    pub async fn invoice_for(&self, id: &str, amount: Money, description: &str) {
        self.invoice_as(id, amount, description, false).await;
    }

    /// `agreed`: the due date was agreed, so that default needs no Mahnung.
    pub async fn invoice_as(&self, id: &str, amount: Money, description: &str, agreed: bool) {
        let invoice = Invoice {
            invoice: InvoiceId::new(id).unwrap(),
            issued_on: day("2026-02-20"),
            due_on: day("2026-03-06"),
            amount,
            contract_on: Some(day("2026-02-18")),
            contract_object_known: true,
            contract_rate: None,
            received_on: None,
            due_date_agreed: agreed,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        };
        let secret = serde_json::json!({ "description": description }).to_string().into_bytes();
        let secrets = vec![(format!("invoice/{id}"), secret)];
        self.tell_with(Fact::InvoiceIssued { invoice }, secrets).await;
    }

    pub async fn payment(&self, id: &str, amount: Money, invoice: Option<&str>) {
        self.payment_on(id, amount, invoice, day("2026-03-10")).await;
    }

    pub async fn payment_on(
        &self,
        id: &str,
        amount: Money,
        invoice: Option<&str>,
        booked_on: Date,
    ) {
        let payment = PaymentId::new(id).unwrap();
        let invoice = invoice.map(|id| InvoiceId::new(id).unwrap());
        let method = "transfer".into();
        self.tell(Fact::PaymentReceived { payment, booked_on, amount, method, invoice }).await;
    }

    pub async fn hold(&self, owner: &str, until: Option<&str>) {
        let hold = HoldId::new(&format!("H-{owner}")).unwrap();
        let until = until.map(day);
        self.tell(Fact::HoldPlaced { hold, invoice: None, owner: owner.into(), until }).await;
    }

    /// Lets time pass; what is due by then is done, and a gateway takes the messages.
    pub async fn on(&self, moment: &str) {
        self.clock.set(moment.parse().unwrap());
        self.engine.run_due().await.unwrap();
        self.gateway_takes_all().await;
    }

    /// A gateway takes the messages that were decided.
    pub async fn gateway_takes_all(&self) {
        let rules = self.engine.rules(&self.account).unwrap();
        for (notice, known) in self.loaded().await.notices {
            if known.state == kulanz_domain::account::NoticeState::Decided {
                let (at, rules) = (self.clock.now(), Arc::clone(&rules));
                let sent = kulanz_domain::Command::ConfirmSent { notice, at, rules };
                self.engine.execute(&self.account, sent, "test").await.unwrap();
            }
        }
    }

    /// A link that opens for 30 days; its path.
    pub async fn link(&self) -> String {
        let expires = self.clock.now() + SignedDuration::from_hours(30 * 24);
        let (token, row) = self.engine.new_paylink(&self.account, None, expires).unwrap();
        let extra = Extra { paylinks: vec![row], ..Extra::default() };
        self.engine.execute_with(&self.account, None, "test", extra).await.unwrap();
        format!("/p/{token}")
    }

    pub async fn loaded(&self) -> Account {
        self.engine.load(&self.account).await.unwrap().unwrap().account
    }

    pub async fn open(&self, currency: Currency) -> Decimal {
        let today = kulanz_domain::calendar::day_in(
            self.engine.clock().now(),
            &TimeZone::get("Europe/Berlin").unwrap(),
        );
        Book::of(&self.loaded().await, currency).open_on(today)
    }

    /// What a restart would find: kinds of all events, and the account's checkouts with states.
    pub async fn traces(&self) -> (Vec<String>, Vec<String>) {
        let store = self.engine.store();
        let events = store.events_after(0, 10_000).await.unwrap();
        let checkouts = store.checkouts(self.account.clone()).await.unwrap();
        (
            events.into_iter().map(|event| event.kind).collect(),
            checkouts.into_iter().map(|row| format!("{row:?}")).collect(),
        )
    }

    pub async fn count(&self, kind: &str) -> usize {
        self.traces().await.0.iter().filter(|one| *one == kind).count()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4_000_000).await.unwrap();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, fields: &[(String, String)]) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(encoded(fields))).unwrap()).await
    }

    /// Opens a form and sends it with `more`.
    pub async fn fill(&self, page: &str, action: &str, more: &[(&str, &str)]) -> Answer {
        let shown = self.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
        self.post(action, &with(shown.hidden(action), more)).await
    }

    /// Opens one of the exits' forms and sends it with `more`.
    pub async fn exit(&self, link: &str, exit: &str, more: &[(&str, &str)]) -> Answer {
        let path = format!("{link}/{exit}");
        self.fill(&path, &path, more).await
    }

    /// Starts paying by card; the provider's page.
    pub async fn to_provider(&self, link: &str) -> String {
        let started = self.fill(link, &format!("{link}/pay/card"), &[]).await;
        started.location().to_owned()
    }

    /// Presses a button on the provider's page.
    pub async fn decide(&self, provider: &str, outcome: &str) -> Answer {
        let (path, back) = provider.split_once("?back=").unwrap();
        let fields = [("back", back), ("outcome", outcome)];
        self.post(path, &fields.map(|(name, value)| (name.to_owned(), value.to_owned()))).await
    }
}

fn profile(kind: DebtorKind, language: &str, represented: bool) -> DebtorProfile {
    DebtorProfile {
        kind,
        language: language.into(),
        country: "DE".into(),
        region: Some("NW".into()),
        timezone: None,
        reachable: vec![Channel::Email, Channel::Letter],
        prefers: vec![],
        pays_with: vec![],
        hours: None,
        sms_consent: None,
        vulnerable: false,
        address_researched: false,
        represented,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: BTreeMap::new(),
    }
}

pub fn with(mut hidden: Vec<(String, String)>, more: &[(&str, &str)]) -> Vec<(String, String)> {
    hidden.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    hidden
}

pub fn encoded(fields: &[(String, String)]) -> String {
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub fn later(days: i64) -> Timestamp {
    NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(days * 24)
}
