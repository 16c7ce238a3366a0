//! `GET /v1/accounts…`: how accounts stand, and what happened to them. Without personal data.

mod view;

use axum::{Json, extract::State};
use jiff::{Timestamp, tz::TimeZone};
use kulanz_domain::{
    calendar::day_in,
    decision::explain,
    ids::{AccountId, CreditorId, NoticeId},
};
use kulanz_engine::replay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Server,
    asked::{Account, Asked, no_account},
    caller::{Caller, READERS},
    problem::Refused,
};
use crate::outbound;

pub use view::{AccountView, Summary};

/// Accounts on a page, where nothing else is asked for.
const PAGE: u32 = 100;
/// Accounts on a page at most.
const LARGEST_PAGE: u32 = 500;

/// Which accounts are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    creditor: Option<CreditorId>,
    after: Option<AccountId>,
    limit: Option<u32>,
}

/// A page of accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Accounts {
    /// In the order of their ids.
    pub accounts: Vec<Summary>,
    /// The `after` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<super::schema::AccountName>")]
    pub next: Option<AccountId>,
}

/// Lists accounts, page by page. Of a creditor that is not the caller's business there are none.
pub async fn list(
    State(server): State<Server>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Accounts>, Refused> {
    caller.needs(READERS)?;
    let limit = page(which.limit)?;
    let creditor = which.creditor.or_else(|| caller.creditor().cloned());
    if creditor.as_ref().is_some_and(|creditor| !caller.sees(creditor)) {
        return Ok(Json(Accounts { accounts: Vec::new(), next: None }));
    }
    let engine = &server.house.engine;
    // One more than asked for says whether there is another page.
    let mut ids = engine.store().accounts(creditor, which.after, limit + 1).await?;
    let more = ids.len() > limit as usize;
    ids.truncate(limit as usize);
    let heads = engine.store().heads(ids.clone()).await?;
    let mut accounts = Vec::with_capacity(ids.len());
    for (id, head) in ids.iter().zip(heads) {
        let Some(head) = head else { continue };
        let today = today(&server, id, engine.clock().now());
        accounts.push(Summary::of(id, &replay(&head)?, (head.version, head.wake_at), today));
    }
    Ok(Json(Accounts { accounts, next: ids.pop().filter(|_| more) }))
}

/// How one account stands now.
pub async fn show(
    State(server): State<Server>,
    Account { id, caller }: Account,
) -> Result<Json<AccountView>, Refused> {
    caller.needs(READERS)?;
    let engine = &server.house.engine;
    let loaded = engine.load(&id).await?.ok_or_else(no_account)?;
    let now = engine.clock().now();
    let explained = match engine.rules(&id) {
        Some(rules) => {
            let fresh = NoticeId::new("N-explained").map_err(|e| Refused::fault(&e.into()))?;
            let told = explain(&loaded.account, &rules, now, &fresh);
            Some((told.map_err(|refusal| Refused::fault(&refusal.into()))?, rules))
        }
        // Its file is gone: nothing is decided until it is back.
        None => None,
    };
    let head = (loaded.version, loaded.wake_at);
    let today = today(&server, &id, now);
    let explained = explained.as_ref().map(|(told, rules)| (told, &**rules));
    let view = AccountView::of(&id, &loaded.account, head, today, explained);
    Ok(Json(view))
}

/// What happened to an account, from where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    after: Option<u64>,
    limit: Option<u32>,
}

/// A page of an account's events.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Events {
    /// CloudEvents, oldest first: those that webhooks send.
    pub events: Vec<super::schema::OutboundEvent>,
    /// The `after` of the next page: the last `accountversion` here. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// All that happened to an account.
pub async fn events(
    State(server): State<Server>,
    Account { id, caller }: Account,
    Asked(since): Asked<Since>,
) -> Result<Json<Events>, Refused> {
    caller.needs(READERS)?;
    let limit = page(since.limit)? as usize;
    let after = since.after.unwrap_or(0);
    let store = server.house.engine.store();
    // No account has more events than fit into a signed number.
    let stored = match i64::try_from(after) {
        Ok(_) => store.stream(id.clone(), after).await?,
        Err(_) => Vec::new(),
    };
    if stored.is_empty() && store.heads(vec![id]).await?.into_iter().flatten().next().is_none() {
        return Err(no_account());
    }
    let next = (stored.len() > limit).then(|| stored[limit - 1].version);
    let events = stored.iter().take(limit).map(outbound::cloud_event);
    let events = events.collect::<anyhow::Result<Vec<Value>>>();
    let events = events.map_err(|error| Refused::fault(&error))?;
    let events = events.into_iter().map(super::schema::OutboundEvent).collect();
    Ok(Json(Events { events, next }))
}

fn page(limit: Option<u32>) -> Result<u32, Refused> {
    let limit = limit.unwrap_or(PAGE);
    match (1..=LARGEST_PAGE).contains(&limit) {
        true => Ok(limit),
        false => Err(Refused::malformed(format!("limit is 1 to {LARGEST_PAGE}"))),
    }
}

/// The day in the creditor's zone.
fn today(server: &Server, id: &AccountId, now: Timestamp) -> jiff::civil::Date {
    match server.house.engine.rules(id) {
        Some(rules) => day_in(now, &rules.creditor.zone),
        None => now.to_zoned(TimeZone::UTC).date(),
    }
}
