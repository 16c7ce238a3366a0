//! What every page has around its content, and the pages of those that are not shown.

use axum::{
    extract::{FromRequestParts, Path, Request, State, rejection::PathRejection},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use kulanz_engine::panics;
use std::sync::Arc;

use crate::{
    App, CreditorCard,
    case::Deed,
    catalogue::Text,
    html::Html,
    style,
    text::Lang,
    visit::{Ask, Stop, Visit, location},
};

/// Marks an answer that may be kept: it is nobody's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cacheable;

/// The frame of a page.
pub(crate) struct Frame<'a> {
    pub lang: Lang,
    pub card: Option<&'a CreditorCard>,
    pub title: String,
    /// The form came back with errors: the title says so first.
    pub failed: bool,
    /// Path of the page, to switch the language on.
    pub path: &'a str,
    pub dev_mode: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a page of a visit.
    pub(crate) fn of(visit: &'a Visit, app: &App, path: &'a str, title: Text) -> Self {
        Self {
            lang: visit.lang,
            card: Some(&visit.card),
            title: visit.fill(title, &[("shop", &visit.card.name)]),
            failed: false,
            path,
            dev_mode: app.pages.dev_mode,
        }
    }

    /// The whole page.
    pub(crate) fn around(&self, status: StatusCode, content: &Html) -> Response {
        let t = |text: Text| text.in_lang(self.lang);
        let mut html = Html::new();
        html.raw("<!doctype html>\n<html lang=\"").raw(self.lang.tag()).raw("\">\n<head>");
        html.raw("<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, ");
        html.raw("initial-scale=1\"><meta name=\"robots\" content=\"noindex, nofollow\">");
        html.raw("<meta name=\"format-detection\" content=\"telephone=no\"><title>");
        if self.failed {
            html.raw(t(Text::ErrorPrefix));
        }
        html.text(&self.title).raw("</title><link rel=\"stylesheet\" href=\"");
        html.text(style::sheet_path()).raw("\">");
        if let Some(path) = self.card.and_then(|card| style::colour_path(&card.colour)) {
            html.raw("<link rel=\"stylesheet\" href=\"").text(path).raw("\">");
        }
        html.raw("</head>\n<body><a class=\"skip\" href=\"#main\">");
        html.raw(t(Text::SkipLink)).raw("</a>");
        html.raw("<header>");
        if self.dev_mode {
            html.raw("<p class=\"banner\" id=\"test-banner\">")
                .raw(t(Text::TestBanner))
                .raw("</p>");
        }
        html.raw("<p class=\"logo\">");
        html.text(self.card.map_or("Kulanz", |card| card.logo_text.as_str())).raw("</p>");
        self.language_switch(&mut html);
        html.raw("</header>\n<main id=\"main\" tabindex=\"-1\">").put(content).raw("</main>\n");
        self.footer(&mut html);
        html.raw("</body></html>\n");
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (status, kind, html.into_string()).into_response()
    }

    fn language_switch(&self, html: &mut Html) {
        let other = self.lang.other();
        let joint = if self.path.contains('?') { "&" } else { "?" };
        html.raw("<nav aria-label=\"")
            .raw(Text::LanguageNav.in_lang(self.lang))
            .raw("\"><a href=\"");
        html.text(self.path).text(joint).raw("lang=").raw(other.tag()).raw("\" lang=\"");
        html.raw(other.tag()).raw("\" hreflang=\"").raw(other.tag()).raw("\">");
        html.raw(Text::LanguageName.in_lang(other)).raw("</a></nav>");
    }

    fn footer(&self, html: &mut Html) {
        let t = |text: Text| text.in_lang(self.lang);
        let Some(card) = self.card else { return };
        html.raw("<footer><section id=\"contact\" aria-labelledby=\"contact-title\">");
        html.raw("<h2 id=\"contact-title\">").raw(t(Text::ContactTitle)).raw("</h2>");
        contact(html, card, self.lang);
        html.raw("</section>");
        counselling(html, card, self.lang);
        html.raw("<p>").text(&card.legal_name);
        for line in &card.address {
            html.raw("<br>").text(line);
        }
        html.raw("</p>");
        if let Some(imprint) = &card.imprint {
            match web(imprint) {
                Some(url) => html.raw("<p>").link(url, t(Text::Imprint)).raw("</p>"),
                None => html.raw("<h3>").raw(t(Text::Imprint)).raw("</h3>").element("p", imprint),
            };
        }
        if let Some(url) = card.privacy_url.as_deref().and_then(web) {
            html.raw("<p>").link(url, t(Text::Privacy)).raw("</p>");
        }
        html.raw("</footer>");
    }
}

/// Whom to ask.
pub(crate) fn contact(html: &mut Html, card: &CreditorCard, lang: Lang) {
    let t = |text: Text| text.in_lang(lang);
    html.raw("<ul>");
    if !card.support_email.is_empty() {
        let href = format!("mailto:{}", card.support_email);
        html.raw("<li>").raw(t(Text::ByEmail)).raw(" ");
        html.link(&href, &card.support_email).raw("</li>");
    }
    if !card.support_phone.is_empty() {
        phone(html, t(Text::ByPhone), &card.support_phone);
    }
    if let Some(hours) = &card.support_hours {
        html.raw("<li>").raw(t(Text::Hours)).raw(" ").text(hours).raw("</li>");
    }
    html.raw("</ul>");
}

fn phone(html: &mut Html, label: &'static str, number: &str) {
    let digits: String = number.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    html.raw("<li>").raw(label).raw(" ").link(&format!("tel:{digits}"), number).raw("</li>");
}

/// Where people in need get advice; on every page.
fn counselling(html: &mut Html, card: &CreditorCard, lang: Lang) {
    let t = |text: Text| text.in_lang(lang);
    if card.debt_counselling.is_empty() {
        return;
    }
    html.raw("<section id=\"counselling\" aria-labelledby=\"counselling-title\">");
    html.raw("<h2 id=\"counselling-title\">").raw(t(Text::CounsellingTitle)).raw("</h2><p>");
    html.raw(t(Text::CounsellingText)).raw("</p><ul>");
    for place in &card.debt_counselling {
        html.raw("<li>");
        match web(&place.url) {
            Some(url) => html.link(url, &place.name),
            None => html.text(&place.name),
        };
        if let Some(number) = &place.phone {
            html.raw("<ul>");
            phone(html, t(Text::ByPhone), number);
            html.raw("</ul>");
        }
        html.raw("</li>");
    }
    html.raw("</ul></section>");
}

/// The address where it is one that a link may lead to.
pub(crate) fn web(url: &str) -> Option<&str> {
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
}

/// The page for what is not shown.
pub(crate) fn stopped(app: &App, ask: &Ask, stop: &Stop) -> Response {
    let lang = match stop {
        Stop::Expired(behind) => behind.lang,
        _ => ask.anybodys(),
    };
    let (status, title, texts): (StatusCode, Text, &[Text]) = match stop {
        Stop::Unknown => {
            (StatusCode::NOT_FOUND, Text::UnknownTitle, &[Text::UnknownText, Text::UnknownNext])
        }
        Stop::Expired(_) => {
            (StatusCode::GONE, Text::ExpiredTitle, &[Text::ExpiredText, Text::NothingCharged])
        }
        Stop::Elsewhere => (StatusCode::FORBIDDEN, Text::ElsewhereTitle, &[Text::ElsewhereText]),
        Stop::TooMany => (StatusCode::TOO_MANY_REQUESTS, Text::TooManyTitle, &[Text::TooManyText]),
        Stop::BadForm => (StatusCode::BAD_REQUEST, Text::BadFormTitle, &[Text::BadFormText]),
        Stop::WrongMethod => {
            (StatusCode::METHOD_NOT_ALLOWED, Text::BadFormTitle, &[Text::BadFormText])
        }
        Stop::Fault(reason) => {
            tracing::error!(%reason, "a debtor's page failed");
            (StatusCode::SERVICE_UNAVAILABLE, Text::FaultTitle, &[Text::FaultText])
        }
    };
    let mut html = Html::new();
    html.raw("<h1>").raw(title.in_lang(lang)).raw("</h1>");
    for text in texts {
        html.raw("<p>").raw(text.in_lang(lang)).raw("</p>");
    }
    let card = match stop {
        Stop::Expired(behind) => Some(&*behind.card),
        _ => None,
    };
    if stop.state().allows(Deed::Renew) && app.pages.renew.is_some() {
        html.raw("<p>")
            .raw(Text::RenewText.in_lang(lang))
            .raw("</p><form method=\"post\" action=\"");
        html.text(first_of(&ask.path)).raw("/renew?lang=").raw(lang.tag()).raw("\"><button>");
        html.raw(Text::RenewButton.in_lang(lang)).raw("</button></form>");
    } else if card.is_some() {
        html.raw("<p>").raw(Text::RenewAsk.in_lang(lang)).raw("</p>");
    }
    let frame = Frame {
        lang,
        card,
        title: title.in_lang(lang).to_owned(),
        failed: false,
        path: first_of(&ask.path),
        dev_mode: app.pages.dev_mode,
    };
    let mut response = frame.around(status, &html);
    if matches!(stop, Stop::TooMany) {
        response.headers_mut().insert(header::RETRY_AFTER, location("60"));
    }
    response
}

/// `/p/TOKEN` of the path of any of a link's pages.
fn first_of(path: &str) -> &str {
    let end = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    &path[..end]
}

/// `GET /assets/…`.
pub(crate) async fn asset(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    ask: Ask,
) -> Response {
    match name.ok().and_then(|Path(name)| style::sheet(&name)) {
        Some(sheet) => {
            let mut response =
                ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], sheet).into_response();
            response.extensions_mut().insert(Cacheable);
            response
        }
        None => stopped(&app, &ask, &Stop::Unknown),
    }
}

/// Any other method.
pub(crate) async fn wrong_method(State(app): State<Arc<App>>, ask: Ask) -> Response {
    stopped(&app, &ask, &Stop::WrongMethod)
}

/// `GET /p`: a link of which nothing came through but its beginning.
pub(crate) async fn unknown(State(app): State<Arc<App>>, ask: Ask) -> Response {
    stopped(&app, &ask, &Stop::Unknown)
}

/// Around all pages: one that makes the program panic says that it is our fault. The path is not
/// told, for it is the link.
pub(crate) async fn caught(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(ask) = Ask::from_request_parts(&mut parts, &()).await;
    let shown = next.run(Request::from_parts(parts, body));
    panics::caught_in("pages", shown)
        .await
        .unwrap_or_else(|fault| stopped(&app, &ask, &Stop::Fault(fault.to_string())))
}

/// Off to another page of ours, to be read with GET.
pub(crate) fn see_other(href: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location(href))]).into_response()
}
