//! The page itself: who wants money and for what, the sum, ways to pay, ways out.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use kulanz_domain::{
    arrangement::missing_of_rates,
    book::ClaimBook,
    event::Rate,
    fact::PayWith,
    ids::AgencyId,
    money::{Currency, Decimal, Money},
    reference::PaymentReference,
};
use serde_json::Value;

use crate::{
    App, apology,
    case::{Case, CaseState, Deed, Section, made_by_minor, placed_with},
    catalogue::Text,
    frame::{Frame, stopped, web},
    html::Html,
    replies, statement,
    text::in_fours,
    transfer,
    visit::{Ask, Stop, Visit},
};

/// Personal data by slot.
pub(crate) type Secrets = BTreeMap<String, Value>;

/// `GET /p/{token}`.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    token: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Response {
    let token = token.map_or_else(|_| String::new(), |Path(token)| token);
    match page(&app, &token, &ask).await {
        Ok(response) => response,
        Err(stop) => stopped(&app, &ask, &stop),
    }
}

async fn page(app: &App, token: &str, ask: &Ask) -> Result<Response, Stop> {
    let visit = Visit::open(app, token, ask).await?;
    let case = visit.case();
    // The third and last query: what the claims are for.
    let slots: Vec<String> = case
        .sections
        .iter()
        .flat_map(Section::claims)
        .map(|column| format!("invoice/{}", column.invoice))
        .collect();
    let secrets = match slots.is_empty() || !case.allows(Deed::See) {
        true => Secrets::new(),
        false => {
            let slots: Vec<&str> = slots.iter().map(String::as_str).collect();
            app.pages.engine.secrets(&visit.id, &visit.loaded, &slots).await?
        }
    };
    let done = ask.query.get("done").map(String::as_str);
    let title = heading(&case);
    let path = format!("/p/{token}");
    let until = case.until.map(|day| visit.lang.date(day)).unwrap_or_default();
    let gaps = [("shop", visit.card.name.as_str()), ("date", until.as_str())];
    let title = visit.fill(title, &gaps);
    let frame = Frame { title: title.clone(), ..Frame::of(&visit, app, &path, Text::OpenTitle) };
    Ok(frame.around(StatusCode::OK, &content(app, &visit, &case, &secrets, &title, done)))
}

fn heading(case: &Case<'_>) -> Text {
    use CaseState as S;
    match case.state {
        S::Open => match case.sections.iter().flat_map(Section::claims).count() {
            1 => Text::OpenTitle,
            _ => Text::OpenTitleMany,
        },
        S::Paid if !case.has_paid() => Text::NothingTitle,
        S::Paid => Text::PaidTitle,
        S::Disputed => Text::DisputedTitle,
        S::Promised => Text::PromisedTitle,
        S::Planned => Text::PlannedTitle,
        S::PaymentSearch => Text::SearchTitle,
        S::Hardship => Text::HardshipTitle,
        S::Held => Text::HeldTitle,
        S::Minor => Text::MinorTitle,
        S::Placed => Text::PlacedTitle,
        S::Represented => Text::RepresentedTitle,
        S::Insolvent | S::Deceased => Text::RestsTitle,
        S::Expired => Text::ExpiredTitle,
        S::Unknown => Text::UnknownTitle,
    }
}

/// What is true now and what comes next.
fn standing(case: &Case<'_>) -> &'static [Text] {
    use CaseState as S;
    match case.state {
        S::Open => &[Text::OpenText],
        S::Paid if !case.has_paid() => &[Text::NothingText, Text::NothingNext],
        S::Paid => &[Text::PaidText, Text::PaidNext],
        S::Disputed => &[Text::DisputedText, Text::DisputedNext],
        S::Promised => &[Text::PromisedText, Text::PromisedNext],
        S::Planned => &[Text::PlannedText, Text::PlannedNext],
        S::PaymentSearch => &[Text::SearchText, Text::SearchNext],
        S::Hardship => &[Text::HardshipText, Text::HardshipNext],
        S::Held => &[Text::HeldText, Text::HeldNext],
        S::Minor => &[Text::MinorText, Text::MinorNext],
        S::Placed => &[Text::PlacedText, Text::PlacedNext],
        S::Represented => &[Text::RepresentedText],
        S::Insolvent | S::Deceased => &[Text::RestsText, Text::RestsNext],
        S::Expired => &[Text::ExpiredText],
        S::Unknown => &[Text::UnknownText],
    }
}

fn content(
    app: &App,
    visit: &Visit,
    case: &Case<'_>,
    secrets: &Secrets,
    title: &str,
    done: Option<&str>,
) -> Html {
    let mut html = Html::new();
    let shop = [("shop", visit.card.name.as_str())];
    html.element("h1", title);
    thanks(&mut html, visit, case, done);
    html.raw("<div class=\"state\" id=\"state\">");
    let until = case.until.map(|day| visit.lang.date(day)).unwrap_or_default();
    let gaps = [shop[0], ("date", until.as_str())];
    for text in standing(case) {
        let text = match (text, case.until) {
            (Text::HeldText, None) => Text::HeldTextOpen,
            (Text::HardshipText, None) => Text::HardshipTextOpen,
            (Text::SearchText, None) => Text::SearchTextOpen,
            _ => *text,
        };
        html.element("p", visit.fill(text, &gaps));
    }
    for text in on_age(case) {
        html.element("p", visit.t(*text));
    }
    if let Some(text) = on_interest(case) {
        html.element("p", visit.t(text));
    }
    if case.state == CaseState::Planned {
        rates_ahead(&mut html, visit, case);
    }
    html.raw("</div>");
    replies::tell(&mut html, visit, case.state);
    if case.allows(Deed::See) {
        apology::own_up(&mut html, visit, case);
    }
    if case.state == CaseState::Placed {
        agencies(&mut html, visit, case);
    }
    if case.allows(Deed::See) {
        let mut first = true;
        for section in &case.sections {
            owed(&mut html, visit, case, section, secrets, first);
            first = false;
        }
        let now = visit.lang.moment(visit.now, &visit.rules.creditor.zone);
        let as_of = visit.fill(Text::AsOf, &[("moment", &now)]);
        html.raw("<p class=\"soft\" id=\"as-of\">").text(as_of).raw("</p>");
    }
    if case.allows(Deed::Pay) {
        let payable = case.sections.iter().filter(|section| section.due_now > Decimal::ZERO);
        for (number, section) in payable.enumerate() {
            pay(&mut html, app, visit, case, section, number == 0);
        }
    }
    exits(&mut html, visit, case);
    html
}

/// What may be done by whom a promise would not bind, and why no more.
fn on_age(case: &Case<'_>) -> &'static [Text] {
    use CaseState as S;
    match case.state {
        S::Minor if case.minor => &[Text::MinorPay, Text::MinorAlone],
        S::Minor => &[Text::MinorOfAge],
        S::Open | S::Promised | S::Planned if case.minor => &[Text::MinorAlone],
        _ => &[],
    }
}

/// What becomes of interest while things stand as they do; nothing where none can run.
fn on_interest(case: &Case<'_>) -> Option<Text> {
    use CaseState as S;
    let text = match case.state {
        S::Open if case.accrues_today() => Text::OpenInterest,
        S::Disputed => Text::DisputeInterest,
        S::Promised => Text::PromisedInterest,
        S::Planned => Text::PlannedInterest,
        S::PaymentSearch => Text::SearchInterest,
        S::Hardship | S::Held | S::Minor => Text::HoldInterest,
        _ => return None,
    };
    case.bears_interest().then_some(text)
}

/// An answer to what was sent just now, where the account says that it is so.
fn thanks(html: &mut Html, visit: &Visit, case: &Case<'_>, done: Option<&str>) {
    let disputed = || case.sections.iter().flat_map(Section::claims).any(|c| c.claim.disputed());
    let text = match done {
        Some("disagree") if disputed() => Text::DoneDisagree,
        Some("paid") if case.state == CaseState::PaymentSearch => Text::DonePaid,
        Some("later") if case.state == CaseState::Promised => Text::DoneLater,
        Some("plan") if case.state == CaseState::Planned => Text::DonePlan,
        Some("help") if case.state == CaseState::Hardship => Text::DoneHelp,
        _ => return,
    };
    html.raw("<div class=\"state done\" id=\"done\" role=\"status\"><p>");
    html.raw(visit.t(text)).raw("</p></div>");
}

fn rates_ahead(html: &mut Html, visit: &Visit, case: &Case<'_>) {
    for section in &case.sections {
        let Some((plan, next)) = &section.plan else { continue };
        let (amount, day) =
            (visit.lang.money(section.money(next.amount)), visit.lang.date(next.due_on));
        let gaps = [("amount", amount.as_str()), ("date", day.as_str())];
        html.element("p", visit.fill(Text::NextRate, &gaps));
        let rates = missing_of_rates(case.account, plan, visit.today);
        rates_so_far(html, visit, section, &rates);
    }
}

/// All rates with their days and how each stands, and the sum.
fn rates_so_far(html: &mut Html, visit: &Visit, section: &Section<'_>, rates: &[(Rate, Decimal)]) {
    let money = |amount| visit.lang.money(section.money(amount));
    html.raw("<table id=\"rates\"><caption>").raw(visit.t(Text::RatesCaption));
    html.raw("</caption><thead><tr>");
    for (label, class) in [
        (Text::RateDay, "<th scope=\"col\">"),
        (Text::Amount, "<th scope=\"col\" class=\"sum\">"),
        (Text::RateState, "<th scope=\"col\">"),
    ] {
        html.raw(class).raw(visit.t(label)).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for (rate, missing) in rates {
        html.raw("<tr><td>").text(visit.lang.date(rate.due_on)).raw("</td><td class=\"sum\">");
        html.text(money(rate.amount)).raw("</td><td>");
        if missing.is_zero() {
            html.raw("<strong>").raw(visit.t(Text::RateDone)).raw("</strong>");
        } else if rate.due_on < visit.today || *missing != rate.amount {
            html.text(visit.fill(Text::RateMissing, &[("amount", &money(*missing))]));
        } else {
            html.raw(visit.t(Text::RateAhead));
        }
        html.raw("</td></tr>");
    }
    let sum: Decimal = rates.iter().map(|(rate, _)| rate.amount).sum();
    let open: Decimal = rates.iter().map(|(_, missing)| *missing).sum();
    html.raw("</tbody><tfoot><tr><th scope=\"row\">").raw(visit.t(Text::RatesSum)).raw("</th>");
    html.raw("<td class=\"sum\">").text(money(sum)).raw("</td><td>");
    html.text(visit.fill(Text::RateMissing, &[("amount", &money(open))]));
    html.raw("</td></tr></tfoot></table>");
}

/// All rates of an offer with their days, and their sum.
pub(crate) fn rate_table(html: &mut Html, visit: &Visit, currency: Currency, rates: &[Rate]) {
    let money = |amount| visit.lang.money(Money::new(amount, currency));
    html.raw("<table><caption>").raw(visit.t(Text::RatesCaption)).raw("</caption><thead><tr>");
    html.raw("<th scope=\"col\">").raw(visit.t(Text::RateDay)).raw("</th><th scope=\"col\" class=");
    html.raw("\"sum\">").raw(visit.t(Text::Amount)).raw("</th></tr></thead><tbody>");
    for rate in rates {
        html.raw("<tr><td>").text(visit.lang.date(rate.due_on)).raw("</td><td class=\"sum\">");
        html.text(money(rate.amount)).raw("</td></tr>");
    }
    let sum: Decimal = rates.iter().map(|rate| rate.amount).sum();
    html.raw("</tbody><tfoot><tr><th scope=\"row\">").raw(visit.t(Text::RatesSum)).raw("</th>");
    html.raw("<td class=\"sum\">").text(money(sum)).raw("</td></tr></tfoot></table>");
}

fn agencies(html: &mut Html, visit: &Visit, case: &Case<'_>) {
    html.raw("<section id=\"agency\" aria-labelledby=\"agency-title\"><h2 id=\"agency-title\">");
    html.raw(visit.t(Text::AgencyTitle)).raw("</h2><ul>");
    for id in case.agencies() {
        html.raw("<li>");
        agency(html, visit, id);
        html.raw("</li>");
    }
    html.raw("</ul></section>");
}

/// An agency's name and how to reach it.
fn agency(html: &mut Html, visit: &Visit, id: &AgencyId) {
    let known = visit.card.agencies.iter().find(|agency| agency.id == *id);
    html.text(known.map_or(id.as_str(), |agency| agency.name.as_str()));
    for line in known.map(|agency| agency.contact.as_slice()).unwrap_or_default() {
        html.raw("<br>").text(line);
    }
}

/// One currency: the sum in a line, how it comes about, the claims and the payments.
fn owed(
    html: &mut Html,
    visit: &Visit,
    case: &Case<'_>,
    section: &Section<'_>,
    secrets: &Secrets,
    first: bool,
) {
    let money = |amount| visit.lang.money(section.money(amount));
    let code = section.book.currency.code();
    html.raw("<section aria-labelledby=\"owed-").raw(code).raw("\"><h2 id=\"owed-").raw(code);
    html.raw("\">").raw(visit.t(Text::OwedTitle)).raw("</h2><p class=\"total\" id=\"total");
    if !first {
        html.raw("-").raw(code);
    }
    html.raw("\">").text(visit.fill(Text::Total, &[("amount", &money(section.open))]));
    html.raw("</p>");
    if first && case.allows(Deed::Pay) && section.due_now > Decimal::ZERO {
        html.raw("<p>").link("#pay", visit.t(Text::ToPay)).raw("</p>");
    }
    if section.open > Decimal::ZERO {
        breakdown(html, visit, section);
        for column in section.claims() {
            claim(html, visit, case, section, column, secrets);
        }
        let aside = section.open - asked(section);
        if case.allows(Deed::Pay) && aside > Decimal::ZERO {
            html.element("p", visit.fill(Text::NotAsked, &[("amount", &money(aside))]));
        }
    }
    if section.book.unallocated > Decimal::ZERO {
        let credit = money(section.book.unallocated);
        let nothing_to_pay = section.open.is_zero();
        let text = if nothing_to_pay { Text::CreditAlone } else { Text::Credit };
        html.raw("<p id=\"credit\">").text(visit.fill(text, &[("amount", &credit)]));
        html.raw("</p>");
    }
    payments(html, visit, case, section);
    statement::fold_out(html, visit, case, section);
    html.raw("</section>");
}

/// What is asked for at all, now or in later rates.
fn asked(section: &Section<'_>) -> Decimal {
    let payable = section.claims().filter(|column| section.payable.contains(&column.invoice));
    payable.map(|column| column.open_on(section.today)).sum()
}

/// The lines add up to the sum to the cent: they are the columns of the books.
fn breakdown(html: &mut Html, visit: &Visit, section: &Section<'_>) {
    let sum = |of: fn(&ClaimBook<'_>) -> Decimal| section.claims().map(of).sum::<Decimal>();
    let interest = section.claims().map(|column| column.interest_charged(section.today)).sum();
    let lines = [
        (Text::Principal, sum(|column| column.principal)),
        (Text::Fees, sum(|column| column.fees_charged)),
        (Text::Interest, interest),
        (Text::CreditNotes, -sum(|column| column.credited + column.remitted)),
        (Text::GivenUp, -sum(|column| column.waived + column.written_off)),
        (Text::Paid, -sum(|column| column.paid + column.fees_paid + column.interest_paid)),
    ];
    let money = |amount| visit.lang.money(section.money(amount));
    let interest_to =
        section.claims().filter_map(|column| column.interest_counted_to(section.today)).max();
    let day = visit.lang.date(interest_to.unwrap_or(section.today));
    html.raw("<table class=\"breakdown\"><caption>").raw(visit.t(Text::SumCaption));
    html.raw("</caption><tbody>");
    for (number, (label, amount)) in lines.into_iter().enumerate() {
        // What there is not is left out, but that there are no fees is worth a line.
        if number > 1 && amount.is_zero() {
            continue;
        }
        html.raw("<tr><th scope=\"row\">").text(visit.fill(label, &[("date", &day)]));
        html.raw("</th><td class=\"sum\">").text(money(amount)).raw("</td></tr>");
    }
    html.raw("</tbody><tfoot><tr><th scope=\"row\">").raw(visit.t(Text::SumOpen)).raw("</th>");
    html.raw("<td class=\"sum\">").text(money(section.open)).raw("</td></tr></tfoot></table>");
}

fn claim(
    html: &mut Html,
    visit: &Visit,
    case: &Case<'_>,
    section: &Section<'_>,
    column: &ClaimBook<'_>,
    secrets: &Secrets,
) {
    let secret = |member: &str| {
        let slot = secrets.get(&format!("invoice/{}", column.invoice))?;
        slot.get(member)?.as_str().filter(|text| !text.is_empty())
    };
    html.raw("<div class=\"card\"><h3>").raw(visit.t(Text::Invoice)).raw(" ");
    html.text(column.invoice.as_str()).raw("</h3><dl>");
    let mut line = |label: Text, value: &str| {
        html.raw("<dt>").raw(visit.t(label)).raw("</dt><dd>").text(value).raw("</dd>");
    };
    line(Text::From, &visit.card.name);
    if let Some(text) = secret("description").or_else(|| secret("contract_object")) {
        line(Text::For, text);
    }
    if let Some(invoice) = &column.claim.invoice {
        line(Text::IssuedOn, &visit.lang.date(invoice.issued_on));
    }
    line(Text::DueOn, &visit.lang.date(column.due_on));
    line(Text::StillOpen, &visit.lang.money(section.money(column.open_on(section.today))));
    html.raw("</dl>");
    if let Some(url) = secret("document_url").and_then(web) {
        html.raw("<p>").link(url, visit.t(Text::Document)).raw("</p>");
    }
    if column.claim.disputed() {
        html.raw("<p>").raw(visit.t(Text::ClaimDisputed)).raw("</p>");
    }
    if case.state != CaseState::Minor && made_by_minor(case.account, column) {
        html.raw("<p>").raw(visit.t(Text::ClaimMinor)).raw("</p>");
    }
    if let Some(id) = placed_with(case.account, column) {
        html.raw("<p>").raw(visit.t(Text::ClaimPlaced)).raw("</p>");
        // Where all claims are there, it stands at the top.
        if case.state != CaseState::Placed {
            html.raw("<p>");
            agency(html, visit, id);
            html.raw("</p>");
        }
    }
    html.raw("</div>");
}

/// How many payments are listed, the latest first.
const PAYMENTS: usize = 5;

fn payments(html: &mut Html, visit: &Visit, case: &Case<'_>, section: &Section<'_>) {
    let mut found: Vec<_> = case
        .account
        .payments
        .values()
        .filter_map(|payment| payment.net(section.book.currency))
        .collect();
    if found.is_empty() {
        return;
    }
    found.sort_unstable();
    html.raw("<h3>").raw(visit.t(Text::PaymentsTitle)).raw("</h3><ul>");
    for (day, amount) in found.iter().rev().take(PAYMENTS) {
        let amount = visit.lang.money(section.money(*amount));
        let gaps = [("amount", amount.as_str()), ("date", &visit.lang.date(*day))];
        html.element("li", visit.fill(Text::PaymentLine, &gaps));
    }
    html.raw("</ul>");
}

fn pay(
    html: &mut Html,
    app: &App,
    visit: &Visit,
    case: &Case<'_>,
    section: &Section<'_>,
    first: bool,
) {
    let code = section.book.currency.code();
    let amount = visit.lang.money(section.money(section.due_now));
    html.raw("<section id=\"pay");
    if !first {
        html.raw("-").raw(code);
    }
    html.raw("\" aria-labelledby=\"pay-title-").raw(code).raw("\"><h2 id=\"pay-title-").raw(code);
    html.raw("\">").text(visit.fill(Text::PayTitle, &[("amount", &amount)])).raw("</h2>");
    let mut ways = case.pay_with(&visit.rules, section.book.currency);
    if !ways.contains(&PayWith::Transfer) {
        ways.push(PayWith::Transfer);
    }
    for way in ways {
        match way {
            PayWith::Card if app.pages.dev_mode => by_card(html, visit, section, &amount),
            PayWith::Transfer => by_transfer(html, visit, section, &amount),
            // There is no provider for these yet.
            PayWith::Card | PayWith::Paypal | PayWith::SepaDebit => {}
        }
    }
    html.raw("</section>");
}

fn by_card(html: &mut Html, visit: &Visit, section: &Section<'_>, amount: &str) {
    html.raw("<div class=\"card pay-card\"><h3>").raw(visit.t(Text::CardTitle)).raw("</h3><p>");
    html.raw(visit.t(Text::CardText)).raw("</p><form method=\"post\" action=\"");
    html.text(visit.href("/pay/card")).raw("\">");
    html.hidden("nonce", &visit.nonce("card"));
    html.hidden("version", &visit.loaded.version.to_string());
    html.hidden("currency", section.book.currency.code());
    html.hidden("amount", &section.money(section.due_now).plain());
    html.raw("<button>").text(visit.fill(Text::CardButton, &[("amount", amount)]));
    html.raw("</button></form></div>");
}

fn by_transfer(html: &mut Html, visit: &Visit, section: &Section<'_>, amount: &str) {
    let card = &visit.card;
    let single = section.single();
    let reference = PaymentReference::of(&visit.id.debtor, single);
    html.raw("<div class=\"card pay-transfer\"><h3>").raw(visit.t(Text::TransferTitle));
    html.raw("</h3>");
    let due = section.money(section.due_now);
    let picture = transfer::giro_code(card, due, &reference)
        .and_then(|payload| transfer::picture(&payload, visit.t(Text::QrLabel)));
    let text = match &picture {
        Some(picture) => {
            html.raw("<p>").raw(visit.t(Text::QrText)).raw("</p>").put(picture);
            Text::TransferText
        }
        None => Text::TransferAlone,
    };
    html.raw("<p>").raw(visit.t(text)).raw("</p><dl>");
    let mut line = |label: Text, value: &str| {
        html.raw("<dt>").raw(visit.t(label)).raw("</dt><dd class=\"copy\">");
        html.text(value).raw("</dd>");
    };
    line(Text::Payee, &card.legal_name);
    line(Text::Iban, &in_fours(&card.iban));
    if let Some(bic) = &card.bic {
        line(Text::Bic, bic);
    }
    line(Text::Amount, amount);
    line(Text::PaymentReference, &reference.shown());
    html.raw("</dl>");
    if matches!(reference, PaymentReference::Rf(_)) {
        let (text, id) = match single {
            Some(invoice) => (Text::ReferenceOfInvoice, invoice.as_str()),
            None => (Text::ReferenceOfDebtor, visit.id.debtor.as_str()),
        };
        html.raw("<p class=\"hint\">").text(visit.fill(text, &[("id", id)]));
        html.raw("</p>");
    }
    html.raw("</div>");
}

fn exits(html: &mut Html, visit: &Visit, case: &Case<'_>) {
    let first_on = visit.today;
    let later =
        case.allows(Deed::Later) && case.last_promise_day(&visit.rules, visit.today).is_some();
    let plan =
        case.allows(Deed::Plan) && !case.offers(&visit.rules, visit.today, first_on).is_empty();
    let ways = [
        (case.allows(Deed::Paid), "exit-paid", "/paid", Text::ExitPaid, Text::ExitPaidHint),
        (
            case.allows(Deed::Disagree) && case.disputable().next().is_some(),
            "exit-disagree",
            "/disagree",
            Text::ExitDisagree,
            Text::ExitDisagreeHint,
        ),
        (later, "exit-later", "/later", Text::ExitLater, Text::ExitLaterHint),
        (plan, "exit-plan", "/plan", Text::ExitPlan, Text::ExitPlanHint),
        (case.allows(Deed::Help), "exit-help", "/help", Text::ExitHelp, Text::ExitHelpHint),
    ];
    if ways.iter().all(|(open, ..)| !open) {
        return;
    }
    html.raw("<section id=\"exits\" aria-labelledby=\"exits-title\"><h2 id=\"exits-title\">");
    html.raw(visit.t(Text::ExitsTitle)).raw("</h2><ul class=\"exits\">");
    for (_, id, below, label, hint) in ways.into_iter().filter(|(open, ..)| *open) {
        html.raw("<li id=\"").raw(id).raw("\">").link(&visit.href(below), visit.t(label));
        html.raw("<p class=\"hint\">").raw(visit.t(hint)).raw("</p></li>");
    }
    html.raw("</ul></section>");
}
