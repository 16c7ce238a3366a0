//! Owning up to a message that asked for too much: what it said, what was right, what is true now.
//!
//! Only messages that the debtor got, as far as anybody knows, and only until a later message told
//! the right amount.

use jiff::civil::Date;
use kulanz_domain::{
    account::{Account, Notice, NoticeState},
    calendar::day_in,
    money::{Decimal, Money},
};

use crate::{case::Case, catalogue::Text, html::Html, visit::Visit};

/// The apology for the latest wrong message, where there is one that nothing right came after.
pub(crate) fn own_up(html: &mut Html, visit: &Visit, case: &Case<'_>) {
    let Some((notice, on)) = wrong(case.account, visit) else { return };
    let currency = notice.decided.currency;
    let money = |amount: Decimal| visit.lang.money(Money::new(amount, currency));
    html.raw("<section class=\"state apology\" id=\"apology\" aria-labelledby=\"apology-title\">");
    html.raw("<h2 id=\"apology-title\">").raw(visit.t(Text::ApologyTitle)).raw("</h2>");
    html.element("p", visit.fill(Text::ApologyWhich, &[("date", &visit.lang.date(on))]));
    let (list, item) = if notice.wrong.len() > 1 { (true, "li") } else { (false, "p") };
    html.raw(if list { "<ul>" } else { "" });
    for (invoice, (told, right)) in &notice.wrong {
        let text = if right.is_zero() { Text::ApologyNothing } else { Text::ApologyLess };
        let (told, right) = (money(*told), money(*right));
        let gaps = [("invoice", invoice.as_str()), ("amount", &told), ("right", &right)];
        html.element(item, visit.fill(text, &gaps));
    }
    html.raw(if list { "</ul><p>" } else { "<p>" });
    let more = |part: &kulanz_domain::event::NoticeClaim| part.fees + part.interest;
    let with_more = notice
        .decided
        .claims
        .iter()
        .any(|part| notice.wrong.contains_key(&part.invoice) && more(part) > Decimal::ZERO);
    if with_more {
        html.raw(visit.t(Text::ApologyWithout)).raw(" ");
    }
    let section = case.section(currency);
    let columns = section.into_iter().flat_map(|section| &section.book.claims);
    let columns = columns.filter(|column| notice.wrong.contains_key(column.invoice));
    let open: Decimal = columns.map(|column| column.open_on(visit.today)).sum();
    let text = if open.is_zero() { Text::ApologyDone } else { Text::ApologyOpen };
    html.text(visit.fill(text, &[("amount", &money(open))])).raw("</p></section>");
}

/// The latest wrong message with its day, unless a later one in its currency was right.
fn wrong<'a>(account: &'a Account, visit: &Visit) -> Option<(&'a Notice, Date)> {
    let got = |notice: &&Notice| matches!(notice.state, NoticeState::Sent | NoticeState::Delivered);
    let sent = || {
        account
            .notices
            .values()
            .map(AsRef::as_ref)
            .filter(got)
            .filter_map(|one| Some((one.sent_at?, one)))
    };
    let (at, latest) = sent().filter(|(_, one)| !one.wrong.is_empty()).max_by_key(|(at, _)| *at)?;
    let mended = sent().any(|(later, one)| {
        later > at && one.wrong.is_empty() && one.decided.currency == latest.decided.currency
    });
    (!mended).then(|| (latest, day_in(at, &visit.rules.creditor.zone)))
}
