//! `POST /v1/orders`: what persons ask of accounts, as `kulanz account …` does.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use kulanz_engine::Fault;
use kulanz_store::StoreError;

use super::{
    Server,
    asked::{must_be_json, read, whole},
    caller::Caller,
    idempotency::{Answer, Begun, Command, Keyed, Rest, once, once_begun},
    problem::Refused,
};
use crate::{
    house::House,
    orders::{self, Order, Outcome},
};

/// The path.
pub const PATH: &str = "/v1/orders";

/// Executes an order.
pub async fn give(
    State(server): State<Server>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refused> {
    // Whoever may give no order at all is told so before anything is read.
    caller.needs(orders::PERSONS)?;
    let headers = request.headers().clone();
    must_be_json(&headers)?;
    let body = whole(request).await?;
    let order: Order = read(&body, "an order")?;
    caller.needs(order.needs())?;
    let allowed = caller.creditor().is_none_or(|own| order.creditor() == Some(own));
    if !allowed {
        return Err(Refused::forbidden(format!(
            "the token of {} speaks for one creditor, and this is not about that one alone",
            caller.name
        )));
    }
    let (house, name) = (Arc::clone(&server.house), caller.name.clone());
    let (is_one_append, rest) =
        (order.is_one_append(), order.rest().map(|rest| after(&house, rest)));
    let work = move |keyed: Option<Keyed>, begun: Option<Begun>| async move {
        answer(orders::execute(&house, order, &name, keyed.as_ref(), begun.as_ref()).await)
    };
    let command = Command { caller: &caller, headers: &headers, path: PATH, body: &body };
    match is_one_append {
        true => once(&server, command, StatusCode::OK, |keyed| work(keyed, None), rest).await,
        false => once_begun(&server, command, |begun| work(None, begun)).await,
    }
}

fn answer(done: anyhow::Result<Outcome>) -> Result<Answer, Refused> {
    match done {
        Ok(outcome) => Answer::of(StatusCode::OK, &outcome),
        Err(error) if is_fault(&error) => Err(Refused::fault(&error)),
        Err(error) => {
            let (title, detail) = ("the order was refused", format!("{error:#}"));
            Err(Refused::new(StatusCode::CONFLICT, "refused", title, detail))
        }
    }
}

/// What comes after an order's append.
fn after(house: &Arc<House>, rest: orders::Rest) -> Rest {
    let house = Arc::clone(house);
    Box::new(move |so_far| {
        Box::pin(async move { answer(rest.finish(&house, so_far.read()?).await) })
    })
}

/// Whether an order failed by a fault of ours: it may be given again.
fn is_fault(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Fault>() || cause.is::<StoreError>() || cause.is::<std::io::Error>()
    })
}
