//! Events from Kafka into PostgreSQL, and a book that falls due at one moment.

use std::{
    fs,
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use jiff::{ToSpan, Zoned};

use super::{
    Place, copy, count, load,
    load::{INVOICES, Shop},
    peers,
    services::{House, Serving},
};
use crate::report::Figure;

/// Accounts of the book.
const ACCOUNTS: u32 = 50_000;
/// Accounts that fall due at one moment.
const DUE: u32 = 200_000;
/// Commands that the peer is given, over as many accounts as the book has.
const COMMANDS: u32 = 20_000;
/// Receivables that Tryton runs over: its time for each hardly changes with their number.
const TRYTON: u32 = 10_000;
/// Longest time without progress.
const STUCK: Duration = Duration::from_secs(60);

/// What one run over a book came to.
struct Ran {
    took: Duration,
    /// Processor seconds of the server.
    cpu: f64,
    peak_bytes: u64,
    /// Rows of the log that the measured events became.
    rows: u64,
    database: String,
}

/// A number from the environment, for trials on a smaller book.
fn accounts(of: u32) -> Result<u32> {
    match std::env::var("BENCH_ACCOUNTS") {
        Ok(text) => {
            let less: u32 = text.parse().context("BENCH_ACCOUNTS is a number")?;
            Ok(u32::try_from(u64::from(of) * u64::from(less) / u64::from(ACCOUNTS))?)
        }
        Err(_) => Ok(of),
    }
}

/// A server that takes a book from Kafka, and what stands beside it.
pub fn ingest(place: &mut Place) -> Result<(Vec<Figure>, f64)> {
    let own = accounts(ACCOUNTS)?;
    let events = f64::from(own * INVOICES * 2);
    let ran = book(place, "ingest", own)?;
    let rate = events / ran.took.as_secs_f64();
    eprintln!(
        "ingest: {events} events in {:.1} s ({rate:.0}/s), {} rows of the log, {:.1} s of processor \
         time of the server",
        ran.took.as_secs_f64(),
        ran.rows,
        ran.cpu
    );
    let at_once = copied(place, &ran, usize::MAX)?;
    // As many rows as a thousand events become: what one transaction of Kulanz's holds.
    let in_batches = copied(place, &ran, 3_300)?;
    let rows = ran.rows as f64 / ran.took.as_secs_f64();
    let peer = place.database()?;
    let peer = peers::postgres_es(&peer, own, COMMANDS)?;
    // As the first one found the server.
    place.settle()?;
    let twice = book(place, "twice", own * 2)?;
    let growth = twice.took.as_secs_f64() / ran.took.as_secs_f64();
    let hot = ran.peak_bytes as f64 / 1e6;
    let figure = |name, value, unit, ratio, against: &str, held| Figure {
        name,
        value,
        unit,
        ratio,
        against: against.to_owned(),
        spread: (value, value),
        held,
    };
    let (copy_ratio, peer_ratio) = (rows / at_once, rate / peer);
    let batch_ratio = rows / in_batches;
    Ok((
        vec![
            figure(
                "ingest_per_s",
                rate,
                "events/s",
                rate / 18_000.0,
                "at least 18000 events/s: 12 times what the peer is known for",
                rate >= 18_000.0,
            ),
            figure(
                "ingest_vs_copy",
                copy_ratio,
                "x",
                copy_ratio / 0.6,
                "at least 0.6 of COPY of the same rows on two connections",
                copy_ratio >= 0.6,
            ),
            figure(
                "ingest_vs_copy_in_batches",
                batch_ratio,
                "x",
                batch_ratio / 0.6,
                "the same in transactions as large as ours",
                batch_ratio >= 0.6,
            ),
            figure(
                "ingest_vs_postgres_es",
                peer_ratio,
                "x",
                peer_ratio / 12.0,
                "at least 12 times cqrs-es with postgres-es",
                peer_ratio >= 12.0,
            ),
            figure(
                "hot_mb",
                hot,
                "MB",
                hot / 600.0,
                "at most 600 MB with all accounts hot",
                hot <= 600.0,
            ),
            figure(
                "growth_2x",
                growth,
                "x",
                growth / 2.2,
                "at most 2.2 for twice the accounts",
                growth <= 2.2,
            ),
        ],
        rate,
    ))
}

/// Rows of the log a second that a bare program copies into an empty database, so many rows of all
/// tables in a transaction.
fn copied(place: &mut Place, ran: &Ran, rows: usize) -> Result<f64> {
    let (house, empty, _) = place.house(&format!("copy-{}", place.databases))?;
    let nothing = place.folder.join("nothing.ndjson");
    fs::write(&nothing, "")?;
    house.run(&["import", &nothing.display().to_string()])?;
    place.settle()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let copied = runtime.block_on(copy::copied(&ran.database, &empty, rows))?;
    let rate = copied.events as f64 / copied.took.as_secs_f64();
    eprintln!(
        "copy: {} events, {} keys, {} heads, {:.0} MB in {:.2} s: {rate:.0} events/s",
        copied.events,
        copied.inbox,
        copied.accounts,
        copied.bytes as f64 / 1e6,
        copied.took.as_secs_f64()
    );
    Ok(rate)
}

/// A book goes into Kafka while no server runs; then one is started.
fn book(place: &mut Place, name: &str, own: u32) -> Result<Ran> {
    let (house, database, shop) = place.house(name)?;
    known(&house, &database, &shop, own)?;
    let before = count(&database, "SELECT count(*) FROM kulanz.events")?;
    let today = Zoned::now().date();
    for nth in 0..INVOICES {
        let due = today.checked_add((10 + i64::from(nth)).days())?;
        for number in 0..own {
            shop.send(&load::invoice(number, nth, due)?)?;
            shop.send(&load::payment(number, nth, today))?;
        }
    }
    shop.flush()?;
    eprintln!("{name}: {} events of {own} accounts lie in Kafka", own * INVOICES * 2);
    place.settle()?;
    let begun = Instant::now();
    let mut server = house.serve()?;
    recorded(&mut server, &database, u64::from(own) * u64::from(1 + 2 * INVOICES))?;
    let took = begun.elapsed();
    let (cpu, peak_bytes) = (server.cpu()?, server.peak_bytes()?);
    server.stop()?;
    sound(&house, &database, own)?;
    let rows = count(&database, "SELECT count(*) FROM kulanz.events")? - before;
    Ok(Ran { took, cpu, peak_bytes, rows, database })
}

/// All invoices are paid, to the cent.
fn sound(house: &House, database: &str, own: u32) -> Result<()> {
    let wrong = count(
        database,
        "SELECT count(*) FROM kulanz.books WHERE outstanding <> 0 OR unallocated <> 0 OR principal <> paid",
    )?;
    let books = count(database, "SELECT count(*) FROM kulanz.books")?;
    let letters = count(database, "SELECT count(*) FROM kulanz.dead_letters")?;
    if wrong > 0 || books != u64::from(own) || letters > 0 {
        bail!("{wrong} books of {books} are wrong, {letters} dead letters, see {}", house.place());
    }
    Ok(())
}

/// The debtors are told of first.
fn known(house: &House, database: &str, shop: &Shop, own: u32) -> Result<()> {
    let zone = load::zone_at_noon()?;
    for number in 0..own {
        shop.send(&load::debtor(number, &zone))?;
    }
    shop.flush()?;
    let mut server = house.serve()?;
    server.ready()?;
    recorded(&mut server, database, u64::from(own))?;
    server.stop()
}

/// Waits until so many inbound events are durable.
pub fn recorded(server: &mut Serving, database: &str, expected: u64) -> Result<()> {
    let moved = "SELECT last_value FROM kulanz.event_blocks";
    waited(server, database, moved, "SELECT count(*) FROM kulanz.inbox", expected)
}

/// Waits until `counted` is `expected`. Counting costs what the server lacks then: it is done once
/// `moved`, which is cheap, moves no more, and not before half of the time that the rest should take.
fn waited(
    server: &mut Serving,
    database: &str,
    moved: &str,
    counted: &str,
    expected: u64,
) -> Result<()> {
    let (mut last, mut since) = (String::new(), Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (client, connection) =
        runtime.block_on(tokio_postgres::connect(database, tokio_postgres::NoTls))?;
    runtime.spawn(connection);
    let ask = |sql: &str| -> Result<String> {
        let rows = runtime.block_on(client.query_one(&format!("SELECT ({sql})::text"), &[]))?;
        Ok(rows.get(0))
    };
    let mut counts = 0;
    let begun = Instant::now();
    let mut not_before = begun;
    loop {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        server.alive()?;
        let now = ask(moved)?;
        if now != last {
            (last, since, counts) = (now, Instant::now(), 0);
            continue;
        }
        let quiet = since.elapsed() >= Duration::from_millis(60 << counts.min(4));
        if !quiet || Instant::now() < not_before {
            continue;
        }
        counts += 1;
        let is: u64 = ask(counted)?.parse()?;
        if is == expected {
            return Ok(());
        }
        if is > expected || since.elapsed() > STUCK {
            bail!("{is} of {expected}, and nothing moves: {counted}");
        }
        let rest = begun.elapsed().mul_f64((expected - is) as f64 / is.max(1) as f64);
        not_before = Instant::now() + (rest / 2).min(begun.elapsed() / 4);
    }
}

/// Waits until a count is what it should be, looking four times a second; since `begun`. Counting
/// costs what the server lacks then: it is done once `at_most`, which is cheap, has got there.
fn counted(
    server: &mut Serving,
    database: &str,
    at_most: &str,
    sql: &str,
    expected: u32,
    begun: Instant,
) -> Result<Duration> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        server.alive()?;
        let is = count(database, at_most)?;
        if is >= u64::from(expected) && count(database, sql)? >= u64::from(expected) {
            let took = begun.elapsed();
            eprintln!(
                "dunning: {is} after {:.1} s and {:.1} s of the server's processor time: {sql}",
                took.as_secs_f64(),
                server.cpu()?
            );
            return Ok(took);
        }
        if is > last {
            (last, since) = (is, Instant::now());
        } else if since.elapsed() > STUCK {
            bail!("{is} of {expected}, and nothing moves: {sql}");
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// A book with one overdue claim each, all of which fall due when the server starts.
pub fn dunning(place: &mut Place) -> Result<Vec<Figure>> {
    let due = accounts(DUE)?;
    let (house, database, _) = place.house("dunning")?;
    let zone = load::zone_at_noon()?;
    let file = place.folder.join("dunning.ndjson");
    let mut out = BufWriter::new(fs::File::create(&file)?);
    let on = Zoned::now().date().checked_sub(6.days())?;
    for number in 0..due {
        writeln!(out, "{}", load::debtor(number, &zone))?;
        writeln!(out, "{}", load::invoice(number, 0, on)?)?;
    }
    out.flush()?;
    house.run(&["import", &file.display().to_string()])?;
    eprintln!("dunning: {due} accounts with an overdue claim each are imported");
    // Their past was written to Kafka long ago: what is written during the run is of the run.
    super::ask(
        &database,
        "INSERT INTO kulanz.meta (key, value)
         SELECT 'kafka/accounts/position', max(position)::text FROM kulanz.events RETURNING value",
    )?;
    place.settle()?;
    let begun = Instant::now();
    let mut server = house.serve()?;
    // Messages go on being made and sent meanwhile: positions never stand still.
    // `max(number)` would pass over all that is not yet committed, each time.
    let numbered = "SELECT last_value FROM kulanz.outbox_number_seq";
    let outbox = "SELECT count(*) FROM kulanz.outbox";
    let outbox = counted(&mut server, &database, numbered, outbox, due, begun)?;
    let slot = "slot >= 'notice/' AND slot < 'notice0'";
    let made = format!("SELECT count(*) FROM kulanz.secrets WHERE {slot}");
    let took = counted(&mut server, &database, numbered, &made, due, begun)?;
    server.stop()?;
    let rate = f64::from(due) / took.as_secs_f64();
    let decided = f64::from(due) / outbox.as_secs_f64();
    let admin = place.postgres.ask("admin")?;
    let tryton = peers::tryton(&super::workspace().join(".cache"), &admin, accounts(TRYTON)?)?;
    let ratio = rate / tryton;
    Ok(vec![
        Figure {
            name: "dunning_decided_per_s",
            value: decided,
            unit: "accounts/s",
            ratio: decided / 7000.0,
            against: "decided and in the outbox, the messages with them".to_owned(),
            spread: (decided, decided),
            held: true,
        },
        Figure {
            name: "dunning_run_per_s",
            value: rate,
            unit: "accounts/s",
            ratio: rate / 7000.0,
            against: "at least 7000 accounts/s, messages made".to_owned(),
            spread: (rate, rate),
            held: rate >= 7000.0,
        },
        Figure {
            name: "dunning_run_vs_tryton",
            value: ratio,
            unit: "x",
            ratio: ratio / 20.0,
            against: "at least 20 times Tryton's account_dunning, one level".to_owned(),
            spread: (ratio, ratio),
            held: ratio >= 20.0,
        },
    ])
}
