//! Whatever goes wrong over HTTP is told as an RFC 9457 problem: what kind, by a URN that stays,
//! and what to do.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use kulanz_engine::Fault;
use serde_json::json;

use crate::intake::Problem;

/// The content type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refused request. Boxed, since most requests are not.
#[derive(Debug)]
pub struct Refused(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    problem: Problem,
    /// One more header that the status asks for.
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refused {
    /// With a status, the last word of the problem's URN, a title and what to do.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::of(status, Problem::new(kind, title, detail))
    }

    /// A problem that is made already.
    pub fn of(status: StatusCode, problem: Problem) -> Self {
        Self(Box::new(Inner { status, problem, header: None }))
    }

    /// Nobody, or nobody who is known here.
    pub fn unauthorized(detail: &str) -> Self {
        let status = StatusCode::UNAUTHORIZED;
        let mut refused = Self::new(status, "unauthorized", "who are you?", detail);
        refused.0.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        refused
    }

    /// Somebody who may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not with this token", detail)
    }

    /// What is not there, or is another creditor's: nobody learns which.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("there is no {what} that this token may see");
        Self::new(StatusCode::NOT_FOUND, "not_found", "not found", detail)
    }

    /// What cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "the request cannot be read", detail)
    }

    /// A content type that is not taken there.
    pub fn content_type(detail: &str) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "content_type", "unknown content type", detail)
    }

    /// A fault of ours; it is logged.
    pub fn fault(error: &anyhow::Error) -> Self {
        // Whose answer it is will be found under the key.
        if !error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Fault::Answered))) {
            tracing::error!(error = format!("{error:#}"), "a request failed");
        }
        let detail = "nothing of it is confirmed; send it again, what was recorded is not doubled";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "fault", "a fault of ours", detail).later()
    }

    /// The same with the advice to ask again soon.
    pub fn later(self) -> Self {
        self.after(1)
    }

    /// The same with the advice to ask again after so many seconds.
    pub fn after(mut self, seconds: u64) -> Self {
        self.0.header = Some((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Whether it is ours, so that what was asked may be asked again.
    pub fn is_fault(&self) -> bool {
        self.status().is_server_error()
    }

    /// The body.
    pub fn body(&self) -> serde_json::Value {
        let mut body = json!(self.0.problem);
        body["status"] = json!(self.0.status.as_u16());
        body
    }
}

impl From<kulanz_store::StoreError> for Refused {
    fn from(error: kulanz_store::StoreError) -> Self {
        Self::fault(&error.into())
    }
}

impl From<kulanz_engine::Fault> for Refused {
    fn from(fault: kulanz_engine::Fault) -> Self {
        Self::fault(&fault.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = self.0.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The answer on a path of which there is none.
pub async fn no_such_path() -> Refused {
    let detail = "there is nothing at this path; schemas/openapi.yaml lists all that there are";
    Refused::new(StatusCode::NOT_FOUND, "no_such_path", "no such path", detail)
}

/// The answer to a method that a path does not know; `Allow` names those that it does.
pub async fn no_such_method(method: Method) -> Refused {
    let detail = format!("{method} is not for this path; the header Allow names what is");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Refused::new(status, "method_not_allowed", "not with this method", detail)
}
