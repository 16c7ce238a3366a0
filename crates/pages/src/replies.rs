//! What became of what the debtor had told us: a search for their money that found nothing, a
//! request for help that nobody answered. Said while it is the last word about it and something
//! is asked for.

use crate::{case::CaseState, catalogue::Text, html::Html, visit::Visit};

/// Says it, each with the way to tell us once more.
pub(crate) fn tell(html: &mut Html, visit: &Visit, state: CaseState) {
    if state != CaseState::Open {
        return;
    }
    let account = &visit.loaded.account;
    if let Some(asked_on) = account.unanswered_plea() {
        let texts = [Text::UnansweredText, Text::UnansweredNext];
        let again = ("/help", Text::UnansweredAgain);
        section(html, visit, ("unanswered", Text::UnansweredTitle), asked_on, texts, again);
    }
    if let Some(said_on) = account.found_nothing(visit.today) {
        let texts = [Text::NotFoundText, Text::NotFoundNext];
        let again = ("/paid", Text::NotFoundAgain);
        section(html, visit, ("not-found", Text::NotFoundTitle), said_on, texts, again);
    }
}

fn section(
    html: &mut Html,
    visit: &Visit,
    (id, title): (&'static str, Text),
    on: jiff::civil::Date,
    texts: [Text; 2],
    (below, again): (&str, Text),
) {
    html.raw("<section class=\"state apology\" id=\"").raw(id).raw("\" aria-labelledby=\"").raw(id);
    html.raw("-title\"><h2 id=\"").raw(id).raw("-title\">").raw(visit.t(title)).raw("</h2>");
    let day = visit.lang.date(on);
    for text in texts {
        html.element("p", visit.fill(text, &[("date", &day)]));
    }
    html.raw("<p>").link(&visit.href(below), visit.t(again)).raw("</p></section>");
}
