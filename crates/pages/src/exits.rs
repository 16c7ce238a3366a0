//! The ways out: already paid, I disagree, pay later, I cannot pay. (Instalments are in
//! [`plans`].) Each is one form whose sending is recorded once, however often it arrives: ids
//! come from the account's version that the form was made for and from what was said.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use jiff::{ToSpan, civil::Date};
use kulanz_domain::{
    Command, Refusal,
    fact::{Fact, Stamp},
    ids::{DisputeId, HoldId, IdError, PromiseId},
    money::Decimal,
    pleas::{HARDSHIP, ON_THE_PAGE},
    searches::PAYMENT_SEARCH,
};
use kulanz_engine::{ExecuteError, Incoming, Receipt};
use kulanz_store::InboxKey;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    App,
    case::{Case, Deed},
    catalogue::Text,
    form::form,
    frame::{Frame, see_other, stopped},
    guard::hex,
    html::Html,
    plans,
    text::{typed_amount, typed_date},
    visit::{Ask, Behind, Body, Fields, Stop, Visit},
};

/// Where facts come from that a debtor tells on the page.
const SOURCE: &str = "kulanz:page";
/// How long dunning rests while somebody looks for a payment.
const SEARCH_DAYS: i32 = 10;
/// How long it rests, unless a person decides sooner, when somebody cannot pay.
const HARDSHIP_DAYS: i32 = 30;
/// Longest reason in characters.
const REASON: usize = 1000;
/// Longest bank reference in characters, as SEPA has it.
const REFERENCE: usize = 140;

/// A way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Paid,
    Disagree,
    Later,
    Plan,
    Help,
}

impl Exit {
    fn of(name: &str) -> Option<Self> {
        [Self::Paid, Self::Disagree, Self::Later, Self::Plan, Self::Help]
            .into_iter()
            .find(|exit| exit.name() == name)
    }

    /// The word in addresses; also the name of the form.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Disagree => "disagree",
            Self::Later => "later",
            Self::Plan => "plan",
            Self::Help => "help",
        }
    }

    const fn deed(self) -> Deed {
        match self {
            Self::Paid => Deed::Paid,
            Self::Disagree => Deed::Disagree,
            Self::Later => Deed::Later,
            Self::Plan => Deed::Plan,
            Self::Help => Deed::Help,
        }
    }

    pub(crate) const fn title(self) -> Text {
        match self {
            Self::Paid => Text::ExitPaid,
            Self::Disagree => Text::ExitDisagree,
            Self::Later => Text::ExitLater,
            Self::Plan => Text::ExitPlan,
            Self::Help => Text::ExitHelp,
        }
    }
}

/// What is wrong with a form, and with which field; an empty field means the form as a whole.
#[derive(Debug)]
pub(crate) struct Problem {
    pub field: &'static str,
    pub message: String,
}

/// Why a form was not taken.
pub(crate) enum NotTaken {
    /// The debtor's to mend.
    Problems(Vec<Problem>),
    /// Anything else.
    Stop(Stop),
}

impl<E: Into<Stop>> From<E> for NotTaken {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

impl From<IdError> for Stop {
    fn from(error: IdError) -> Self {
        Self::Fault(error.to_string())
    }
}

type At = Result<Path<(String, String)>, PathRejection>;

fn place(at: At) -> (String, String) {
    at.map_or_else(|_| Default::default(), |Path(place)| place)
}

/// `GET /p/{token}/{exit}`: the form.
pub(crate) async fn show(State(app): State<Arc<App>>, at: At, ask: Ask) -> Response {
    let (token, exit) = place(at);
    let shown = async {
        let exit = Exit::of(&exit).ok_or(Stop::Unknown)?;
        let visit = Visit::open(&app, &token, &ask).await?;
        if !visit.case().allows(exit.deed()) {
            return Ok(see_other(&visit.href("")));
        }
        Ok(form(&app, &visit, &ask, exit, &Fields::default(), &[]))
    };
    shown.await.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

/// `POST /p/{token}/{exit}`: what the debtor says.
pub(crate) async fn send(State(app): State<Arc<App>>, at: At, ask: Ask, body: Body) -> Response {
    let (token, exit) = place(at);
    let answer = match exit.as_str() {
        "renew" => renew(&app, &token, &ask).await,
        _ => sent(&app, &token, &exit, &ask, body).await,
    };
    answer.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

async fn sent(app: &App, token: &str, exit: &str, ask: &Ask, body: Body) -> Result<Response, Stop> {
    ask.admit(app, token)?;
    let exit = Exit::of(exit).ok_or(Stop::Unknown)?;
    let visit = Visit::open(app, token, ask).await?;
    let fields = Fields::read(body)?;
    let taken = match visit.form_version(exit.name(), &fields) {
        None => Err(one_problem("", visit.t(Text::FormTooOld).to_owned())),
        Some(version) => take(app, &visit, exit, &fields, version).await,
    };
    match taken {
        Ok(()) => {
            let joint = if visit.chosen.is_some() { '&' } else { '?' };
            Ok(see_other(&format!("{}{joint}done={}", visit.href(""), exit.name())))
        }
        Err(NotTaken::Stop(stop)) => Err(stop),
        Err(NotTaken::Problems(_)) if !visit.case().allows(exit.deed()) => {
            Ok(see_other(&visit.href("")))
        }
        Err(NotTaken::Problems(problems)) => Ok(form(app, &visit, ask, exit, &fields, &problems)),
    }
}

pub(crate) fn one_problem(field: &'static str, message: String) -> NotTaken {
    NotTaken::Problems(vec![Problem { field, message }])
}

async fn take(
    app: &App,
    visit: &Visit,
    exit: Exit,
    fields: &Fields,
    version: u64,
) -> Result<(), NotTaken> {
    let case = visit.case();
    // A second sending finds what the first one did before it is asked whether it may.
    let may = |known: bool| match known || case.allows(exit.deed()) {
        true => Ok(known),
        false => Err(one_problem("", visit.t(Text::NotNow).to_owned())),
    };
    match exit {
        Exit::Paid => {
            let hold = HoldId::new(&id(visit, exit, version, ""))?;
            if may(visit.loaded.account.holds.contains_key(&hold))? {
                return Ok(());
            }
            paid(app, visit, &case, fields, hold).await
        }
        Exit::Help => {
            let hold = HoldId::new(&id(visit, exit, version, ""))?;
            if may(visit.loaded.account.holds.contains_key(&hold))? {
                return Ok(());
            }
            help(app, visit, fields, hold).await
        }
        Exit::Disagree => disagree(app, visit, &case, fields, version).await,
        Exit::Later => {
            let until = typed_date(fields.one("until"));
            let said = until.map_or_else(String::new, |day| day.to_string());
            let promise = PromiseId::new(&id(visit, exit, version, &said))?;
            if may(visit.loaded.account.promises.contains_key(&promise))? {
                return Ok(());
            }
            later(app, visit, until, promise).await
        }
        Exit::Plan => {
            plans::agree(app, visit, &case, fields, &id(visit, exit, version, fields.one("offer")))
                .await
        }
    }
}

/// The same for the same form with the same content, another for any other.
fn id(visit: &Visit, exit: Exit, version: u64, said: &str) -> String {
    let text = format!("{}\n{}\n{version}\n{said}", visit.id, exit.name());
    format!("{ON_THE_PAGE}{}", hex(&Sha256::digest(text.as_bytes())[..16]))
}

async fn paid(
    app: &App,
    visit: &Visit,
    case: &Case<'_>,
    fields: &Fields,
    hold: HoldId,
) -> Result<(), NotTaken> {
    let mut problems = Vec::new();
    let mut problem = |field, text: Text| {
        problems.push(Problem { field, message: visit.t(text).to_owned() });
    };
    let on = typed_date(fields.one("on"));
    let long_ago = visit.today.checked_sub(10.years()).unwrap_or(Date::MIN);
    match on {
        None => problem("on", Text::DateWrong),
        Some(day) if day > visit.today => problem("on", Text::DateAhead),
        Some(day) if day < long_ago => problem("on", Text::DateLongAgo),
        Some(_) => {}
    }
    let owed = case.sections.iter().find(|section| section.open > Decimal::ZERO);
    let amount = owed.and_then(|section| typed_amount(fields.one("amount"), section.book.currency));
    if amount.is_none() && !fields.one("amount").is_empty() {
        problem("amount", Text::AmountWrong);
    }
    let reference = fields.one("reference");
    if reference.chars().count() > REFERENCE {
        problem("reference", Text::ReferenceLong);
    }
    if !problems.is_empty() {
        return Err(NotTaken::Problems(problems));
    }
    let mut secret = Map::new();
    secret.insert("reason".to_owned(), json!("the debtor says that it was paid"));
    let members = [
        ("paid_on", on.map(|day| day.to_string())),
        ("amount", amount.map(|money| money.to_string())),
        ("reference", Some(reference.to_owned()).filter(|text| !text.is_empty())),
    ];
    for (member, value) in members {
        secret.extend(value.map(|text| (member.to_owned(), Value::String(text))));
    }
    place_hold(app, visit, hold, PAYMENT_SEARCH, SEARCH_DAYS, secret).await
}

async fn help(app: &App, visit: &Visit, fields: &Fields, hold: HoldId) -> Result<(), NotTaken> {
    let reason = reason(fields);
    if reason.chars().count() > REASON {
        return Err(one_problem("reason", visit.t(Text::ReasonLong).to_owned()));
    }
    let mut secret = Map::new();
    if !reason.is_empty() {
        secret.insert("reason".to_owned(), Value::String(reason));
    }
    place_hold(app, visit, hold, HARDSHIP, HARDSHIP_DAYS, secret).await
}

/// With the line ends of one system, and without what is not to be seen.
fn reason(fields: &Fields) -> String {
    let text = fields.one("reason").replace("\r\n", "\n");
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

async fn place_hold(
    app: &App,
    visit: &Visit,
    hold: HoldId,
    owner: &str,
    days: i32,
    secret: Map<String, Value>,
) -> Result<(), NotTaken> {
    let until = visit.today.checked_add(days.days()).ok();
    let id = hold.to_string();
    let secrets = match secret.is_empty() {
        true => Vec::new(),
        false => vec![(format!("hold/{hold}"), Value::Object(secret).to_string().into_bytes())],
    };
    let fact = Fact::HoldPlaced { hold, invoice: None, owner: owner.to_owned(), until };
    record(app, visit, vec![incoming(visit, id, fact, secrets)]).await
}

async fn disagree(
    app: &App,
    visit: &Visit,
    case: &Case<'_>,
    fields: &Fields,
    version: u64,
) -> Result<(), NotTaken> {
    let mut problems = Vec::new();
    let mut told = Vec::new();
    let reason = reason(fields);
    let mut done = 0;
    for chosen in fields.all("invoice") {
        let dispute = DisputeId::new(&id(visit, Exit::Disagree, version, chosen))?;
        let mut claims = visit.loaded.account.claims.values();
        if claims.any(|claim| claim.disputes.contains_key(&dispute)) {
            done += 1;
            continue;
        }
        let column = case.disputable().find(|(column, _)| column.invoice.as_str() == chosen);
        let Some((column, _)) = column.filter(|_| case.allows(Deed::Disagree)) else {
            problems.push(Problem {
                field: "invoice",
                message: visit.t(Text::InvoiceWrong).to_owned(),
            });
            continue;
        };
        let (key, slot) = (dispute.to_string(), format!("dispute/{dispute}"));
        let secret = json!({ "reason": reason }).to_string().into_bytes();
        let invoice = column.invoice.clone();
        let fact = Fact::DisputeOpened { dispute, invoice, on: visit.today, amount: None };
        told.push(incoming(visit, key, fact, vec![(slot, secret)]));
    }
    if told.is_empty() && problems.is_empty() && done == 0 {
        let message = visit.t(Text::InvoiceMissing).to_owned();
        problems.push(Problem { field: "invoice", message });
    }
    let length = reason.chars().count();
    if length == 0 || length > REASON {
        let text = if length == 0 { Text::ReasonMissing } else { Text::ReasonLong };
        problems.push(Problem { field: "reason", message: visit.t(text).to_owned() });
    }
    match problems.is_empty() {
        true => record(app, visit, told).await,
        false => Err(NotTaken::Problems(problems)),
    }
}

fn incoming(visit: &Visit, id: String, fact: Fact, secrets: Vec<(String, Vec<u8>)>) -> Incoming {
    Incoming {
        key: InboxKey { source: SOURCE.to_owned(), id: id.clone() },
        account: visit.id.clone(),
        stamp: Stamp { at: visit.now, id: format!("{SOURCE}#{id}") },
        fact,
        secrets,
        recorded_at: None,
        trace: None,
    }
}

async fn record(app: &App, visit: &Visit, told: Vec<Incoming>) -> Result<(), NotTaken> {
    for receipt in app.pages.engine.record(told).await? {
        match receipt {
            Receipt::Accepted | Receipt::Duplicate => {}
            Receipt::Refused(Refusal::Erased) => return Err(Stop::Unknown.into()),
            Receipt::Refused(refusal) => return Err(refused(visit, "", &refusal)),
            Receipt::UnknownCreditor(creditor) => {
                return Err(Stop::Fault(format!("no creditor file for {creditor}")).into());
            }
            Receipt::Faulted(reason) => return Err(Stop::Fault(reason).into()),
        }
    }
    Ok(())
}

async fn later(
    app: &App,
    visit: &Visit,
    until: Option<Date>,
    promise: PromiseId,
) -> Result<(), NotTaken> {
    let Some(until) = until else {
        return Err(one_problem("until", visit.t(Text::DateWrong).to_owned()));
    };
    let (now, rules) = (visit.now, Arc::clone(&visit.rules));
    let command = Command::Promise { promise, until, now, rules, by_person: false };
    execute(app, visit, command, "until").await
}

/// Executes a command; what it is refused for is said at `field`.
pub(crate) async fn execute(
    app: &App,
    visit: &Visit,
    command: Command,
    field: &'static str,
) -> Result<(), NotTaken> {
    match app.pages.engine.execute(&visit.id, command, SOURCE).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Refused(Refusal::Erased)) => Err(Stop::Unknown.into()),
        Err(ExecuteError::Refused(refusal)) => Err(refused(visit, field, &refusal)),
        Err(ExecuteError::Failed(fault)) => Err(fault.into()),
    }
}

fn refused(visit: &Visit, field: &'static str, refusal: &Refusal) -> NotTaken {
    let on = |text, day: Date| visit.fill(text, &[("date", &visit.lang.date(day))]);
    one_problem(
        field,
        match refusal {
            Refusal::NothingOwed => visit.t(Text::NothingOwed).to_owned(),
            Refusal::DayPassed => visit.t(Text::DayPassed).to_owned(),
            Refusal::TooLate(last) => on(Text::TooLate, *last),
            Refusal::PromiseRuns(until) => on(Text::PromiseRuns, *until),
            Refusal::PromiseBroken { again_from, .. } => on(Text::PromiseBroken, *again_from),
            Refusal::PlanRuns => visit.t(Text::PlanRuns).to_owned(),
            Refusal::NotOffered => visit.t(Text::NotOffered).to_owned(),
            Refusal::Minor => visit.t(Text::MinorAlone).to_owned(),
            Refusal::RatesDoNotAddUp { .. } => visit.t(Text::AmountChanged).to_owned(),
            other => {
                tracing::warn!(refusal = %other, "a debtor's form was refused");
                visit.t(Text::NotNow).to_owned()
            }
        },
    )
}

async fn renew(app: &App, token: &str, ask: &Ask) -> Result<Response, Stop> {
    ask.admit(app, token)?;
    let Behind { link, card, lang } = match Visit::open(app, token, ask).await {
        Err(Stop::Expired(behind)) => *behind,
        Ok(visit) => return Ok(see_other(&visit.href(""))),
        Err(other) => return Err(other),
    };
    let Some(renew) = &app.pages.renew else {
        return Err(Stop::Expired(Box::new(Behind { link, card, lang })));
    };
    renew(link).await.map_err(|error| Stop::Fault(error.to_string()))?;
    let mut html = Html::new();
    html.raw("<h1>").raw(Text::RenewedTitle.in_lang(lang)).raw("</h1><p role=\"status\">");
    html.raw(Text::RenewedText.in_lang(lang)).raw("</p><p>");
    html.raw(Text::NothingCharged.in_lang(lang)).raw("</p>");
    let frame = Frame {
        lang,
        card: Some(&card),
        title: Text::RenewedTitle.in_lang(lang).to_owned(),
        failed: false,
        path: ask.path.trim_end_matches("/renew"),
        dev_mode: app.pages.dev_mode,
    };
    Ok(frame.around(StatusCode::OK, &html))
}
