//! The yardstick for what PostgreSQL itself takes: the rows of one database, written into another
//! by a bare program that does nothing else.
//!
//! Heads, inbox keys and events that Kulanz wrote are read as payloads of binary `COPY` into
//! memory, and then written as they are into a database that Kulanz has migrated: the same
//! tables, constraints, indexes and triggers. Two connections write at once, each the accounts of
//! its own eight of the sixteen partitions, so that neither waits for a page of the other. Rows go
//! in the order in which they came about, in transactions as large as the caller says: small ones are
//! durable early, in large ones the program waits for the disk less often.
//!
//! Left out, in the program's favour: it decides nothing, answers nobody, compares no version,
//! looks for no duplicate, takes no place in the global order and holds no high-water mark; heads
//! are written once, as they were at the end; secrets, keys, snapshots and the read side not at
//! all.

use std::{
    io::Cursor,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// Connections that write.
const CONNECTIONS: usize = 2;
/// Bytes that go to the server at once.
const PIECE: usize = 64 * 1024;

/// Signature, flags and length of an extension, with which each payload begins.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What ends it: a row of -1 columns.
const END: &[u8] = &[0xff, 0xff];

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Rows of `accounts`, the heads.
    pub accounts: u64,
    /// Rows of `inbox`.
    pub inbox: u64,
    /// Rows of `events`.
    pub events: u64,
    /// Bytes of all of them as they went to the server.
    pub bytes: u64,
    /// From the first row to the last COMMIT; neither connecting nor reading is in it.
    pub took: Duration,
}

/// A table and how its rows are read.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// Whether a row is one of connection `{}`.
    own: &'static str,
    order: &'static str,
}

/// In the order in which a transaction writes them.
const TABLES: [Table; 3] = [
    Table {
        name: "kulanz.accounts",
        columns: "number, creditor, debtor, partition, version, wake_at",
        own: "satisfies_hash_partition('kulanz.events'::regclass, 2, {}, number)",
        order: "number",
    },
    // Of a key nobody can tell whose it was.
    Table {
        name: "kulanz.inbox",
        columns: "key",
        own: "get_byte(key, 15) % 2 = {}",
        order: "ctid",
    },
    Table {
        name: "kulanz.events",
        columns: "position, account, version, kind, payload, recorded_at, cause",
        own: "satisfies_hash_partition('kulanz.events'::regclass, 2, {}, account)",
        order: "position",
    },
];

/// Copies the rows of the database `from` into the database `to`, which Kulanz has migrated and
/// nobody has written to, with about so many `rows` in a transaction.
///
/// # Errors
/// If a database cannot be reached, if `to` is not empty, or if it does not hold the very same
/// rows at the end.
pub async fn copied(from: &str, to: &str, rows: usize) -> Result<Copied> {
    let source = connect(from).await.context("the database to copy from")?;
    let target = connect(to).await.context("the database to copy to")?;
    for table in &TABLES {
        ensure!(sum(&target, table).await?.0 == 0, "{} to copy to is not empty", table.name);
    }
    let mut writers = Vec::new();
    for number in 0..CONNECTIONS {
        let client = connect(to).await.context("the database to copy to")?;
        writers.push((client, batches(&read(&source, number).await?, rows)));
    }
    let bytes = writers.iter().flat_map(|(_, batches)| batches).map(Batch::bytes).sum();
    let begun = Instant::now();
    let mut writing = JoinSet::new();
    for (client, batches) in writers {
        writing.spawn(async move { write(&client, batches).await });
    }
    while let Some(written) = writing.join_next().await {
        written.context("a writer stopped")??;
    }
    let took = begun.elapsed();
    let mut counts = [0; TABLES.len()];
    for (table, count) in TABLES.iter().zip(&mut counts) {
        let (was, is) = (sum(&source, table).await?, sum(&target, table).await?);
        if was != is {
            bail!("{} has {is:?} rows and sum after the copy, not {was:?}", table.name);
        }
        *count = is.0;
    }
    let [accounts, inbox, events] = counts;
    Ok(Copied { accounts, inbox, events, bytes, took })
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        // Whoever waits for an answer hears of it too.
        if let Err(error) = connection.await {
            eprintln!("a connection to PostgreSQL ended: {error}");
        }
    });
    Ok(client)
}

/// Number of rows, and a sum over all their columns that does not depend on their order.
async fn sum(client: &Client, table: &Table) -> Result<(u64, String)> {
    let sql = format!(
        "SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)::numeric), 0)::text \
         FROM {}",
        table.columns, table.name
    );
    let row = client.query_one(&sql, &[]).await.with_context(|| table.name.to_owned())?;
    Ok((u64::try_from(row.try_get::<_, i64>(0)?)?, row.try_get(1)?))
}

/// The rows of each table that are connection `number`'s.
async fn read(client: &Client, number: usize) -> Result<Vec<Rows>> {
    let mut all = Vec::new();
    for table in &TABLES {
        let own = table.own.replace("{}", &number.to_string());
        let sql = format!(
            "COPY (SELECT {} FROM {} WHERE {own} ORDER BY {}) TO STDOUT (FORMAT binary)",
            table.columns, table.name, table.order
        );
        let payload = client.copy_out(&sql).await.with_context(|| table.name.to_owned())?;
        let payload = payload.try_fold(Vec::new(), |mut payload, piece| async move {
            payload.extend_from_slice(&piece);
            Ok(payload)
        });
        all.push(Rows::new(payload.await?).with_context(|| table.name.to_owned())?);
    }
    Ok(all)
}

/// The rows of a payload of binary `COPY`.
struct Rows {
    payload: Vec<u8>,
    /// Where each row begins, and where the last one ends.
    bounds: Vec<usize>,
}

impl Rows {
    fn new(payload: Vec<u8>) -> Result<Self> {
        ensure!(payload.starts_with(HEAD), "not a payload of binary COPY");
        let mut bounds = vec![HEAD.len()];
        let mut at = HEAD.len();
        loop {
            let columns = i16::from_be_bytes(bytes_at(&payload, at)?);
            at += 2;
            if columns < 0 {
                ensure!(at == payload.len(), "something follows the last row");
                return Ok(Self { payload, bounds });
            }
            for _ in 0..columns {
                // The length is -1 for NULL.
                let length = i32::from_be_bytes(bytes_at(&payload, at)?);
                at += 4 + usize::try_from(length).unwrap_or(0);
            }
            bounds.push(at);
        }
    }

    fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The rows of part `part` of `parts`, as a payload in pieces.
    fn part(&self, part: usize, parts: usize) -> Part {
        let at = |part: usize| part * self.count() / parts;
        let (first, end) = (at(part), at(part + 1));
        let rows = &self.payload[self.bounds[first]..self.bounds[end]];
        let payload = [HEAD, rows, END].concat();
        Part {
            rows: (end - first) as u64,
            pieces: payload.chunks(PIECE).map(<[u8]>::to_vec).collect(),
        }
    }
}

fn bytes_at<const N: usize>(payload: &[u8], at: usize) -> Result<[u8; N]> {
    let bytes = payload.get(at..at + N).context("the payload ends within a row")?;
    Ok(bytes.try_into()?)
}

/// Rows of one table that are written by one `COPY`.
struct Part {
    rows: u64,
    pieces: Vec<Vec<u8>>,
}

/// What a transaction writes, table by table.
struct Batch(Vec<Part>);

impl Batch {
    fn bytes(&self) -> u64 {
        let pieces = self.0.iter().flat_map(|part| &part.pieces);
        pieces.map(|piece| piece.len() as u64).sum()
    }
}

/// Transactions of about `rows` rows, the tables in their proportion in each.
fn batches(tables: &[Rows], rows: usize) -> Vec<Batch> {
    let all: usize = tables.iter().map(Rows::count).sum();
    let parts = all.div_ceil(rows);
    let batch = |part| Batch(tables.iter().map(|rows| rows.part(part, parts)).collect());
    (0..parts).map(batch).collect()
}

async fn write(client: &Client, batches: Vec<Batch>) -> Result<()> {
    for batch in batches {
        client.batch_execute("BEGIN").await?;
        for (table, part) in TABLES.iter().zip(batch.0) {
            let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.name, table.columns);
            let mut sink = pin!(client.copy_in(&sql).await?);
            let mut pieces = stream::iter(part.pieces).map(|piece| Ok(Cursor::new(piece)));
            sink.send_all(&mut pieces).await.with_context(|| table.name.to_owned())?;
            let written = sink.finish().await.with_context(|| table.name.to_owned())?;
            ensure!(written == part.rows, "{written} rows of {} were taken", part.rows);
        }
        client.batch_execute("COMMIT").await?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Rows of a number and, for even ones, a word; NULL for the others.
    fn payload(rows: u8) -> Vec<u8> {
        let row = |number: u8| {
            let mut row = vec![0, 2, 0, 0, 0, 1, number];
            match number % 2 {
                0 => row.extend_from_slice(b"\0\0\0\x04even"),
                _ => row.extend_from_slice(&[0xff; 4]),
            }
            row
        };
        [HEAD.to_vec(), (0..rows).flat_map(row).collect(), END.to_vec()].concat()
    }

    #[test]
    fn parts_are_payloads_of_their_own_and_hold_each_row_once() {
        let rows = Rows::new(payload(7)).unwrap();
        assert_eq!(rows.count(), 7);
        let mut found = Vec::new();
        for part in 0..3 {
            let part = rows.part(part, 3);
            let again = Rows::new(part.pieces.concat()).unwrap();
            assert_eq!(again.count() as u64, part.rows);
            found.extend_from_slice(&again.payload[HEAD.len()..again.payload.len() - END.len()]);
        }
        assert_eq!([HEAD, &found, END].concat(), payload(7));
    }

    #[test]
    fn transactions_have_the_tables_in_their_proportion() {
        let tables = [Rows::new(payload(4)).unwrap(), Rows::new(payload(20)).unwrap()];
        let counts = |batch: &Batch| batch.0.iter().map(|part| part.rows).collect::<Vec<_>>();
        let batches = batches(&tables, 6);
        assert_eq!(batches.iter().map(counts).collect::<Vec<_>>(), vec![vec![1, 5]; 4]);
    }

    #[test]
    fn a_payload_that_ends_too_early_or_too_late_is_refused() {
        let whole = payload(2);
        for end in 0..whole.len() {
            assert!(Rows::new(whole[..end].to_vec()).is_err(), "{end} bytes");
        }
        assert!(Rows::new([&whole[..], &[0]].concat()).is_err());
    }
}
