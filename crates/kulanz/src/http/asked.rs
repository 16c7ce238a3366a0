//! What is asked: paths, queries and bodies, each with a problem that says what would be right.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use kulanz_domain::ids::{AccountId, CreditorId, DebtorId};
use serde::de::DeserializeOwned;

use super::{Server, caller::Caller, problem::Refused};

/// The account in a path, which the caller may see. Whatever cannot be an account is not found.
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Who asks.
    pub caller: Caller,
}

impl FromRequestParts<Server> for Account {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Refused> {
        let caller = Caller::from_request_parts(parts, server).await?;
        let path = Path::<(String, String)>::from_request_parts(parts, server).await;
        let id = path.ok().and_then(|Path((creditor, debtor))| {
            let creditor = CreditorId::new(&creditor).ok()?;
            Some(AccountId::new(creditor, DebtorId::new(&debtor).ok()?))
        });
        let id = id.filter(|id| caller.sees(&id.creditor)).ok_or_else(no_account)?;
        Ok(Self { id, caller })
    }
}

/// The answer on an account that is not there.
pub fn no_account() -> Refused {
    Refused::not_found("account")
}

/// What stands behind the question mark.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Server> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Server) -> Result<Self, Refused> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(wrong) => Err(Refused::malformed(wrong.body_text())),
        }
    }
}

/// All of a body, up to the route's limit; read only once it is known who sends it.
pub async fn whole(request: Request) -> Result<Bytes, Refused> {
    Bytes::from_request(request, &()).await.map_err(|wrong| match wrong.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = "a body has at most 16 MiB: send it in parts";
            Refused::new(status, "too_large", "the body is too large", detail)
        }
        _ => Refused::malformed("the body ended before its end: send it again"),
    })
}

/// Refuses what does not say that it is JSON.
pub fn must_be_json(headers: &HeaderMap) -> Result<(), Refused> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim());
    match essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        true => Ok(()),
        false => Err(Refused::content_type("use application/json")),
    }
}

/// A body as what it should be, a JSON object.
pub fn read<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Refused> {
    // Serde would take a list of the members' values as well, which no schema offers.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refused::malformed(format!("the body is not {what}: it is no JSON object")));
    }
    serde_json::from_slice(body)
        .map_err(|wrong| Refused::malformed(format!("the body is not {what}: {wrong}")))
}
