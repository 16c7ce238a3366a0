//! Commands that came with an idempotency key. The key travels with the command into the append
//! that the command leads to, and so does the answer: whoever asks again hears the same, and nothing
//! is done twice, whichever instance is asked and whoever died in between.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use kulanz_domain::ids::AccountId;
use kulanz_store::RequestRow;

use crate::{Done, Fault, desk::Inner};

/// What is to be kept, once it is known what the command led to.
type Answer = dyn Fn(&Done) -> Result<Vec<u8>, Fault> + Send + Sync;

/// The key that a command came with, as it is kept.
#[derive(Clone)]
pub struct Request {
    /// Names it: a hash over whose key it is and the key.
    pub request: [u8; 32],
    /// A hash over what was asked.
    pub fingerprint: [u8; 32],
    /// When it was asked.
    pub begun_at: Timestamp,
    answer: Arc<Answer>,
}

impl Request {
    /// `answer` seals what is answered. It is asked again where the command is decided again, and
    /// what it said last is kept.
    pub fn new(
        request: [u8; 32],
        fingerprint: [u8; 32],
        begun_at: Timestamp,
        answer: impl Fn(&Done) -> Result<Vec<u8>, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { request, fingerprint, begun_at, answer: Arc::new(answer) }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("begun_at", &self.begun_at).finish_non_exhaustive()
    }
}

impl Inner {
    /// Refuses a command whose key came with an earlier one of the same account and batch: an append
    /// has a key once. Of other accounts and batches the store knows, at the latest.
    pub(crate) fn is_first(&self, id: &AccountId, request: &Request) -> Result<(), Fault> {
        match self.requests(id).iter().any(|row| row.request == request.request) {
            true => Err(Fault::Answered),
            false => Ok(()),
        }
    }

    /// Keeps the answer to a command with what the command led to. Where there can be none, the
    /// account is to be spoilt: the command would be done, and be done again when it is asked for
    /// again.
    pub(crate) fn answer(
        &mut self,
        id: &AccountId,
        request: &Request,
        done: &Done,
    ) -> Result<(), Fault> {
        let answer = Some((request.answer)(done)?);
        let Request { request, fingerprint, begun_at, .. } = *request;
        self.keep_request(id, RequestRow { request, fingerprint, begun_at, answer })
    }
}

#[cfg(test)]
mod tests;
