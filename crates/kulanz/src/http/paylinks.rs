//! `POST /v1/accounts/…/paylinks`: a link to a debtor's page on demand, for shops that put it into
//! mails of their own.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use jiff::SignedDuration;
use kulanz_engine::{ExecuteError, Extra};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Server,
    asked::{Account, must_be_json, no_account, read, whole},
    caller::LINKERS,
    idempotency::{Answer, Command, Keyed, once},
    problem::Refused,
    schema::{AccountName, Moment},
};

/// How long a link opens its page, where nothing else is asked for.
const DAYS: u16 = 30;
/// At most: as long as links in messages do.
const MOST_DAYS: u16 = 120;

/// The answer to who asked for one.
const MADE: StatusCode = StatusCode::CREATED;

/// What link is wanted. An empty body is the same as `{}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// For how many days it opens the page; 30 where left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 120))]
    pub days: Option<u16>,
}

/// A link.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Paylink {
    /// Which account it opens.
    pub account: AccountName,
    /// Whoever has it sees what the debtor sees: send it to the debtor alone.
    pub url: String,
    /// From then on it opens nothing.
    pub expires_at: Moment,
}

/// Makes a link.
pub async fn make(
    State(server): State<Server>,
    Account { id, caller }: Account,
    request: Request,
) -> Result<Response, Refused> {
    caller.needs(LINKERS)?;
    let headers = request.headers().clone();
    let path = format!("/v1/accounts/{id}/paylinks");
    let body = whole(request).await?;
    let wanted: Wanted = match body.is_empty() {
        true => Wanted::default(),
        false => {
            must_be_json(&headers)?;
            read(&body, "a wish for a paylink")?
        }
    };
    let days = wanted.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Refused::malformed(format!("days is 1 to {MOST_DAYS}")));
    }
    let (house, base_url) = (Arc::clone(&server.house), Arc::clone(&server.base_url));
    let work = move |keyed: Option<Keyed>| async move {
        let engine = &house.engine;
        let loaded = engine.load(&id).await?.ok_or_else(no_account)?;
        if loaded.account.erased_at.is_some() {
            let detail = "its key was destroyed: there is no page to open any more";
            return Err(Refused::new(StatusCode::CONFLICT, "erased", "erased", detail));
        }
        let now = engine.clock().now();
        let length = SignedDuration::from_hours(24 * i64::from(days));
        let expires_at = now.saturating_add(length).unwrap_or(jiff::Timestamp::MAX);
        let (token, link) = engine.new_paylink(&id, None, expires_at)?;
        let (account, url) = (AccountName(id.to_string()), format!("{base_url}/p/{token}"));
        let made = Paylink { account, url, expires_at: Moment::of(expires_at) };
        let answer = made.clone();
        let request = keyed.map(|keyed| keyed.travels(move |_| answer.clone()));
        let extra = Extra { paylinks: vec![link], request, ..Extra::default() };
        match engine.execute_with(&id, None, "paylink", extra).await {
            Ok(_) => {}
            Err(ExecuteError::Failed(fault)) => return Err(fault.into()),
            Err(ExecuteError::Refused(refusal)) => {
                let detail = refusal.to_string();
                return Err(Refused::new(StatusCode::CONFLICT, "refused", "refused", detail));
            }
        }
        tracing::info!(account = %id, "a paylink was made on demand");
        Answer::of(MADE, &made)
    };
    let command = Command { caller: &caller, headers: &headers, path: &path, body: &body };
    once(&server, command, MADE, work, None).await
}
