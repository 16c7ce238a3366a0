//! `GET /v1/accounts/CREDITOR/DEBTOR/placements/ID`: what was handed to an agency, what came of it,
//! and how it ended. Without personal data, and without the names of those who agreed.
//!
//! Below its account, since both sides know that one: each word of an agency names it. So it is one
//! look at one account, also for placements that no work list has any more.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use jiff::{Timestamp, tz::TimeZone};
use kulanz_delivery::placement::{
    Update,
    document::{HoldEntry, OpenClaim},
};
use kulanz_domain::{
    Account, AccountEvent,
    account::{Placement, PlacementState},
    event::Suppression,
    fact::PlacementReport,
    ids::{AccountId, CreditorId, DebtorId, InvoiceId, PlacementId},
    money::{Decimal, plain},
};
use kulanz_engine::store::StoredEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    Server,
    caller::{Caller, READERS},
    problem::Refused,
    schema::{AccountName, Amount, CurrencyCode, Day, Id, Moment},
};

/// Abgabe an Inkasso, in full.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Placement")]
pub struct Placed {
    /// Which.
    pub placement: Id,
    /// Whose claims.
    pub account: AccountName,
    /// To whom.
    pub agency: Id,
    /// Step of the ladder that made it due.
    pub step: Id,
    /// `due`, `released`, `withdrawn`, `recalled`, `rejected`, `closed`.
    pub state: &'static str,
    /// When it became due.
    pub due_at: Moment,
    /// Who has to agree: `four_eyes`, `one_person`, `automatic`.
    pub release: String,
    /// How many persons agreed so far.
    pub approvals: usize,
    /// Fields that it lacks; with any, nobody can release it.
    pub missing: Vec<String>,
    /// When it went out.
    pub released_at: Option<Moment>,
    /// Its claims.
    pub claims: Vec<PlacedClaim>,
    /// That it did not go out, or was called back.
    pub ended: Option<Ended>,
    /// What the agency told, oldest first.
    pub reports: Vec<Report>,
    /// While it is out: times in which nobody is to write to the debtor; none that was released.
    pub holds: Vec<PlacedHold>,
    /// While it is out: a lawyer or guardian acts for the debtor, who must not be written to.
    pub represented: bool,
}

/// A hold over a placement that is out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlacedHold {
    /// Which.
    pub hold: Id,
    /// Only this claim; absent: all of them.
    pub invoice: Option<Id>,
    /// First day.
    pub placed_on: Day,
    /// Last day; absent: until it is released.
    pub until: Option<Day>,
}

/// A claim with what was owed when it went out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlacedClaim {
    /// Claim and invoice.
    pub invoice: Id,
    /// ISO 4217.
    pub currency: Option<CurrencyCode>,
    /// What went out; absent until it does.
    pub released: Option<Parts>,
    /// What is open by now, while it is out: what the agency was told last.
    pub open: Option<Parts>,
}

/// What was owed, in its parts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Parts {
    /// Hauptleistung.
    pub principal: Amount,
    /// Costs.
    pub fees: Amount,
    /// Zinsen.
    pub interest: Amount,
    /// The day up to which interest was counted; absent: it bore none.
    pub interest_to: Option<Day>,
}

/// That a placement did not go out (`withdrawn`), or that the agency has to stop (`recalled`).
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// When.
    pub at: Moment,
    /// `paid`, `disputed`, `insolvent`, `deceased`, `erased` …
    pub reason: String,
}

/// What an agency told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Its day.
    pub on: Day,
    /// `accepted`, `rejected`, `payment_received`, `status`, `closed`.
    pub report: &'static str,
    /// The agency's word for where it stands.
    pub state: Option<String>,
    /// The payment, which counts as one of the account.
    pub payment: Option<Id>,
    /// Its amount.
    pub amount: Option<Amount>,
    /// ISO 4217.
    pub currency: Option<CurrencyCode>,
    /// `false`: the agency holds the money.
    pub paid_to_creditor: Option<bool>,
}

/// Shows one placement.
pub async fn show(
    State(server): State<Server>,
    caller: Caller,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Json<Placed>, Refused> {
    caller.needs(READERS)?;
    let none = || Refused::not_found("placement");
    let Path((creditor, debtor, placement)) = path.map_err(|_| none())?;
    let creditor = CreditorId::new(&creditor).map_err(|_| none())?;
    let debtor = DebtorId::new(&debtor).map_err(|_| none())?;
    let placement = PlacementId::new(&placement).map_err(|_| none())?;
    let id = AccountId::new(creditor, debtor);
    if !caller.sees(&id.creditor) {
        return Err(none());
    }
    let engine = &server.house.engine;
    let loaded = engine.load(&id).await?.ok_or_else(none)?;
    let entry = loaded.account.placements.get(&placement).ok_or_else(none)?;
    let course = Course::of(&placement, &engine.store().stream(id.clone(), 0).await?)
        .map_err(|error| Refused::fault(&error.into()))?;
    let due_at = course.due_at.ok_or_else(none)?;
    let file = server.house.loaded.creditors.get(&id.creditor);
    let zone = file.map_or(TimeZone::UTC, |file| file.creditor.zone.clone());
    let moment = (engine.clock().now(), &zone);
    let now = (entry.state == PlacementState::Released)
        .then(|| Update::new(&id, &placement, entry, &loaded.account, moment));
    let claims = entry.claims.iter().map(|claim| {
        let placed = placed_claim(&loaded.account, entry, claim);
        let mut open = now.iter().flat_map(|now| &now.claims);
        PlacedClaim { open: open.find(|one| one.invoice == *claim).map(Parts::open), ..placed }
    });
    Ok(Json(Placed {
        placement: Id::of(&placement),
        account: AccountName(id.to_string()),
        agency: Id::of(&entry.agency),
        step: Id::of(&entry.step),
        state: state_name(entry.state),
        due_at: Moment::of(due_at),
        release: word(&entry.release),
        approvals: entry.approved_by.len(),
        missing: entry.missing.clone(),
        released_at: course.released_at.map(Moment::of),
        claims: claims.collect(),
        ended: course.ended.map(|(at, reason)| Ended { at: Moment::of(at), reason: word(&reason) }),
        reports: course.reports,
        holds: now.iter().flat_map(|now| &now.holds).map(PlacedHold::of).collect(),
        represented: now.is_some_and(|now| now.represented),
    }))
}

impl Parts {
    fn open(claim: &OpenClaim) -> Self {
        Self {
            principal: Amount(claim.open_principal.to_string()),
            fees: Amount(claim.open_fees.to_string()),
            interest: Amount(claim.open_interest.to_string()),
            interest_to: claim.interest_until.map(Day::of),
        }
    }
}

impl PlacedHold {
    fn of(hold: &HoldEntry) -> Self {
        Self {
            hold: Id::of(&hold.hold),
            invoice: hold.invoice.as_ref().map(Id::of),
            placed_on: Day::of(hold.placed_on),
            until: hold.until.map(Day::of),
        }
    }
}

/// When what happened to a placement, from the log.
#[derive(Default)]
struct Course {
    due_at: Option<Timestamp>,
    released_at: Option<Timestamp>,
    ended: Option<(Timestamp, Suppression)>,
    reports: Vec<Report>,
}

impl Course {
    fn of(wanted: &PlacementId, log: &[StoredEvent]) -> Result<Self, serde_json::Error> {
        let mut course = Self::default();
        for stored in log {
            let at = stored.recorded_at;
            match serde_json::from_str(&stored.payload)? {
                AccountEvent::HandoffDue { placement, .. } if placement == *wanted => {
                    course.due_at = Some(at);
                }
                AccountEvent::PlacementReleased { placement, at, .. } if placement == *wanted => {
                    course.released_at = Some(at);
                }
                AccountEvent::HandoffWithdrawn { placement, reason }
                | AccountEvent::PlacementRecalled { placement, reason }
                    if placement == *wanted =>
                {
                    course.ended = Some((at, reason));
                }
                AccountEvent::PlacementReported { placement, on, report }
                    if placement == *wanted =>
                {
                    course.reports.push(told(Day::of(on), report));
                }
                _ => {}
            }
        }
        Ok(course)
    }
}

fn told(on: Day, report: PlacementReport) -> Report {
    let mut told = Report {
        on,
        report: "closed",
        state: None,
        payment: None,
        amount: None,
        currency: None,
        paid_to_creditor: None,
    };
    match report {
        PlacementReport::Accepted => told.report = "accepted",
        PlacementReport::Rejected => told.report = "rejected",
        PlacementReport::Closed => {}
        PlacementReport::Status { state } => {
            told.report = "status";
            told.state = Some(state);
        }
        PlacementReport::PaymentReceived { payment, amount, paid_to_creditor, .. } => {
            told.report = "payment_received";
            told.payment = Some(Id::of(&payment));
            told.amount = Some(Amount(amount.plain()));
            told.currency = Some(CurrencyCode(amount.currency.code().to_owned()));
            told.paid_to_creditor = Some(paid_to_creditor);
        }
    }
    told
}

fn placed_claim(account: &Account, entry: &Placement, claim: &InvoiceId) -> PlacedClaim {
    let currency = account.claims.get(claim).and_then(|claim| claim.currency());
    let amounts = entry.amounts.iter().find(|(invoice, ..)| invoice == claim);
    let interest = entry.interest.iter().find(|(invoice, ..)| invoice == claim);
    let released = amounts.zip(currency).map(|((_, principal, fees), currency)| Parts {
        principal: Amount(plain(*principal, currency)),
        fees: Amount(plain(*fees, currency)),
        interest: Amount(plain(interest.map_or(Decimal::ZERO, |(_, sum, _)| *sum), currency)),
        interest_to: interest.map(|(_, _, to)| Day::of(*to)),
    });
    let currency = currency.map(|currency| CurrencyCode(currency.code().to_owned()));
    PlacedClaim { invoice: Id::of(claim), currency, released, open: None }
}

/// Where a placement stands, as HTTP names it.
pub const fn state_name(state: PlacementState) -> &'static str {
    match state {
        PlacementState::Due => "due",
        PlacementState::Released => "released",
        PlacementState::Withdrawn => "withdrawn",
        PlacementState::Recalled => "recalled",
        PlacementState::Rejected => "rejected",
        PlacementState::Closed => "closed",
    }
}

/// As it is stored: one word.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}
