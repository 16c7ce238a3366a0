//! A command that is one append, with its key: the answer travels with it, sealed, and is durable
//! with what the command did, or both are not.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use jiff::Timestamp;
use kulanz_engine::{
    Done, Fault, Request,
    store::{RequestRow, Store},
    vault::AccountKey,
};
use serde::Serialize;

use super::{Answer, Asked, expired, place};
use crate::http::problem::Refused;

/// The key of a command that is one append.
#[derive(Clone)]
pub struct Keyed {
    asked: Asked,
    begun_at: Timestamp,
    status: StatusCode,
    /// Whether more of the command comes after the append.
    unfinished: bool,
    key: AccountKey,
    /// What travelled last, in the clear and sealed.
    travelled: Arc<Mutex<Option<Travelled>>>,
}

type Travelled = (Answer, Vec<u8>);

/// What is answered in the end.
pub(super) enum Settled {
    /// What came of this command.
    Own(Result<Answer, Refused>),
    /// Another one came with the same key and was faster: nothing of this one took effect.
    Earlier(RequestRow),
}

impl Keyed {
    pub(super) fn new(
        asked: Asked,
        now: Timestamp,
        status: StatusCode,
        unfinished: bool,
        key: AccountKey,
    ) -> Self {
        Self { asked, begun_at: now, status, unfinished, key, travelled: Arc::default() }
    }

    /// What the command takes along. `body` is answered once it is known what the command led to.
    pub fn travels<B: Serialize>(
        &self,
        body: impl Fn(&Done) -> B + Send + Sync + 'static,
    ) -> Arc<Request> {
        let keyed = self.clone();
        let Asked { request, fingerprint } = self.asked;
        let answer = move |done: &Done| {
            let body = serde_json::to_string(&body(done))?;
            let (status, unfinished) = (keyed.status.as_u16(), keyed.unfinished);
            let answer = Answer { status, body, unfinished };
            let sealed = keyed.seal(&answer)?;
            let mut travelled = keyed.travelled.lock().unwrap_or_else(PoisonError::into_inner);
            *travelled = Some((answer, sealed.clone()));
            Ok(sealed)
        };
        Arc::new(Request::new(request, fingerprint, self.begun_at, answer))
    }

    fn seal(&self, answer: &Answer) -> Result<Vec<u8>, Fault> {
        Ok(self.key.seal(&place(&self.asked.request), &serde_json::to_vec(answer)?)?)
    }

    /// Keeps what did not travel: refusals, and what is known only after the append.
    pub(super) async fn settle(
        self,
        store: &dyn Store,
        answered: Result<Answer, Refused>,
    ) -> Settled {
        let unfinished = self.unfinished;
        let answered = answered.map(|answer| Answer { unfinished, ..answer });
        let travelled = self.travelled.lock().unwrap_or_else(PoisonError::into_inner).take();
        let request = self.asked.request;
        let kept = match (&answered, &travelled) {
            (Ok(answer), Some((kept, _))) if answer == kept => return Settled::Own(answered),
            (Ok(answer), Some(_)) => match self.seal(answer) {
                Ok(sealed) => store.end_request(request, Some(sealed)).await.map(|()| None),
                Err(fault) => return not_kept(&fault, answered),
            },
            // It may have taken effect; or another one did, and this one came too late.
            (Err(fault), _) if fault.is_fault() => {
                store.request(request, expired(self.begun_at)).await
            }
            _ => {
                let answer = answered.as_ref().map_or_else(Answer::refused, Answer::clone);
                match self.seal(&answer) {
                    Ok(sealed) => self.begin(store, sealed).await,
                    Err(fault) => return not_kept(&fault, answered),
                }
            }
        };
        let own = travelled.map(|(_, sealed)| sealed);
        match kept {
            Ok(Some(earlier)) if earlier.answer.is_none() || earlier.answer != own => {
                Settled::Earlier(earlier)
            }
            Ok(_) => Settled::Own(answered),
            Err(error) => not_kept(&error, answered),
        }
    }

    async fn begin(
        &self,
        store: &dyn Store,
        sealed: Vec<u8>,
    ) -> Result<Option<RequestRow>, kulanz_engine::store::StoreError> {
        let Asked { request, fingerprint } = self.asked;
        let (begun_at, answer) = (self.begun_at, Some(sealed));
        let row = RequestRow { request, fingerprint, begun_at, answer };
        store.begin_request(row, expired(self.begun_at)).await
    }
}

/// What came of it is the answer, now if not later.
fn not_kept(
    error: &(dyn std::error::Error + 'static),
    answered: Result<Answer, Refused>,
) -> Settled {
    tracing::error!(error, "an answer was not kept");
    Settled::Own(answered)
}
