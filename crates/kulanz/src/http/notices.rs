//! `GET /v1/notices/ID`: a message with its recipient, for shops that send through a gateway of
//! their own. This is personal data: who read which message is logged.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderName, HeaderValue, header},
};
use kulanz_domain::{decision::overtaken, ids::NoticeId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    Server,
    caller::{Caller, SENDERS},
    problem::Refused,
    schema::{AccountName, Id, Moment},
};

/// A message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NoticeView {
    /// Which; the id for `reminder.*` events about it.
    pub notice: Id,
    /// Whose.
    pub account: AccountName,
    /// `email`, `sms` or `letter`.
    pub channel: &'static str,
    /// Step of the ladder; absent for answers to a debtor's own request.
    pub step: Option<Id>,
    /// `queued`, `sending`, `sent`, `suppressed`, `parked` or `unknown`.
    pub state: String,
    /// Why it must not be sent any more: `paid`, `amounts_changed`, `disputed`, `on_hold`, `promised`,
    /// `planned`, `erased` and others; absent while it may be.
    pub overtaken: Option<String>,
    /// When it was decided.
    pub decided_at: Moment,
    /// The message as its reader gets it, made anew before it leaves where something has changed;
    /// absent where it could not be made, and once the account is erased.
    pub message: Option<Message>,
}

/// A message as its reader gets it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Message {
    /// E-mail address or mobile number.
    pub to: String,
    /// When it was made.
    pub made_at: Moment,
    /// Of an e-mail.
    pub subject: Option<String>,
    /// Plain text.
    pub text: String,
    /// The same as HTML, of an e-mail.
    pub html: Option<String>,
}

impl Message {
    /// As it was kept.
    fn of(kept: &Value) -> Option<Self> {
        let text = |member: &str| kept.get(member).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            to: text("to")?,
            made_at: Moment(text("at")?),
            subject: text("subject"),
            text: text("text")?,
            html: text("html"),
        })
    }
}

/// Shows one message. An `events` token has to be of one creditor: one for all would open
/// everybody's mail.
pub async fn show(
    State(server): State<Server>,
    caller: Caller,
    path: Result<Path<String>, PathRejection>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<NoticeView>), Refused> {
    caller.needs(SENDERS)?;
    if caller.token.as_ref().is_some_and(|t| t.role == "events" && t.creditor.is_none()) {
        return Err(Refused::forbidden(
            "an `events` token reads messages of one creditor: make one with --creditor",
        ));
    }
    let none = || Refused::not_found("notice");
    let Path(id) = path.map_err(|_| none())?;
    let id = NoticeId::new(&id).map_err(|_| none())?;
    let engine = &server.house.engine;
    let row = engine.store().outbox_row(id).await?;
    let row = row.filter(|row| caller.sees(&row.account.creditor)).ok_or_else(none)?;
    let loaded = engine.load(&row.account).await?.ok_or_else(none)?;
    let slot = format!("notice/{}", row.notice);
    let kept = engine.secrets(&row.account, &loaded, &[&slot]).await?.remove(&slot);
    let rules = engine.rules(&row.account);
    let now = engine.clock().now();
    let overtaken = rules
        .and_then(|rules| overtaken(&loaded.account, &rules, &row.notice, now))
        .map(|why| serde_json::to_value(why).map_err(kulanz_engine::Fault::from))
        .transpose()?;
    tracing::info!(notice = %row.notice, by = caller.name, "a notice was read");
    let view = NoticeView {
        notice: Id::of(&row.notice),
        account: AccountName(row.account.to_string()),
        channel: row.channel.name(),
        step: row.step.as_ref().map(Id::of),
        state: format!("{:?}", row.state).to_lowercase(),
        overtaken: overtaken.as_ref().and_then(Value::as_str).map(str::to_owned),
        decided_at: Moment::of(row.decided_at),
        message: kept.as_ref().and_then(Message::of),
    };
    let private = HeaderValue::from_static("no-store");
    Ok(([(header::CACHE_CONTROL, private)], Json(view)))
}
