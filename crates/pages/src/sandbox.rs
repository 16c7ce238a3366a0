//! The sandbox provider: a page on this site that stands for a payment provider's own, in dev
//! mode alone. No money moves.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};

use crate::{
    App,
    catalogue::Text,
    checkout::{FAILED, OPEN, PAID, VOID, amount, current, notice, put, row_of},
    frame::{Frame, see_other, stopped},
    html::Html,
    visit::{Ask, Body, Fields, Stop, Visit},
};

type At = Result<Path<String>, PathRejection>;

/// `GET /sandbox/{checkout}?back={token}`.
pub(crate) async fn show(State(app): State<Arc<App>>, at: At, ask: Ask) -> Response {
    let shown = async {
        let Path(checkout) = at.map_err(|_| Stop::Unknown)?;
        let token = ask.query.get("back").ok_or(Stop::Unknown)?;
        let visit = Visit::open(&app, token, &ask).await?;
        let row = row_of(&app, &checkout, &visit.id).await?;
        if row.state != OPEN {
            return Ok(see_other(&visit.href(&format!("/return/{checkout}"))));
        }
        if !current(&row, &visit.case()) {
            return Ok(overtaken(&app, &visit));
        }
        let mut html = Html::new();
        html.element("h1", visit.t(Text::SandboxTitle)).raw("<p>");
        html.raw(visit.t(Text::SandboxText)).raw("</p><p class=\"total\" id=\"total\">");
        html.text(visit.lang.money(amount(&row))).raw("</p>");
        for (outcome, id, label) in [
            ("pay", "pay", Text::SandboxPay),
            ("late", "late", Text::SandboxLate),
            ("fail", "fail", Text::SandboxFail),
        ] {
            html.raw("<form class=\"field\" method=\"post\" action=\"/sandbox/").text(&checkout);
            html.raw("\">").hidden("back", token).hidden("outcome", outcome);
            if let Some(lang) = visit.chosen {
                html.hidden("lang", lang.tag());
            }
            html.raw("<button id=\"").raw(id).raw("\">").raw(visit.t(label));
            html.raw("</button></form>");
        }
        let path = format!("/sandbox/{checkout}?back={token}");
        Ok(Frame::of(&visit, &app, &path, Text::SandboxTitle).around(StatusCode::OK, &html))
    };
    let shown: Result<Response, Stop> = shown.await;
    shown.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

/// `POST /sandbox/{checkout}`: the payer decides. The money is taken only for what is open at
/// that moment; then the provider tells us, by the road of every provider's word.
pub(crate) async fn decide(
    State(app): State<Arc<App>>,
    at: At,
    mut ask: Ask,
    body: Body,
) -> Response {
    let decided = async {
        let Path(checkout) = at.map_err(|_| Stop::Unknown)?;
        let fields = Fields::read(body)?;
        let token = fields.one("back").to_owned();
        ask.admit(&app, &token)?;
        if !fields.one("lang").is_empty() {
            ask.query.insert("lang".to_owned(), fields.one("lang").to_owned());
        }
        let visit = Visit::open(&app, &token, &ask).await?;
        let guard = app.lock(&visit.id).await?;
        let visit = Visit::open(&app, &token, &ask).await?;
        let row = row_of(&app, &checkout, &visit.id).await?;
        if row.state == OPEN {
            match fields.one("outcome") {
                "fail" => put(&app, &row, FAILED).await?,
                "pay" | "late" if current(&row, &visit.case()) => put(&app, &row, PAID).await?,
                "pay" | "late" => {
                    put(&app, &row, VOID).await?;
                    return Ok(overtaken(&app, &visit));
                }
                _ => return Err(Stop::BadForm),
            }
        }
        // The provider's word, which may come late.
        if fields.one("outcome") == "pay" {
            app.pages.settle_checkout(&checkout).await?;
        }
        drop(guard);
        Ok(see_other(&visit.href(&format!("/return/{checkout}"))))
    };
    let decided: Result<Response, Stop> = decided.await;
    decided.unwrap_or_else(|stop| stopped(&app, &ask, &stop))
}

fn overtaken(app: &App, visit: &Visit) -> Response {
    notice(app, visit, Text::OvertakenTitle, &[Text::OvertakenText, Text::NothingCharged])
}
