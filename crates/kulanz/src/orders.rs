//! What persons ask of accounts. An order is executed by whoever has the data: the command line
//! itself, or the server that works on them, to which the command line hands it over.

use anyhow::{Context, Result, anyhow, bail};
use jiff::civil::Date;
use kulanz_domain::{
    Command,
    calendar::day_in,
    event::Rate,
    fact::{Fact, Part, Stamp},
    ids::*,
    money::{Currency, Decimal},
    overrides::{Override, OverrideTerms},
    policy::Rules,
};
use kulanz_engine::{Done, Engine, ExecuteError, Extra, brake::By, making, store::OutboxState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{
    house::{House, count},
    http::{
        idempotency::{Begun, Keyed},
        schema,
    },
};

mod sense;

/// An order of a person.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Stop dunning.
    Hold {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Only this claim.
        #[schemars(with = "Option<schema::Id>")]
        invoice: Option<InvoiceId>,
        /// Last day.
        #[schemars(with = "Option<schema::Day>")]
        until: Option<Date>,
        /// Why; sealed.
        reason: String,
    },
    /// End a hold, or with `claim` let a claim enter the ladder that was old or that a minor made.
    Release {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// The hold.
        #[schemars(with = "Option<schema::Id>")]
        hold: Option<HoldId>,
        /// The claim that was old, or that a minor made.
        #[schemars(with = "Option<schema::Id>")]
        claim: Option<InvoiceId>,
    },
    /// Give up a part of a claim, for good (waive) or for the books (write off).
    GiveUp {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Claim.
        #[schemars(with = "schema::Id")]
        invoice: InvoiceId,
        /// `None`: all that is open of the part.
        #[schemars(with = "Option<schema::Amount>")]
        amount: Option<Decimal>,
        /// `None`: of everything.
        #[schemars(with = "Option<schema::PartOfClaim>")]
        part: Option<Part>,
        /// Why; sealed.
        reason: String,
        /// Write off instead of waive.
        write_off: bool,
    },
    /// A date that the debtor agreed with a person.
    Promise {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Last day.
        #[schemars(with = "schema::Day")]
        until: Date,
    },
    /// Instalments that the debtor agreed with a person.
    Plan {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Currency.
        #[schemars(with = "schema::CurrencyCode")]
        currency: Currency,
        /// Rates.
        #[schemars(with = "Vec<schema::RateOfPlan>")]
        rates: Vec<Rate>,
    },
    /// Decide differently for an account or a claim.
    SetOverride {
        /// Account.
        account: AccountId,
        /// Only this claim.
        invoice: Option<InvoiceId>,
        /// What is different.
        terms: Box<OverrideTerms>,
        /// Last day.
        until: Option<Date>,
        /// Why; sealed.
        reason: String,
    },
    /// Take an override back.
    LiftOverride {
        /// Account.
        account: AccountId,
        /// Which.
        id: OverrideId,
    },
    /// Destroy the account's key.
    Erase {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
    },
    /// Agree to a placement.
    ReleasePlacement {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Placement.
        #[schemars(with = "schema::Id")]
        placement: PlacementId,
    },
    /// A parked or unknown message: it was sent after all.
    NoticeWasSent {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Notice.
        #[schemars(with = "schema::Id")]
        notice: NoticeId,
    },
    /// A parked or unknown message: it was not sent; the account decides again.
    NoticeWasNotSent {
        /// Account.
        #[schemars(with = "schema::AccountName")]
        account: AccountId,
        /// Notice.
        #[schemars(with = "schema::Id")]
        notice: NoticeId,
    },
    /// Messages that wait behind a creditor's brake may leave.
    ReleaseBrake {
        /// Whose.
        creditor: CreditorId,
        /// So many; the brake stays pulled. `None`: all that was decided until now.
        messages: Option<u64>,
    },
    /// Messages that wait behind a creditor's brake are not sent; their accounts decide again.
    DiscardBraked {
        /// Whose.
        creditor: CreditorId,
        /// Only those decided longer ago than so many days.
        older_than_days: Option<u32>,
        /// Only those of this step.
        step: Option<StepName>,
    },
    /// Try a dead letter again, or all open ones.
    RetryDeadLetters {
        /// Which; `None`: all.
        number: Option<u64>,
    },
    /// Close dead letters that nobody will mend. They are kept, and not tried again.
    DiscardDeadLetters {
        /// Which.
        numbers: Vec<u64>,
    },
    /// Try a webhook again at once, also where it was parked.
    RetryWebhook {
        /// Its name.
        name: String,
    },
    /// Put a planned policy in force.
    #[schemars(skip)]
    PutInForce(Box<crate::plan::Applied>),
}

/// Roles that may give orders at all.
pub const PERSONS: &[&str] = &["clerk", "approver", "admin"];

/// What an order led to, for people and scripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Sentences.
    pub said: Vec<String>,
    /// Kinds of the events that it recorded.
    pub events: Vec<String>,
}

impl Order {
    /// What a person may be: holds and waivers need a clerk; erasures, write-offs and
    /// policies an approver.
    pub const fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::Erase { .. }
            | Self::GiveUp { write_off: true, .. }
            | Self::DiscardDeadLetters { .. }
            | Self::RetryWebhook { .. }
            | Self::PutInForce(_) => &["approver", "admin"],
            _ => PERSONS,
        }
    }

    /// Whether all that it does is one append to one account. Then a key that it came with, and
    /// what is answered, are part of that append.
    pub const fn is_one_append(&self) -> bool {
        match self {
            Self::Hold { .. }
            | Self::Release { .. }
            | Self::GiveUp { .. }
            | Self::Promise { .. }
            | Self::Plan { .. }
            | Self::SetOverride { .. }
            | Self::LiftOverride { .. }
            | Self::Erase { .. }
            | Self::ReleasePlacement { .. }
            | Self::NoticeWasSent { .. }
            | Self::NoticeWasNotSent { .. } => true,
            Self::ReleaseBrake { .. }
            | Self::DiscardBraked { .. }
            | Self::RetryDeadLetters { .. }
            | Self::DiscardDeadLetters { .. }
            | Self::RetryWebhook { .. }
            | Self::PutInForce(_) => false,
        }
    }

    /// What is to be done after it was executed, and again until that is done.
    pub fn rest(&self) -> Option<Rest> {
        match self {
            Self::Erase { account } => Some(Rest::Erased(account.clone())),
            _ => None,
        }
    }

    /// The creditor whose account it concerns; `None`: all of them.
    pub fn creditor(&self) -> Option<&CreditorId> {
        match self {
            Self::Hold { account, .. }
            | Self::Release { account, .. }
            | Self::GiveUp { account, .. }
            | Self::Promise { account, .. }
            | Self::Plan { account, .. }
            | Self::SetOverride { account, .. }
            | Self::LiftOverride { account, .. }
            | Self::Erase { account }
            | Self::ReleasePlacement { account, .. }
            | Self::NoticeWasSent { account, .. }
            | Self::NoticeWasNotSent { account, .. } => Some(&account.creditor),
            Self::ReleaseBrake { creditor, .. } | Self::DiscardBraked { creditor, .. } => {
                Some(creditor)
            }
            Self::PutInForce(applied) => Some(&applied.creditor),
            Self::RetryDeadLetters { .. }
            | Self::DiscardDeadLetters { .. }
            | Self::RetryWebhook { .. } => None,
        }
    }
}

/// What comes after an order: it may be done several times.
pub enum Rest {
    /// Withdraw the messages of an erased account that wait, and erase our own copies of its
    /// placements.
    Erased(AccountId),
}

impl Rest {
    /// Does it; `outcome` with what it did.
    pub async fn finish(self, house: &House, mut outcome: Outcome) -> Result<Outcome> {
        let Self::Erased(account) = self;
        let under_way = crate::erasures::withdraw(house, &account, "erasure").await?;
        if under_way > 0 {
            outcome.said.push(format!(
                "{} on the way at this moment: whether it left is told once that is known",
                count(under_way, "message")
            ));
        }
        outcome.said.extend(crate::handoff::erase_copies(house, &account).await?);
        Ok(outcome)
    }
}

/// Executes an order of `person` to its end, without a key.
pub async fn give(house: &House, order: Order, person: &str) -> Result<Outcome> {
    let rest = order.rest();
    let outcome = execute(house, order, person, None, None).await?;
    match rest {
        Some(rest) => rest.finish(house, outcome).await,
        None => Ok(outcome),
    }
}

/// Executes an order of `person` but for its [`Rest`], with the key that it came with: that of one
/// append travels with it, of others it is known when it `begun`. A refusal is an error that says why.
pub async fn execute(
    house: &House,
    order: Order,
    person: &str,
    keyed: Option<&Keyed>,
    begun: Option<&Begun>,
) -> Result<Outcome> {
    let engine = &house.engine;
    let now = engine.clock().now();
    let again = begun.is_some_and(|begun| begun.again);
    let cause = format!("person:{person}");
    let hand = Hand { engine, cause: &cause, keyed };
    let stamp = |what: &str| Stamp { at: now, id: format!("{cause}#{what}") };
    let fresh = short_id()?;
    match order {
        Order::Hold { account, invoice, until, reason } => {
            sense::reason(&reason)?;
            let today = day_in(now, &rules(engine, &account)?.creditor.zone);
            sense::last_day(until, today)?;
            let of = match &invoice {
                None => String::new(),
                Some(invoice) => {
                    let loaded = engine.load(&account).await?.context("no such account")?;
                    if !loaded.account.claims.contains_key(invoice) {
                        bail!("no claim {invoice} on {account}");
                    }
                    format!("{invoice} of ")
                }
            };
            let hold = HoldId::new(&format!("H-{fresh}"))?;
            let owner = owner(person);
            let fact = Fact::HoldPlaced { hold: hold.clone(), invoice, owner, until };
            let secrets = vec![(format!("hold/{hold}"), serde_json::json!({ "reason": reason }))];
            let said = format!("{of}{account} is on hold; hold {hold}");
            hand.record(&account, fact, stamp(hold.as_str()), secrets, said).await
        }
        Order::Release { account, hold: Some(hold), claim: None } => {
            let loaded = engine.load(&account).await?.context("no such account")?;
            if !loaded.account.holds.contains_key(&hold) {
                let known: Vec<String> =
                    loaded.account.holds.keys().map(ToString::to_string).collect();
                bail!("no hold {hold} on {account}; there are: {}", known.join(", "));
            }
            let fact = Fact::HoldReleased { hold: hold.clone() };
            let said = format!("hold {hold} is over");
            hand.record(&account, fact, stamp(hold.as_str()), Vec::new(), said).await
        }
        Order::Release { account, hold: None, claim: Some(invoice) } => {
            let command = Command::Admit { invoice: invoice.clone(), by: person.to_owned() };
            let said = format!("claim {invoice} enters the ladder");
            hand.run(&account, command, said).await
        }
        Order::Release { .. } => {
            bail!("name either a hold or, with --claim, an old claim or one that a minor made")
        }
        Order::GiveUp { account, invoice, amount, part, reason, write_off } => {
            let loaded = engine.load(&account).await?.context("no such account")?;
            if !loaded.account.claims.contains_key(&invoice) {
                bail!("no claim {invoice} on {account}");
            }
            let on = day_in(now, &rules(engine, &account)?.creditor.zone);
            sense::reason(&reason)?;
            sense::given_up(&loaded.account, &invoice, (amount, part), on)?;
            let said = format!(
                "{} of {invoice} {}",
                amount.map_or_else(|| "all that is open".to_owned(), |a| a.to_string()),
                if write_off { "written off" } else { "waived" }
            );
            let slot = format!("invoice/{invoice}/given-up/{fresh}");
            let fact = match write_off {
                true => Fact::WrittenOff { invoice, on, amount, part },
                false => Fact::Waived { invoice, on, amount, part },
            };
            let secrets = vec![(slot, serde_json::json!({ "reason": reason }))];
            hand.record(&account, fact, stamp(&fresh), secrets, said).await
        }
        Order::Promise { account, until } => {
            let promise = PromiseId::new(&format!("V-{fresh}"))?;
            let rules = rules(engine, &account)?;
            let command = Command::Promise { promise, until, now, rules, by_person: true };
            let said = format!("reminders rest until {until} and its grace");
            hand.run(&account, command, said).await
        }
        Order::Plan { account, currency, rates } => {
            let plan = PlanId::new(&format!("R-{fresh}"))?;
            let rules = rules(engine, &account)?;
            let said = format!("plan of {} rates agreed", rates.len());
            let command = Command::AgreePlan { plan, currency, rates, now, rules, by_person: true };
            hand.run(&account, command, said).await
        }
        Order::SetOverride { account, invoice, terms, until, reason } => {
            let id = OverrideId::new(&format!("O-{fresh}"))?;
            let rules = rules(engine, &account)?;
            let (by, on) = (person.to_owned(), day_in(now, &rules.creditor.zone));
            sense::reason(&reason)?;
            sense::last_day(until, on)?;
            let set = Override { id, invoice, terms: *terms, until, by, on, lifted_on: None };
            let said = format!("override {}: {}", set.id, crate::overrides::said(&set));
            let slot = crate::overrides::slot(&set.id);
            let secret = (slot, serde_json::to_vec(&serde_json::json!({ "reason": reason }))?);
            let extra = Extra { secrets: vec![secret], ..Extra::default() };
            let command = Command::SetOverride { set, rules };
            hand.give(&account, command, extra, move |_| vec![said.clone()]).await
        }
        Order::LiftOverride { account, id } => {
            let rules = rules(engine, &account)?;
            let said = format!("override {id} is lifted");
            let command = Command::LiftOverride { id, by: person.to_owned(), now, rules };
            hand.run(&account, command, said).await
        }
        Order::Erase { account } => {
            // Listed for good, it would be erased whenever it comes.
            if engine.store().heads(vec![account.clone()]).await?.iter().all(Option::is_none) {
                bail!("nothing is known of {account}");
            }
            crate::erasures::note(house, &account)?;
            let said = format!("the key of {account} is destroyed; nobody can be told from it");
            hand.run(&account, Command::Erase { at: now }, said).await
        }
        Order::ReleasePlacement { account, placement } => {
            crate::handoff::release(house, &hand, &account, &placement, person).await
        }
        Order::NoticeWasSent { account, notice } => {
            let rules = rules(engine, &account)?;
            let command = Command::ConfirmSent { notice: notice.clone(), at: now, rules };
            hand.run(&account, command, format!("{notice} counts as sent")).await
        }
        Order::NoticeWasNotSent { account, notice } => {
            let command = Command::Discard { notice: notice.clone(), by: person.to_owned() };
            let row = engine.store().outbox_row(notice.clone()).await?;
            // One of unknown outcome may lie with its reader; a parked one was never taken.
            let parked = row.is_some_and(|row| row.state == OutboxState::Parked);
            let forgets = if parked { vec![making::slot(&notice)] } else { Vec::new() };
            let (said, extra) =
                (format!("{notice} counts as not sent"), Extra { forgets, ..Extra::default() });
            hand.run_with(&account, command, extra, said).await
        }
        Order::ReleaseBrake { creditor, messages } => {
            let (at, key) = (begun.map_or(now, |begun| begun.at), begun.map(|it| it.key.as_str()));
            crate::brake::release(house, &creditor, messages, By { person, at, key }).await
        }
        Order::DiscardBraked { creditor, older_than_days, step } => {
            let chosen = crate::brake::Chosen { older_than_days, step };
            crate::brake::discard(house, &creditor, &chosen, person, begun).await
        }
        Order::PutInForce(applied) => crate::plan::put_in_force(house, *applied, person).await,
        Order::RetryWebhook { name } => {
            let webhooks = &house.settings.webhooks;
            crate::webhooks::retry(&**engine.store(), webhooks, &name, person).await
        }
        Order::RetryDeadLetters { number } => {
            let said = vec![crate::letters::retry(house, number, again).await?];
            Ok(Outcome { said, events: Vec::new() })
        }
        Order::DiscardDeadLetters { numbers } => {
            let said = vec![crate::letters::discard(house, &numbers, person, again).await?];
            Ok(Outcome { said, events: Vec::new() })
        }
    }
}

/// A person's name as the owner of a hold.
fn owner(person: &str) -> String {
    let plain: String = person
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(64)
        .collect();
    if plain.is_empty() { "person".to_owned() } else { plain }
}

/// The rules that hold for an account.
pub fn rules(engine: &Engine, account: &AccountId) -> Result<Arc<Rules>> {
    engine
        .rules(account)
        .ok_or_else(|| anyhow!("there is no file policies/creditors/{}.yaml", account.creditor))
}

/// Gives a command of an order to its account.
pub struct Hand<'a> {
    /// Where the account is.
    pub engine: &'a Engine,
    /// Who is behind it.
    pub cause: &'a str,
    /// The key that the order came with.
    pub keyed: Option<&'a Keyed>,
}

impl Hand<'_> {
    async fn record(
        &self,
        account: &AccountId,
        fact: Fact,
        stamp: Stamp,
        secrets: Vec<(String, serde_json::Value)>,
        said: String,
    ) -> Result<Outcome> {
        let at = self.engine.clock().now();
        let rules = rules(self.engine, account)?;
        let command = Command::Record { fact, stamp, at, account: account.clone(), rules };
        let mut plain = Vec::with_capacity(secrets.len());
        for (slot, value) in secrets {
            plain.push((slot, serde_json::to_vec(&value)?));
        }
        let extra = Extra { secrets: plain, ..Extra::default() };
        self.give(account, command, extra, move |_| vec![said.clone()]).await
    }

    async fn run(&self, account: &AccountId, command: Command, said: String) -> Result<Outcome> {
        self.run_with(account, command, Extra::default(), said).await
    }

    async fn run_with(
        &self,
        account: &AccountId,
        command: Command,
        extra: Extra,
        said: String,
    ) -> Result<Outcome> {
        let said = move |done: &Done| match done.kinds.is_empty() {
            true => vec!["that was so already: nothing changed".to_owned()],
            false => vec![said.clone()],
        };
        self.give(account, command, extra, said).await
    }

    /// Executes the command; `said` is answered once it is known what that led to, and travels with
    /// the key.
    pub async fn give(
        &self,
        account: &AccountId,
        command: Command,
        extra: Extra,
        said: impl Fn(&Done) -> Vec<String> + Clone + Send + Sync + 'static,
    ) -> Result<Outcome> {
        known(self.engine, account).await?;
        let outcome = move |done: &Done| Outcome {
            said: said(done),
            events: done.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        let request = self.keyed.map(|keyed| keyed.travels(outcome.clone()));
        let extra = Extra { request, ..extra };
        match self.engine.execute_with(account, Some(command), self.cause, extra).await {
            Ok(done) => Ok(outcome(&done)),
            Err(ExecuteError::Refused(refusal)) => Err(anyhow!("refused: {refusal}")),
            Err(ExecuteError::Failed(fault)) => Err(fault.into()),
        }
    }
}

async fn known(engine: &Engine, account: &AccountId) -> Result<()> {
    match engine.load(account).await? {
        Some(_) => Ok(()),
        None => bail!("nothing is known of {account}"),
    }
}

/// Ten random characters for an id.
pub fn short_id() -> Result<String> {
    let bytes = kulanz_engine::vault::random::<10>()?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(b"23456789abcdefghjkmnpqrstuvwxyz"[usize::from(*byte) % 31]))
        .collect())
}
