//! The debtor's page: one link, one account, what is owed and what can be done about it.
//!
//! Server-rendered, without JavaScript. Reading never changes anything, since mail scanners open
//! links; what a debtor says becomes facts and commands of the account, once each. The page shows
//! what the books say and decides nothing: what may be done in which state is one table, and
//! the rules behind it are `domain`'s.
//!
//! [`router`] is to be served with `into_make_service_with_connect_info::<SocketAddr>()`, so that
//! the limit on forms counts by address as well as by link.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn_with_state, map_response},
    response::Response,
    routing::get,
};
use kulanz_domain::ids::{AccountId, AgencyId, CreditorId};
use kulanz_engine::Engine;
use kulanz_store::{Paylink, StoreError};

mod apology;
mod case;
mod catalogue;
mod checkout;
mod exits;
mod form;
mod frame;
mod guard;
mod html;
mod overview;
mod plans;
mod replies;
mod sandbox;
mod statement;
mod style;
mod text;
mod transfer;
mod visit;

pub use checkout::{SettleError, Settled};

/// Largest form in bytes: a reason of 1000 characters, percent-encoded, and room to spare.
const LARGEST_FORM: usize = 32 * 1024;
/// Payments of one account are started and settled one after the other.
const LOCKS: usize = 64;
/// For how long another instance waits at most for one that died while it did so, and how.
const HELD_SECONDS: u32 = 10;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(50);
const ASKS: u32 = 240;

/// What pages, but no decision, need to know of a creditor. All texts as people write them.
#[derive(Debug, Clone, Default)]
pub struct CreditorCard {
    /// The name that debtors know.
    pub name: String,
    /// As in the commercial register; the payee of transfers.
    pub legal_name: String,
    /// Postal address, line by line.
    pub address: Vec<String>,
    /// Account for transfers; spaces are allowed.
    pub iban: String,
    /// Only where the bank wants it.
    pub bic: Option<String>,
    /// Whom to ask: e-mail.
    pub support_email: String,
    /// Whom to ask: telephone.
    pub support_phone: String,
    /// When somebody answers.
    pub support_hours: Option<String>,
    /// Accent colour as `#rrggbb`; used where it can be read.
    pub colour: String,
    /// The name at the top of each page.
    pub logo_text: String,
    /// Text or address of the imprint.
    pub imprint: Option<String>,
    /// Where the privacy notice is.
    pub privacy_url: Option<String>,
    /// Where people in need get advice.
    pub debt_counselling: Vec<Counselling>,
    /// Agencies by id.
    pub agencies: Vec<Agency>,
    /// BCP 47; of pages whose reader is not known, and of debtors without texts in theirs.
    pub language: String,
}

/// A place where people in need get advice.
#[derive(Debug, Clone, Default)]
pub struct Counselling {
    /// Name.
    pub name: String,
    /// Address of its site; shown as a link where it is http or https.
    pub url: String,
    /// Telephone.
    pub phone: Option<String>,
}

/// An agency that takes placements.
#[derive(Debug, Clone)]
pub struct Agency {
    /// As policies name it.
    pub id: AgencyId,
    /// Its name.
    pub name: String,
    /// How to reach it: lines of an address, a telephone number; may be empty.
    pub contact: Vec<String>,
}

/// Finds a creditor's card; `None` where there is no file for it.
pub type Creditors = Arc<dyn Fn(&CreditorId) -> Option<Arc<CreditorCard>> + Send + Sync>;

/// Why a new link could not be sent.
pub type RenewError = Box<dyn std::error::Error + Send + Sync>;

/// Makes a new link for the account of an expired one and sends it to the address on file,
/// nowhere else. The page never sees the new link.
pub type Renew = Arc<
    dyn Fn(Paylink) -> Pin<Box<dyn Future<Output = Result<(), RenewError>> + Send>> + Send + Sync,
>;

/// What the pages need.
#[derive(Clone)]
pub struct Pages {
    /// The way to the accounts.
    pub engine: Engine,
    /// Cards of the creditors.
    pub creditors: Creditors,
    /// Where debtors reach the pages: `https://pay.example.org`.
    pub base_url: String,
    /// No money moves: every page says so, and cards are charged by the sandbox provider.
    pub dev_mode: bool,
    /// Sends a new link; `None`: an expired link names whom to ask.
    pub renew: Option<Renew>,
}

/// What the handlers share.
pub(crate) struct App {
    pub pages: Pages,
    pub limiter: guard::Limiter,
    locks: Vec<tokio::sync::Mutex<()>>,
    turn: AtomicU64,
}

impl App {
    /// Held while a payment of the account is started or settled, here and by other instances.
    pub(crate) async fn lock(&self, account: &AccountId) -> Result<Held<'_>, StoreError> {
        let partition = kulanz_engine::partition(account);
        let here = self.locks[usize::from(partition) % LOCKS].lock().await;
        let engine = &self.pages.engine;
        if !engine.store().is_shared() {
            return Ok(Held { _here: here, elsewhere: None });
        }
        let name = format!("payments/{partition}");
        // Another one each time, so that giving it up late frees nobody else's.
        let holder = format!("{}/{}", engine.instance(), self.turn.fetch_add(1, Ordering::Relaxed));
        // Whoever has it is quick, or dead and soon known to be.
        for _ in 0..ASKS {
            if engine.store().lease(name.clone(), holder.clone(), HELD_SECONDS).await? {
                return Ok(Held { _here: here, elsewhere: Some((engine, name, holder)) });
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(StoreError::InUse)
    }
}

/// Frees the account's payments when it is dropped.
pub(crate) struct Held<'a> {
    _here: tokio::sync::MutexGuard<'a, ()>,
    elsewhere: Option<(&'a Engine, String, String)>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((engine, name, holder)) = self.elsewhere.take() {
            let engine = engine.clone();
            tokio::spawn(async move {
                // Where it cannot be given up, it runs out.
                let _ = engine.store().lease(name, holder, 0).await;
            });
        }
    }
}

/// The routes of the pages: `/p/…`, `/assets/…` and, in dev mode, `/sandbox/…`. It has no
/// fallback and can be merged with others.
pub fn router(pages: Pages) -> Router {
    let policy = guard::policy(&pages.base_url);
    let dev_mode = pages.dev_mode;
    let locks = (0..LOCKS).map(|_| tokio::sync::Mutex::new(())).collect();
    let app =
        Arc::new(App { pages, limiter: guard::Limiter::default(), locks, turn: AtomicU64::new(0) });
    let mut router = Router::new()
        .route("/p", get(frame::unknown))
        .route("/p/", get(frame::unknown))
        .route("/p/{token}", get(overview::show))
        .route("/p/{token}/", get(overview::show))
        .route("/p/{token}/{exit}", get(exits::show).post(exits::send))
        .route("/p/{token}/pay/{way}", get(checkout::not_here).post(checkout::start))
        .route("/p/{token}/return/{checkout}", get(checkout::back).post(checkout::ask_again))
        .route("/assets/{name}", get(frame::asset));
    if dev_mode {
        router = router.route("/sandbox/{checkout}", get(sandbox::show).post(sandbox::decide));
    }
    router
        .method_not_allowed_fallback(frame::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), frame::caught))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(map_response(move |mut response: Response| {
            let policy = policy.clone();
            async move {
                let cacheable = response.extensions().get::<frame::Cacheable>().is_some();
                guard::protect(response.headers_mut(), &policy, cacheable);
                response
            }
        }))
        .with_state(app)
}
