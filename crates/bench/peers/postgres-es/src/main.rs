//! Commands a second of cqrs-es over postgres-es, as the framework's own book has it built: its
//! table of events, `postgres_cqrs`, no snapshots, one transaction a command.
//!
//! `postgres-es-peer --url postgres://… --accounts N --commands M [--callers C]` makes its table
//! anew in that database and prints one line of JSON. Each account takes an invoice, its payment,
//! the next invoice, and so on. An account belongs to one caller, so that no two of them work on
//! it at one moment. Fails unless the table holds what was asked for at the end.

mod account;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use cqrs_es::AggregateError;
use postgres_es::{PostgresCqrs, postgres_cqrs};
use serde_json::{Value, json};
use sqlx::{
    ConnectOptions, Connection, Pool, Postgres, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::account::{Account, Command, Invoice, Payment};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of 16, 32 and 64 callers the number that most often did best on two cores that the server
/// shares; 32 come close.
const CALLERS: u32 = 64;
/// Attempts at a command whose account another one was faster at.
const ATTEMPTS: u32 = 10;
const SCHEMA: &str = include_str!("../schema.sql");

/// On one thread: with the server on the same two cores, a second one only takes from it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure().await {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("postgres-es-peer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<Value> {
    let asked = Asked::read(std::env::args().skip(1))?;
    let pool = connected(&asked).await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await.context("the table of events cannot be made")?;
    let cqrs = Arc::new(postgres_cqrs::<Account>(pool.clone(), Vec::new(), ()));
    let begun = Instant::now();
    let callers: Vec<_> = (0..asked.callers)
        .map(|caller| tokio::spawn(call(Arc::clone(&cqrs), asked.clone(), caller)))
        .collect();
    let mut conflicts = 0;
    for caller in callers {
        conflicts += caller.await.context("a caller stopped")??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let event_bytes = verified(&pool, &asked).await?;
    Ok(json!({
        "commands": asked.commands,
        "callers": asked.callers,
        "seconds": seconds,
        "per_s": f64::from(asked.commands) / seconds,
        "accounts": asked.accounts,
        "conflicts": conflicts,
        "event_bytes": event_bytes,
    }))
}

/// What the command line asks for.
#[derive(Debug, Clone)]
struct Asked {
    url: String,
    accounts: u32,
    commands: u32,
    callers: u32,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut given = HashMap::new();
        while let Some(name) = words.next() {
            ensure!(
                ["--url", "--accounts", "--commands", "--callers"].contains(&name.as_str()),
                "there is no `{name}`; there are --url, --accounts, --commands, --callers"
            );
            let value = words.next().with_context(|| format!("{name} needs a value"))?;
            given.insert(name, value);
        }
        let number = |name: &str, without: Option<u32>| match (given.get(name), without) {
            (Some(text), _) => match text.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => bail!("{name} is a number from 1 on, not `{text}`"),
            },
            (None, Some(without)) => Ok(without),
            (None, None) => bail!("{name} is missing"),
        };
        Ok(Self {
            url: given.get("--url").context("--url is missing: postgres://…")?.clone(),
            accounts: number("--accounts", None)?,
            commands: number("--commands", None)?,
            callers: number("--callers", Some(CALLERS))?,
        })
    }

    /// How many commands `account` takes: all of them the same number, or one more.
    const fn commands_of(&self, account: u32) -> u32 {
        self.commands / self.accounts + (account < self.commands % self.accounts) as u32
    }
}

/// A connection for each caller, all of them open. They are not asked whether they live before
/// each use, which would be another way to the server and back.
async fn connected(asked: &Asked) -> Result<Pool<Postgres>> {
    let options: PgConnectOptions =
        asked.url.parse().context("--url is not of the form postgres://…")?;
    // The pool would go on trying, and not say what is wrong.
    let first = options.connect().await.context("the server of --url cannot be used")?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .min_connections(asked.callers)
        .max_connections(asked.callers)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await
        .context("the server of --url takes no connection of a pool")?;
    let mut open = Vec::new();
    for _ in 0..asked.callers {
        let taken = pool.acquire().await;
        open.push(taken.context("the server takes fewer connections than --callers")?);
    }
    Ok(pool)
}

/// All commands of the accounts that are this caller's, round by round; how often it had to try
/// again.
async fn call(cqrs: Arc<PostgresCqrs<Account>>, asked: Asked, caller: u32) -> Result<u64> {
    let mut conflicts = 0;
    for turn in 0..asked.commands_of(0) {
        let own = (caller..asked.accounts).step_by(asked.callers as usize);
        for account in own.take_while(|account| turn < asked.commands_of(*account)) {
            conflicts += execute(&cqrs, account, turn).await?;
        }
    }
    Ok(conflicts)
}

async fn execute(cqrs: &PostgresCqrs<Account>, account: u32, turn: u32) -> Result<u64> {
    let id = format!("peer/K-{account}");
    let mut conflicts = 0;
    loop {
        match cqrs.execute(&id, command(account, turn)).await {
            Ok(()) => return Ok(conflicts),
            Err(AggregateError::AggregateConflict) if conflicts + 1 < u64::from(ATTEMPTS) => {
                conflicts += 1;
            }
            Err(error) => bail!("command {turn} of {id}: {error}"),
        }
    }
}

/// An invoice at even turns, its payment at odd ones.
fn command(account: u32, turn: u32) -> Command {
    let number = turn / 2;
    let invoice = format!("R-{account}-{number}");
    let cents = 2_000 + i64::from((account + number) % 9_000);
    let source = "https://shop.example/erp".to_owned();
    if turn.is_multiple_of(2) {
        Command::RecordInvoice(Invoice {
            issued_on: "2026-03-01".to_owned(),
            due_on: "2026-03-15".to_owned(),
            cents,
            currency: "EUR".to_owned(),
            description: "Garden chairs, oiled acacia, foldable, two pieces, with cushions in \
                          sand; delivery by carrier to the kerb, old furniture taken along"
                .to_owned(),
            order: format!("order-2026-{account:08}-{number:04}"),
            source,
            event: format!("invoice.issued/{invoice}"),
            invoice,
        })
    } else {
        Command::RecordPayment(Payment {
            payment: format!("P-{account}-{number}"),
            booked_on: "2026-04-01".to_owned(),
            cents,
            currency: "EUR".to_owned(),
            method: "transfer".to_owned(),
            reference: format!(
                "{invoice} customer number {account}, thank you for the quick delivery, M. Beispiel"
            ),
            source,
            event: format!(
                "payment.received/P-{account}-{number}/statement-2026-04-01/line-{number:04}"
            ),
            invoice,
        })
    }
}

/// Compares the table with what was asked for; bytes of a payload in the mean.
async fn verified(pool: &Pool<Postgres>, asked: &Asked) -> Result<f64> {
    let row = sqlx::query(
        "SELECT count(*), count(DISTINCT aggregate_id),
            count(*) FILTER (WHERE event_type = 'InvoiceRecorded'),
            count(*) FILTER (WHERE sequence = 1),
            avg(octet_length(payload::text))::float8
        FROM events",
    )
    .fetch_one(pool)
    .await?;
    let found: (i64, i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let accounts = asked.accounts.min(asked.commands);
    let invoices: u32 = (0..accounts).map(|one| asked.commands_of(one).div_ceil(2)).sum();
    let expected =
        (asked.commands.into(), accounts.into(), i64::from(invoices), i64::from(accounts));
    if found != expected {
        bail!(
            "events, accounts, invoices and first events in the table are {found:?}, asked for \
             were {expected:?}"
        );
    }
    Ok(row.try_get(4)?)
}
