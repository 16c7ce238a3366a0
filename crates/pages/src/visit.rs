//! Who opens a page: the language asked for, the link and the account behind it.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Form,
    extract::{ConnectInfo, FromRequestParts, Query, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use jiff::{Timestamp, civil::Date};
use kulanz_domain::{calendar::day_in, ids::AccountId, policy::Rules};
use kulanz_engine::{ExecuteError, Fault, Loaded, token_hash};
use kulanz_store::{Paylink, StoreError};

use crate::{
    App, CreditorCard,
    case::{Case, CaseState},
    catalogue::Text,
    guard,
    text::Lang,
};

/// Why a page is not shown as asked for.
#[derive(Debug)]
pub(crate) enum Stop {
    /// No link of ours, malformed, or its account is gone: nobody is told which.
    Unknown,
    /// The link is too old.
    Expired(Box<Behind>),
    /// The form came from another site.
    Elsewhere,
    /// Too many forms.
    TooMany,
    /// The form cannot be read.
    BadForm,
    /// Not the method that this address is for.
    WrongMethod,
    /// A fault of ours; nothing happened.
    Fault(String),
}

/// What is behind a link that is too old: enough to renew it, and nothing to show.
#[derive(Debug)]
pub(crate) struct Behind {
    pub link: Paylink,
    pub card: Arc<CreditorCard>,
    /// The language of the reader whose link it was.
    pub lang: Lang,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault.to_string())
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<ExecuteError> for Stop {
    fn from(error: ExecuteError) -> Self {
        Self::Fault(error.to_string())
    }
}

/// What a request says beside its path and body.
#[derive(Debug)]
pub(crate) struct Ask {
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
    pub from: Option<IpAddr>,
    pub path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let (headers, path) = (parts.headers.clone(), parts.uri.path().to_owned());
        Ok(Self { query, headers, from, path })
    }
}

impl Ask {
    /// The language that the reader switched to.
    pub(crate) fn chosen(&self) -> Option<Lang> {
        self.query.get("lang").and_then(|tag| Lang::of(tag))
    }

    /// For pages that belong to nobody: the chosen language, else the browser's.
    pub(crate) fn anybodys(&self) -> Lang {
        let header = self.headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
        self.chosen().or_else(|| header.and_then(Lang::accepted)).unwrap_or(Lang::De)
    }

    /// Lets a form pass that is not from another site and not one too many.
    pub(crate) fn admit(&self, app: &App, link: &str) -> Result<(), Stop> {
        if guard::from_elsewhere(&self.headers) {
            return Err(Stop::Elsewhere);
        }
        match app.limiter.admits(link, self.from, app.pages.engine.clock().now()) {
            true => Ok(()),
            false => Err(Stop::TooMany),
        }
    }
}

/// The body of a form, or why it cannot be read.
pub(crate) type Body = Result<Form<Vec<(String, String)>>, FormRejection>;

/// The fields of a form.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn read(body: Body) -> Result<Self, Stop> {
        body.map(|Form(fields)| Self(fields)).map_err(|_| Stop::BadForm)
    }

    /// The first value of a field without spaces around it; empty where it is absent.
    pub(crate) fn one(&self, name: &'static str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim())
    }
}

/// A link that opens, with all that its pages show.
pub(crate) struct Visit {
    pub token: String,
    pub id: AccountId,
    pub loaded: Loaded,
    pub rules: Arc<Rules>,
    pub card: Arc<CreditorCard>,
    pub lang: Lang,
    pub chosen: Option<Lang>,
    pub now: Timestamp,
    pub today: Date,
}

impl Visit {
    /// Opens a link. Two queries: the link and its account.
    pub(crate) async fn open(app: &App, token: &str, ask: &Ask) -> Result<Self, Stop> {
        if !well_formed(token) {
            return Err(Stop::Unknown);
        }
        let engine = &app.pages.engine;
        let link = engine.store().paylink(token_hash(token)).await?.ok_or(Stop::Unknown)?;
        let id = link.account.clone();
        let (Some(card), Some(rules)) = ((app.pages.creditors)(&id.creditor), engine.rules(&id))
        else {
            return Err(Stop::Fault(format!("no creditor file for {}", id.creditor)));
        };
        let now = engine.clock().now();
        let loaded = engine.load(&id).await?.ok_or(Stop::Unknown)?;
        if loaded.account.erased_at.is_some() {
            return Err(Stop::Unknown);
        }
        let own = loaded.account.profile().and_then(|debtor| Lang::of(&debtor.language));
        let own = own.or_else(|| Lang::of(&card.language)).unwrap_or(Lang::De);
        let chosen = ask.chosen();
        if link.expires_at <= now {
            let lang = chosen.unwrap_or(own);
            return Err(Stop::Expired(Box::new(Behind { link, card, lang })));
        }
        let today = day_in(now, &rules.creditor.zone);
        let (token, lang) = (token.to_owned(), chosen.unwrap_or(own));
        Ok(Self { token, id, loaded, rules, card, lang, chosen, now, today })
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case::of(&self.loaded.account, self.today)
    }

    /// The address of one of the link's pages (`""` is the first) in the language of this one.
    pub(crate) fn href(&self, below: &str) -> String {
        let lang = self.chosen.map_or_else(String::new, |lang| format!("?lang={}", lang.tag()));
        format!("/p/{}{below}{lang}", self.token)
    }

    pub(crate) const fn t(&self, text: Text) -> &'static str {
        text.in_lang(self.lang)
    }

    /// A text with its gaps filled.
    pub(crate) fn fill(&self, text: Text, gaps: &[(&str, &str)]) -> String {
        text.filled(self.lang, gaps)
    }

    /// What a form of this visit carries.
    pub(crate) fn nonce(&self, form: &str) -> String {
        guard::nonce(&self.token, form, self.loaded.version, self.today)
    }

    /// The version of the account that a form was made for; `None` where it is not a form of
    /// ours, or too old.
    pub(crate) fn form_version(&self, form: &str, fields: &Fields) -> Option<u64> {
        let version = fields.one("version").parse().ok()?;
        guard::nonce_fits(fields.one("nonce"), &self.token, form, version, self.today)
            .then_some(version)
    }
}

/// As [`kulanz_engine::Engine::new_paylink`] makes them: 22 characters of base64url.
fn well_formed(token: &str) -> bool {
    token.len() == 22
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The state that stands behind a page which is not shown.
impl Stop {
    pub(crate) const fn state(&self) -> CaseState {
        match self {
            Self::Expired(_) => CaseState::Expired,
            _ => CaseState::Unknown,
        }
    }
}

/// A header's value from text that is known to be plain.
pub(crate) fn location(href: &str) -> HeaderValue {
    HeaderValue::try_from(href).unwrap_or(HeaderValue::from_static("/"))
}
