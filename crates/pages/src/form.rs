//! The forms of the exits: fields with labels, hints and errors, and the summary of what is wrong.

use axum::{http::StatusCode, response::Response};
use kulanz_domain::money::Money;

use crate::{
    App,
    case::Case,
    catalogue::Text,
    exits::{Exit, Problem},
    frame::Frame,
    html::Html,
    plans,
    visit::{Ask, Fields, Visit},
};

/// The form of an exit, as first shown or with what is wrong.
pub(crate) fn form(
    app: &App,
    visit: &Visit,
    ask: &Ask,
    exit: Exit,
    fields: &Fields,
    problems: &[Problem],
) -> Response {
    let case = visit.case();
    let page = FormPage { visit, fields, problems };
    let mut html = Html::new();
    html.raw("<p>").link(&visit.href(""), visit.t(Text::Back)).raw("</p><h1>");
    html.raw(visit.t(exit.title())).raw("</h1>");
    page.summary(&mut html);
    match exit {
        Exit::Plan => plans::form(&mut html, &page, &case, ask),
        _ => page.simple(&mut html, &case, exit),
    }
    let frame =
        Frame { failed: !problems.is_empty(), ..Frame::of(visit, app, &ask.path, exit.title()) };
    let status = match problems.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    frame.around(status, &html)
}

/// A form with what was typed into it and what is wrong with that.
pub(crate) struct FormPage<'a> {
    pub visit: &'a Visit,
    pub fields: &'a Fields,
    pub problems: &'a [Problem],
}

impl FormPage<'_> {
    /// What is wrong, each with a link to its field.
    fn summary(&self, html: &mut Html) {
        if self.problems.is_empty() {
            return;
        }
        html.raw(
            "<div class=\"errors\" id=\"errors\" role=\"alert\" aria-labelledby=\"errors-title\"",
        );
        html.raw("><h2 id=\"errors-title\">").raw(self.visit.t(Text::ErrorsTitle)).raw("</h2><ul>");
        for problem in self.problems {
            let field = if problem.field.is_empty() { "form" } else { problem.field };
            html.raw("<li>").link(&format!("#{field}"), &problem.message).raw("</li>");
        }
        html.raw("</ul></div>");
    }

    /// Opens the form of `exit` with what makes it ours.
    pub(crate) fn open(&self, html: &mut Html, exit: Exit) {
        let action = self.visit.href(&format!("/{}", exit.name()));
        html.raw("<form method=\"post\" novalidate action=\"").text(action).raw("\">");
        html.hidden("nonce", &self.visit.nonce(exit.name()));
        html.hidden("version", &self.visit.loaded.version.to_string());
    }

    fn simple(&self, html: &mut Html, case: &Case<'_>, exit: Exit) {
        let visit = self.visit;
        let today = visit.today.to_string();
        let on_interest = match exit {
            Exit::Paid => Text::SearchInterest,
            Exit::Disagree => Text::DisputeInterest,
            Exit::Later => Text::LaterInterest,
            Exit::Help | Exit::Plan => Text::HoldInterest,
        };
        html.raw("<div id=\"form\">");
        let on_interest = |html: &mut Html| {
            if case.bears_interest() {
                html.raw("<p>").raw(visit.t(on_interest)).raw("</p>");
            }
        };
        match exit {
            Exit::Paid => {
                html.raw("<p>").raw(visit.t(Text::PaidIntro)).raw("</p>");
                on_interest(html);
                self.open(html, exit);
                self.input(
                    html,
                    "on",
                    "date",
                    Text::PaidOn,
                    Some(Text::DateHint),
                    &[("max", &today)],
                );
                self.input(
                    html,
                    "amount",
                    "text",
                    Text::PaidAmount,
                    Some(Text::Optional),
                    &[("inputmode", "decimal")],
                );
                let hint = Some(Text::Optional);
                self.input(html, "reference", "text", Text::PaidReference, hint, &[]);
            }
            Exit::Disagree => {
                html.raw("<p>").raw(visit.t(Text::DisagreeIntro)).raw("</p>");
                on_interest(html);
                self.open(html, exit);
                self.claims(html, case);
                self.area(html, Text::DisagreeReason, Text::ReasonHint);
            }
            Exit::Later => {
                let last = case.last_promise_day(&visit.rules, visit.today).unwrap_or(visit.today);
                let gaps = [("date", visit.lang.date(last))];
                let gaps = gaps.each_ref().map(|(name, value)| (*name, value.as_str()));
                html.element("p", visit.fill(Text::LaterIntro, &gaps));
                on_interest(html);
                self.open(html, exit);
                let last = last.to_string();
                let bounds = [("min", today.as_str()), ("max", last.as_str())];
                self.input(html, "until", "date", Text::LaterUntil, Some(Text::DateHint), &bounds);
            }
            Exit::Help | Exit::Plan => {
                html.raw("<p>").raw(visit.t(Text::HelpIntro)).raw("</p>");
                on_interest(html);
                html.raw("<p>");
                html.raw(visit.t(Text::HelpAdvice)).raw(" <a href=\"#counselling\">");
                html.raw(visit.t(Text::CounsellingTitle)).raw("</a></p>");
                self.open(html, exit);
                self.area(html, Text::HelpReason, Text::HelpReasonHint);
            }
        }
        let button = match exit {
            Exit::Paid => Text::PaidButton,
            Exit::Disagree => Text::DisagreeButton,
            Exit::Later => Text::LaterButton,
            Exit::Help | Exit::Plan => Text::HelpButton,
        };
        html.raw("<button>").raw(visit.t(button)).raw("</button></form></div>");
    }

    fn problem(&self, field: &str) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.field == field)
    }

    /// `aria-describedby` and, where something is wrong, `aria-invalid`.
    fn described(&self, html: &mut Html, name: &'static str, hint: bool) {
        let wrong = self.problem(name).is_some();
        if hint || wrong {
            html.raw(" aria-describedby=\"");
            if hint {
                html.raw(name).raw("-hint ");
            }
            if wrong {
                html.raw(name).raw("-error");
            }
            html.raw("\"");
        }
        if wrong {
            html.raw(" aria-invalid=\"true\"");
        }
    }

    fn around(&self, html: &mut Html, name: &'static str, hint: Option<Text>) {
        if let Some(hint) = hint {
            html.raw("<p class=\"hint\" id=\"").raw(name).raw("-hint\">");
            html.raw(self.visit.t(hint)).raw("</p>");
        }
        if let Some(problem) = self.problem(name) {
            html.raw("<p class=\"error\" id=\"").raw(name).raw("-error\">");
            html.text(&problem.message).raw("</p>");
        }
    }

    /// A field with its label, hint and error. All are about this matter, not about the person:
    /// nothing that a browser knows fits into them.
    pub(crate) fn input(
        &self,
        html: &mut Html,
        name: &'static str,
        kind: &'static str,
        label: Text,
        hint: Option<Text>,
        more: &[(&'static str, &str)],
    ) {
        html.raw("<div class=\"field\"><label for=\"").raw(name).raw("\">");
        html.raw(self.visit.t(label)).raw("</label>");
        self.around(html, name, hint);
        html.raw("<input autocomplete=\"off\" type=\"").raw(kind).raw("\" id=\"").raw(name);
        html.raw("\" name=\"").raw(name).raw("\" value=\"").text(self.fields.one(name)).raw("\"");
        for (attribute, value) in more {
            html.raw(" ").raw(attribute).raw("=\"").text(value).raw("\"");
        }
        self.described(html, name, hint.is_some());
        html.raw("></div>");
    }

    fn area(&self, html: &mut Html, label: Text, hint: Text) {
        html.raw("<div class=\"field\"><label for=\"reason\">").raw(self.visit.t(label));
        html.raw("</label>");
        self.around(html, "reason", Some(hint));
        html.raw("<textarea id=\"reason\" name=\"reason\" rows=\"6\" maxlength=\"1000\" ");
        html.raw("autocomplete=\"off\"");
        self.described(html, "reason", true);
        html.raw(">").text(self.fields.one("reason")).raw("</textarea></div>");
    }

    /// The claims to choose from; the only one is chosen already.
    fn claims(&self, html: &mut Html, case: &Case<'_>) {
        let visit = self.visit;
        let claims: Vec<_> = case.disputable().collect();
        let chosen: Vec<&str> = self.fields.all("invoice").collect();
        html.raw("<fieldset id=\"invoice\" tabindex=\"-1\"");
        self.described(html, "invoice", false);
        html.raw("><legend>").raw(visit.t(Text::DisagreeClaims)).raw("</legend>");
        self.around(html, "invoice", None);
        for (column, currency) in &claims {
            let amount = Money::new(column.open_on(visit.today), *currency);
            html.raw("<label class=\"choice\"><input type=\"checkbox\" name=\"invoice\" value=\"");
            html.text(column.invoice.as_str()).raw("\"");
            if claims.len() == 1 || chosen.contains(&column.invoice.as_str()) {
                html.raw(" checked");
            }
            html.raw("><span>").text(column.invoice.as_str()).raw(" \u{b7} ");
            html.text(visit.lang.money(amount)).raw("</span></label>");
        }
        html.raw("</fieldset>");
    }
}
