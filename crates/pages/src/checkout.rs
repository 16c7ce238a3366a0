//! Paying through a provider's own page: started here, settled by what the provider says.
//!
//! A checkout's row holds the provider's word (`paid`, `failed`) or ours (`open`, `void`); that
//! money came is a fact of the account alone, recorded once under the checkout's id. So a word
//! that comes twice, late, or is asked for gives exactly one payment.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use kulanz_domain::{
    Refusal,
    calendar::day_in,
    fact::{Fact, Stamp},
    ids::{AccountId, PaymentId},
    money::{self, Currency, Decimal, Money, decimals},
};
use kulanz_engine::{Fault, Incoming, Receipt, vault};
use kulanz_store::{CheckoutRow, InboxKey, StoreError};
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

use crate::{
    App, Pages,
    case::{Case, Deed},
    catalogue::Text,
    frame::{Frame, see_other, stopped},
    guard::hex,
    html::Html,
    visit::{Ask, Body, Fields, Stop, Visit},
};

/// The provider whose page is on this site.
const SANDBOX: &str = "sandbox";
/// States of a checkout.
pub(crate) const OPEN: &str = "open";
pub(crate) const PAID: &str = "paid";
pub(crate) const FAILED: &str = "failed";
pub(crate) const VOID: &str = "void";

/// What [`Pages::settle_checkout`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The payment is on the account, since now or since before.
    Booked,
    /// The provider has not taken the money.
    NotPaid,
}

/// Why a checkout was not settled. Nothing was recorded; asking again may help.
#[derive(Debug, Error)]
pub enum SettleError {
    /// There is no such checkout.
    #[error("no checkout {0}")]
    Unknown(String),
    /// The account does not take it.
    #[error("the account refused the payment: {0}")]
    Refused(Refusal),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for SettleError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<SettleError> for Stop {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Unknown(_) => Self::Unknown,
            other => Self::Fault(other.to_string()),
        }
    }
}

impl Pages {
    /// Books the payment of a checkout of which the provider said that it took the money. For
    /// webhooks, for the debtor's return and for whoever asks the provider: all take this road,
    /// and however often and in whatever order they do, there is one payment.
    pub async fn settle_checkout(&self, checkout: &str) -> Result<Settled, SettleError> {
        let unknown = || SettleError::Unknown(checkout.chars().take(80).collect());
        let row = self.engine.store().checkout(checkout.to_owned()).await?.ok_or_else(unknown)?;
        if row.state != PAID {
            return Ok(Settled::NotPaid);
        }
        let payment = PaymentId::new(&row.checkout).map_err(|_| unknown())?;
        let account = row.account.clone();
        let loaded = self.engine.load(&account).await?.ok_or_else(unknown)?;
        let known = loaded.account.payments.get(&payment);
        if known.is_some_and(|payment| payment.received.is_some()) {
            return Ok(Settled::Booked);
        }
        let Some(rules) = self.engine.rules(&account) else {
            return Err(Fault::Other(format!("no rules for {}", account.creditor)).into());
        };
        // All from the row, so that each telling of it is the same fact.
        let booked_on = day_in(row.changed_at, &rules.creditor.zone);
        let case = Case::of(&loaded.account, booked_on);
        let invoice = case.section(row.currency).and_then(|section| section.single()).cloned();
        let source = format!("kulanz:{}", row.provider);
        let incoming = Incoming {
            stamp: Stamp { at: row.changed_at, id: format!("{source}#{}", row.checkout) },
            key: InboxKey { source, id: row.checkout.clone() },
            account,
            fact: Fact::PaymentReceived {
                payment,
                booked_on,
                amount: amount(&row),
                method: "card".to_owned(),
                invoice,
            },
            secrets: Vec::new(),
            recorded_at: None,
            trace: None,
        };
        match self.engine.record(vec![incoming]).await?.pop() {
            Some(Receipt::Accepted | Receipt::Duplicate) => Ok(Settled::Booked),
            Some(Receipt::Refused(refusal)) => Err(SettleError::Refused(refusal)),
            Some(Receipt::UnknownCreditor(creditor)) => {
                Err(Fault::Other(format!("no creditor file for {creditor}")).into())
            }
            Some(Receipt::Faulted(reason)) => Err(Fault::Other(reason).into()),
            None => Err(Fault::Stopped.into()),
        }
    }
}

/// The amount of a checkout.
pub(crate) fn amount(row: &CheckoutRow) -> Money {
    Money::new(Decimal::new(row.amount, decimals(row.currency).unwrap_or(2)), row.currency)
}

/// In the currency's smallest unit; `None` beyond what a row holds.
fn minor_units(amount: Decimal, currency: Currency) -> Option<i64> {
    let factor = Decimal::from(10u64.checked_pow(decimals(currency).unwrap_or(2))?);
    amount.checked_mul(factor)?.to_i64()
}

/// Whether an open checkout still asks for what the account would pay now.
pub(crate) fn current(row: &CheckoutRow, case: &Case<'_>) -> bool {
    let section = case.section(row.currency).filter(|_| case.state.allows(Deed::Pay));
    section.is_some_and(|section| section.due_now == amount(row).amount)
}

/// The row in another state, since now.
pub(crate) async fn put(app: &App, row: &CheckoutRow, state: &str) -> Result<(), Stop> {
    let engine = &app.pages.engine;
    let changed =
        CheckoutRow { state: state.to_owned(), changed_at: engine.clock().now(), ..row.clone() };
    Ok(engine.store().put_checkout(changed).await?)
}

type At = Result<Path<(String, String)>, PathRejection>;

fn place(at: At) -> (String, String) {
    at.map_or_else(|_| Default::default(), |Path(place)| place)
}

/// `GET /p/{token}/pay/{way}`: a reload of what only a form may do.
pub(crate) async fn not_here(State(app): State<Arc<App>>, at: At, ask: Ask) -> Response {
    let (token, _) = place(at);
    match Visit::open(&app, &token, &ask).await {
        Ok(visit) => see_other(&visit.href("")),
        Err(stop) => stopped(&app, &ask, &stop),
    }
}

/// `POST /p/{token}/pay/card`: to the provider's page.
pub(crate) async fn start(State(app): State<Arc<App>>, at: At, ask: Ask, body: Body) -> Response {
    let (token, way) = place(at);
    let started = async {
        ask.admit(&app, &token)?;
        if way != "card" || !app.pages.dev_mode {
            return Err(Stop::Unknown);
        }
        let visit = Visit::open(&app, &token, &ask).await?;
        let fields = Fields::read(body)?;
        let _guard = app.lock(&visit.id).await?;
        // Read again: somebody else may have held the lock.
        let visit = Visit::open(&app, &token, &ask).await?;
        let checkout = match visit.form_version("card", &fields) {
            Some(_) => checkout(&app, &visit, &fields).await?,
            None => None,
        };
        Ok(match checkout {
            Some(checkout) => {
                let lang = visit.chosen.map_or_else(String::new, |l| format!("&lang={}", l.tag()));
                see_other(&format!("/sandbox/{checkout}?back={token}{lang}"))
            }
            None => notice(
                &app,
                &visit,
                Text::OvertakenTitle,
                &[Text::OvertakenText, Text::NothingCharged],
            ),
        })
    };
    started.await.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

/// The checkout for what the form showed; `None` where that is not what is open any more. The
/// open one of the same amount is used again, others in its currency become void.
async fn checkout(app: &App, visit: &Visit, fields: &Fields) -> Result<Option<String>, Stop> {
    let case = visit.case();
    let section = money::currency(fields.one("currency"))
        .ok()
        .and_then(|currency| case.section(currency))
        .filter(|section| case.state.allows(Deed::Pay) && section.due_now > Decimal::ZERO);
    let Some(section) = section else { return Ok(None) };
    let due = section.money(section.due_now);
    if fields.one("amount") != due.plain() {
        return Ok(None);
    }
    let amount = minor_units(due.amount, due.currency)
        .ok_or_else(|| Stop::Fault(format!("{due} is beyond a checkout")))?;
    let mut again = None;
    for row in app.pages.engine.store().checkouts(visit.id.clone()).await? {
        if row.state != OPEN || row.currency != due.currency {
            continue;
        }
        match current(&row, &case) && again.is_none() {
            true => again = Some(row.checkout),
            false => put(app, &row, VOID).await?,
        }
    }
    if again.is_some() {
        return Ok(again);
    }
    let bytes = vault::random::<16>().map_err(Fault::from)?;
    let row = CheckoutRow {
        checkout: format!("CO-{}", hex(&bytes)),
        account: visit.id.clone(),
        provider: SANDBOX.to_owned(),
        amount,
        currency: due.currency,
        state: OPEN.to_owned(),
        created_at: visit.now,
        changed_at: visit.now,
    };
    let checkout = row.checkout.clone();
    app.pages.engine.store().put_checkout(row).await?;
    Ok(Some(checkout))
}

/// A checkout of the account; anybody else's is none.
pub(crate) async fn row_of(
    app: &App,
    checkout: &str,
    account: &AccountId,
) -> Result<CheckoutRow, Stop> {
    let row = app.pages.engine.store().checkout(checkout.to_owned()).await?;
    row.filter(|row| row.account == *account).ok_or(Stop::Unknown)
}

/// `GET /p/{token}/return/{checkout}`: back from the provider.
pub(crate) async fn back(State(app): State<Arc<App>>, at: At, ask: Ask) -> Response {
    let (token, checkout) = place(at);
    let shown = async {
        let visit = Visit::open(&app, &token, &ask).await?;
        let row = row_of(&app, &checkout, &visit.id).await?;
        Ok(returned(&app, &visit, &ask, &row))
    };
    shown.await.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

/// `POST /p/{token}/return/{checkout}`: fetches the provider's word.
pub(crate) async fn ask_again(State(app): State<Arc<App>>, at: At, ask: Ask) -> Response {
    let (token, checkout) = place(at);
    let asked = async {
        ask.admit(&app, &token)?;
        let visit = Visit::open(&app, &token, &ask).await?;
        let row = row_of(&app, &checkout, &visit.id).await?;
        app.pages.settle_checkout(&row.checkout).await?;
        Ok(see_other(&visit.href(&format!("/return/{checkout}"))))
    };
    asked.await.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

fn returned(app: &App, visit: &Visit, ask: &Ask, row: &CheckoutRow) -> Response {
    let payment = PaymentId::new(&row.checkout).ok();
    let payment = payment.and_then(|payment| visit.loaded.account.payments.get(&payment));
    let booked = payment.is_some_and(|payment| payment.received.is_some());
    let overtaken = row.state == VOID || (row.state == OPEN && !current(row, &visit.case()));
    let (title, text): (Text, &[Text]) = match row.state.as_str() {
        _ if booked => (Text::BookedTitle, &[Text::BookedText]),
        FAILED => (Text::FailedTitle, &[Text::FailedText, Text::NothingCharged]),
        _ if overtaken => (Text::OvertakenTitle, &[Text::OvertakenText, Text::NothingCharged]),
        PAID => (Text::InProgressTitle, &[Text::InProgressText]),
        _ => (Text::InProgressTitle, &[Text::NotFinishedText, Text::InProgressText]),
    };
    let mut html = body(visit, title, text, Some(amount(row)));
    if title == Text::InProgressTitle {
        html.raw("<form method=\"post\" action=\"");
        html.text(visit.href(&format!("/return/{}", row.checkout))).raw("\"><button id=\"ask\">");
        html.raw(visit.t(Text::AskAgain)).raw("</button></form>");
    }
    Frame::of(visit, app, &ask.path, title).around(StatusCode::OK, &html)
}

/// A page that says what is true, with the way back.
pub(crate) fn notice(app: &App, visit: &Visit, title: Text, texts: &[Text]) -> Response {
    let path = format!("/p/{}", visit.token);
    let html = body(visit, title, texts, None);
    Frame::of(visit, app, &path, title).around(StatusCode::CONFLICT, &html)
}

fn body(visit: &Visit, title: Text, texts: &[Text], amount: Option<Money>) -> Html {
    let mut html = Html::new();
    html.element("h1", visit.t(title)).raw("<div class=\"state\" id=\"state\" role=\"status\">");
    let amount = amount.map(|amount| visit.lang.money(amount)).unwrap_or_default();
    let gaps = [("amount", amount.as_str()), ("shop", visit.card.name.as_str())];
    for text in texts {
        html.element("p", visit.fill(*text, &gaps));
    }
    html.raw("</div><p>").link(&visit.href(""), visit.t(Text::Back)).raw("</p>");
    html
}
