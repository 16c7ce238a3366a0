//! Who asks, told from the token before any body is read, and what each role may.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};
use kulanz_domain::ids::CreditorId;
use kulanz_engine::token_hash;
use kulanz_store::TokenRow;

use super::{Server, problem::Refused};
use crate::typed;

/// Who may look at accounts.
pub const READERS: &[&str] = &["read", "clerk", "approver", "admin"];
/// Who may make paylinks: whoever holds one sees what the debtor sees, and may pay and agree.
pub const LINKERS: &[&str] = &["events", "clerk", "approver", "admin"];
/// Who may send events.
pub const SENDERS: &[&str] = &["events", "admin"];

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `None`: there is no token at all, and the request is from this machine.
    pub token: Option<TokenRow>,
    /// For the log.
    pub name: String,
}

impl Caller {
    /// Refuses who has none of `roles`.
    pub fn needs(&self, roles: &[&str]) -> Result<(), Refused> {
        match self.token.as_ref().filter(|token| !roles.contains(&token.role.as_str())) {
            None => Ok(()),
            Some(token) => Err(Refused::forbidden(format!(
                "the token of {} is for `{}`; this needs one for {}",
                token.person,
                token.role,
                listed(roles)
            ))),
        }
    }

    /// The one creditor that it speaks for; `None`: all.
    pub fn creditor(&self) -> Option<&CreditorId> {
        self.token.as_ref().and_then(|token| token.creditor.as_ref())
    }

    /// Whether the creditor's accounts are its business.
    pub fn sees(&self, creditor: &CreditorId) -> bool {
        self.creditor().is_none_or(|own| own == creditor)
    }
}

fn listed(roles: &[&str]) -> String {
    let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
    match roles.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => roles.concat(),
    }
}

impl FromRequestParts<Server> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Refused> {
        let store = server.house.engine.store();
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(given) = text(header::AUTHORIZATION) {
            let scheme = given.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
            let token = scheme.and(given.get(7..)).map(str::trim);
            let row = match token {
                Some(token) => store.token(token_hash(token)).await?,
                None => None,
            };
            let unknown = || Refused::unauthorized("this token is not known");
            let token = row.ok_or_else(unknown)?;
            return Ok(Self { name: token.person.clone(), token: Some(token) });
        }
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let here = from.is_some_and(|ConnectInfo(from)| from.ip().is_loopback());
        if !here || !store.tokens().await?.is_empty() {
            let detail = "send `Authorization: Bearer …` with a token of `kulanz token create`";
            return Err(Refused::unauthorized(detail));
        }
        let Some(said) = parts.headers.get("x-kulanz-person") else {
            return Ok(Self { token: None, name: "somebody".to_owned() });
        };
        let name = std::str::from_utf8(said.as_bytes()).map_err(|error| error.to_string());
        let name = name.and_then(typed::person);
        let name = name.map_err(|why| Refused::malformed(format!("x-kulanz-person: {why}")))?;
        Ok(Self { token: None, name })
    }
}
