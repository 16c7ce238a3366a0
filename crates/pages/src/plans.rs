//! Instalments: the debtor picks the first day, sees all rates, days and what it costs beyond
//! what is owed, and agrees to one of the offers.

use std::sync::Arc;

use jiff::{ToSpan, civil::Date};
use kulanz_domain::{Command, ids::PlanId, money::Decimal};

use crate::{
    App,
    case::{Case, Deed},
    catalogue::Text,
    exits::{Exit, NotTaken, execute, one_problem},
    form::FormPage,
    html::Html,
    overview::rate_table,
    text::typed_date,
    visit::{Ask, Fields, Visit},
};

/// The first rate's day where the debtor has not picked one: in a week, or as late as may be.
fn usual_first(visit: &Visit, last: Date) -> Date {
    visit.today.checked_add(7.days()).map_or(last, |day| day.min(last))
}

/// Shows the offers from the day asked for, each with a button of its own.
pub(crate) fn form(html: &mut Html, page: &FormPage<'_>, case: &Case<'_>, ask: &Ask) {
    let visit = page.visit;
    let Some(last) = case.last_promise_day(&visit.rules, visit.today) else {
        html.raw("<p id=\"form\">").raw(visit.t(Text::NotOffered)).raw("</p>");
        return;
    };
    let asked = ask.query.get("first").map(|text| typed_date(text));
    let sent = typed_date(page.fields.one("first"));
    let allowed = |day: &Date| (visit.today..=last).contains(day);
    let first = asked.flatten().or(sent).filter(allowed);
    let first_on = first.unwrap_or_else(|| usual_first(visit, last));
    let gaps = [("date", visit.lang.date(last))];
    let gaps = gaps.each_ref().map(|(name, value)| (*name, value.as_str()));
    html.element("p", visit.fill(Text::PlanIntro, &gaps));
    if asked.is_some() && first.is_none() {
        html.raw("<p class=\"error\" id=\"first-error\">")
            .text(visit.fill(Text::FirstWrong, &gaps));
        html.raw("</p>");
    }
    html.raw("<form method=\"get\" id=\"form\" action=\"").text(visit.href("/plan")).raw("\">");
    if let Some(lang) = visit.chosen {
        html.hidden("lang", lang.tag());
    }
    html.raw("<div class=\"field\"><label for=\"first\">").raw(visit.t(Text::FirstOn));
    html.raw("</label><p class=\"hint\" id=\"first-hint\">").raw(visit.t(Text::DateHint));
    html.raw("</p><input type=\"date\" autocomplete=\"off\" id=\"first\" name=\"first\" ");
    html.raw("aria-describedby=\"first-hint\" value=\"").text(first_on.to_string());
    html.raw("\" min=\"").text(visit.today.to_string()).raw("\" max=\"").text(last.to_string());
    html.raw("\"></div><button class=\"second\">").raw(visit.t(Text::ShowRates));
    html.raw("</button></form>");
    for (number, (currency, _, rates)) in
        case.offers(&visit.rules, visit.today, first_on).iter().enumerate()
    {
        let count = rates.len().to_string();
        html.raw("<section class=\"card\"><h2>");
        html.text(visit.fill(Text::PlanTitle, &[("count", &count)])).raw("</h2>");
        rate_table(html, visit, *currency, rates);
        html.raw("<p>").raw(visit.t(Text::NoExtraCost));
        if case.bears_interest() {
            html.raw(" ").raw(visit.t(Text::PlannedInterest));
        }
        html.raw("</p>");
        page.open(html, Exit::Plan);
        html.hidden("first", &first_on.to_string());
        html.hidden("offer", &offer(*currency, number, rates));
        html.raw("<button>").text(visit.fill(Text::PlanButton, &[("count", &count)]));
        html.raw("</button></form></section>");
    }
}

/// Names an offer by all that was shown of it, so that a sum that changed since is noticed.
fn offer(
    currency: kulanz_domain::money::Currency,
    number: usize,
    rates: &[kulanz_domain::event::Rate],
) -> String {
    let sum: Decimal = rates.iter().map(|rate| rate.amount).sum();
    let ends = rates.first().zip(rates.last());
    let days = ends.map_or_else(String::new, |(one, two)| format!("{}_{}", one.due_on, two.due_on));
    format!("{}-{number}-{}-{sum}-{days}", currency.code(), rates.len())
}

/// Agrees to the offer as it was shown.
pub(crate) async fn agree(
    app: &App,
    visit: &Visit,
    case: &Case<'_>,
    fields: &Fields,
    id: &str,
) -> Result<(), NotTaken> {
    let plan = PlanId::new(id)?;
    if visit.loaded.account.plans.contains_key(&plan) {
        return Ok(());
    }
    let problem = |text: Text| one_problem("", visit.t(text).to_owned());
    if !case.allows(Deed::Plan) {
        return Err(problem(Text::NotNow));
    }
    let Some(first_on) = typed_date(fields.one("first")) else {
        return Err(problem(Text::DateWrong));
    };
    let offers = case.offers(&visit.rules, visit.today, first_on).into_iter().enumerate();
    let mut shown = offers.filter(|(number, (currency, _, rates))| {
        offer(*currency, *number, rates) == fields.one("offer")
    });
    let Some((_, (currency, _, rates))) = shown.next() else {
        return Err(problem(Text::AmountChanged));
    };
    let (now, rules) = (visit.now, Arc::clone(&visit.rules));
    let command = Command::AgreePlan { plan, currency, rates, now, rules, by_person: false };
    execute(app, visit, command, "").await
}
