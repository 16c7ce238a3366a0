//! A paylink's page, answered by the real router over loopback from a store with many accounts.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use kulanz_domain::ids::AccountId;
use kulanz_engine::{Engine, Extra, clock::Clock};
use kulanz_pages::{CreditorCard, Pages, router};
use kulanz_store::{Store, sqlite::SqliteStore};

use crate::{history::Shipped, import};

/// Pages asked for, each of another account.
const ASKED: u32 = 2_000;

/// How long each answer took, in milliseconds, on a new database in `folder` with all of `file`.
pub async fn answers(
    shipped: &Arc<Shipped>,
    file: &Path,
    folder: &Path,
    accounts: u32,
) -> Result<Vec<f64>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder)?);
    // After the end of the history, so that everything is overdue.
    let now: Timestamp = "2014-06-30T10:00:00Z".parse()?;
    let engine = import::engine(store, shipped, Clock::standing(now));
    import::record(&engine, shipped, file).await?;
    let mut tokens = Vec::new();
    for number in (0..accounts).step_by(usize::try_from((accounts / ASKED).max(1))?) {
        tokens.push(link(&engine, &format!("comune/S{number}").parse()?, now).await?);
    }
    let card = Arc::new(CreditorCard {
        name: "Comune di Roccaserena".to_owned(),
        legal_name: "Comune di Roccaserena".to_owned(),
        address: vec!["Piazza del Municipio 1".to_owned(), "00000 Roccaserena".to_owned()],
        iban: "IT60X0542811101000000123456".to_owned(),
        support_email: "multe@roccaserena.example".to_owned(),
        support_phone: "+39 0120 000 000".to_owned(),
        colour: "#7a2e2e".to_owned(),
        logo_text: "Comune di Roccaserena".to_owned(),
        language: "en".to_owned(),
        ..CreditorCard::default()
    });
    let pages = Pages {
        engine,
        creditors: Arc::new(move |_| Some(Arc::clone(&card))),
        base_url: "https://pay.example.org".to_owned(),
        dev_mode: false,
        renew: None,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router(pages).into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let asked = tokio::task::spawn_blocking(move || ask(address, &tokens)).await?;
    server.abort();
    asked
}

async fn link(engine: &Engine, account: &AccountId, now: Timestamp) -> Result<String> {
    let expires_at = now.checked_add(SignedDuration::from_hours(24 * 30))?;
    let (token, paylink) = engine.new_paylink(account, None, expires_at)?;
    let extra = Extra { paylinks: vec![paylink], ..Extra::default() };
    engine.execute_with(account, None, "bench", extra).await?;
    Ok(token)
}

/// Asks for each page once over one connection.
fn ask(address: SocketAddr, tokens: &[String]) -> Result<Vec<f64>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    let mut took = Vec::with_capacity(tokens.len());
    for token in tokens {
        let begun = Instant::now();
        to.write_all(
            format!("GET /p/{token} HTTP/1.1\r\nHost: pay.example.org\r\n\r\n").as_bytes(),
        )?;
        let body = answer(&mut from)?;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
        if !body.contains("Comune di Roccaserena") {
            bail!("a page is not the creditor's");
        }
    }
    Ok(took)
}

fn answer(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        bail!("the page answered {}", line.trim_end());
    }
    let mut length = None;
    loop {
        line.clear();
        from.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.trim().parse()?);
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length.context("an answer without a length")?];
    from.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
