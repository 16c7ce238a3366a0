//! `make bench-cluster`: Kulanz between a real Kafka and a real PostgreSQL, all on this machine,
//! with fsync on, against what stands beside it in the same run.
//!
//! `ingest`: events of a book lie in Kafka; from the start of `kulanz serve` until the last of them
//! is durable. Against a bare program that copies the same rows on two connections, and against
//! cqrs-es with postgres-es as its book says. `reminder`: the same server at half that rate; from a
//! record's hand-over to Kafka's client to the commit of the reminder that it caused, by the
//! database's own record of commits. `dunning`: a book that was imported falls due at one moment.

mod copy;
mod load;
mod peers;
mod reminder;
#[allow(dead_code, reason = "what runs once has no middle")]
#[path = "../report.rs"]
mod report;
mod run;
mod services;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio_postgres::NoTls;

use load::Shop;
use report::Figure;
use services::{House, Service};

/// All of them, in the order in which they run.
const NAMES: [&str; 3] = ["ingest", "reminder", "dunning"];
/// Partitions of each topic: enough for eight instances. Each one more costs the broker, which looks at all of
/// them for whoever waits to fetch, with each request that writes to one.
const PARTITIONS: u32 = 8;

/// The variable with the database's password.
const PASSWORD: &str = "BENCH_DATABASE_PASSWORD";

/// What all benchmarks of a run share.
struct Place {
    folder: PathBuf,
    postgres: Service,
    kafka: Service,
    databases: u32,
}

fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let folder = target().join("tmp").join(format!("bench-cluster-{}", std::process::id()));
    let ran = run(&folder, &names);
    if ran.is_ok() {
        fs::remove_dir_all(&folder)?;
    } else {
        eprintln!("what the servers wrote is in {}", folder.display());
    }
    let mut all = Vec::new();
    for (name, figures) in ran? {
        report::write(&target().join("bench"), name, &figures)?;
        all.extend(figures);
    }
    report::print(&all);
    println!("\nwritten to {}", target().join("bench").display());
    Ok(())
}

/// The target folder, wherever it is.
fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The folder of the workspace.
fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// Runs those of `names`; all where there are none.
fn run(folder: &Path, names: &[String]) -> Result<Vec<(&'static str, Vec<Figure>)>> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no benchmark `{unknown}` of the cluster; there are {}", NAMES.join(", "));
    }
    fs::create_dir_all(folder)?;
    eprintln!("starting PostgreSQL and Kafka");
    let mut postgres = Service::start("postgres", folder)?;
    durable(&mut postgres)?;
    let kafka = Service::start("kafka", folder)?;
    let mut place = Place { folder: folder.to_owned(), postgres, kafka, databases: 0 };
    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| one == name);
    let mut all = Vec::new();
    let mut rate = None;
    if wanted("ingest") {
        let (figures, per_s) = run::ingest(&mut place)?;
        rate = Some(per_s);
        all.push(("ingest", figures));
    }
    place.clear()?;
    if wanted("reminder") {
        all.push(("reminder", reminder::reminder(&mut place, rate)?));
    }
    place.clear()?;
    if wanted("dunning") {
        all.push(("dunning", run::dunning(&mut place)?));
    }
    Ok(all)
}

/// What an operator sets on a server of this size, for Kulanz and its peers alike: the defaults are
/// those of a machine with little memory, write a checkpoint each gigabyte, keep few files of the log
/// to write into again, and look once a minute what is to be vacuumed: a run of half a minute would
/// leave that to the next one. Vacuum takes its time, as it did by default before PostgreSQL 12: else
/// it takes one of two processors each time.
const OF_THE_SERVER: [&str; 5] = [
    "shared_buffers = '1GB'",
    "max_wal_size = '8GB'",
    "min_wal_size = '4GB'",
    "autovacuum_naptime = '10s'",
    "autovacuum_vacuum_cost_delay = '20ms'",
];

/// The server writes down when each transaction was committed; what makes it durable is on.
fn durable(postgres: &mut Service) -> Result<()> {
    let url = postgres.ask("admin")?;
    for set in OF_THE_SERVER.iter().chain(&["track_commit_timestamp = on"]) {
        ask(&url, &format!("ALTER SYSTEM SET {set}"))?;
    }
    postgres.ask("stop")?;
    postgres.ask("start")?;
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        let set = one(&url, &format!("SHOW {name}"))?;
        if set != "on" {
            bail!("{name} is {set}: nothing would be durable");
        }
    }
    ask(&url, WRITTEN_BEFORE)?;
    Ok(())
}

/// Leaves the server the files of its log that one has which was at work for some time, and writes
/// into again: a new one makes and fills each of them first, 16 MiB, while all who commit wait.
const WRITTEN_BEFORE: &str = "DO $$ BEGIN FOR file IN 1..250 LOOP
    PERFORM pg_logical_emit_message(false, 'bench', ''), pg_switch_wal();
    END LOOP; END $$; CHECKPOINT";

/// Does something in a database.
fn ask(url: &str, sql: &str) -> Result<Vec<Vec<String>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let mut rows = Vec::new();
        for message in client.simple_query(sql).await? {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let cells = (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned());
                rows.push(cells.collect());
            }
        }
        drop(client);
        connection.await??;
        Ok(rows)
    })
}

/// The one cell of an answer.
fn one(url: &str, sql: &str) -> Result<String> {
    let rows = ask(url, sql)?;
    rows.into_iter().flatten().next().with_context(|| format!("no answer to {sql}"))
}

fn count(url: &str, sql: &str) -> Result<u64> {
    Ok(one(url, sql)?.parse()?)
}

impl Place {
    /// An empty database.
    fn database(&mut self) -> Result<String> {
        self.databases += 1;
        self.postgres.ask(&format!("database bench_{}", self.databases))
    }

    /// Drops what was measured: its vacuum would be the next one's.
    fn clear(&mut self) -> Result<()> {
        let url = self.postgres.ask("admin")?;
        for number in 1..=self.databases {
            ask(&url, &format!("DROP DATABASE IF EXISTS bench_{number} WITH (FORCE)"))?;
        }
        self.settle()
    }

    /// Has all that is written so far go to the disk now, not half a minute into what is measured.
    fn settle(&mut self) -> Result<()> {
        ask(&self.postgres.ask("admin")?, "CHECKPOINT")?;
        if !std::process::Command::new("sync").status()?.success() {
            bail!("`sync` failed");
        }
        Ok(())
    }

    /// An installation on an empty database, with empty topics of its own.
    fn house(&mut self, name: &str) -> Result<(House, String, Shop)> {
        let database = self.database()?;
        let brokers = self.kafka.ask("address")?;
        let prefix = format!("{name}.");
        let (user, place) = database.split_once('@').context("a user in the URL")?;
        let (user, password) = user.rsplit_once(':').context("a password in the URL")?;
        let settings = json!({
            "database": format!("{user}@{place}"), "database_password": { "env": PASSWORD },
            "kafka": { "brokers": brokers, "partitions": PARTITIONS, "prefix": prefix,
                       "group": format!("{prefix}kulanz") },
        });
        let house = House::new(self.folder.join(name), &settings, password)?;
        write_policies(&house.policies())?;
        house.run(&["topics", "create"])?;
        Ok((house, database, Shop::new(&brokers, &prefix)?))
    }
}

/// The shipped shop's rules without its brake, which a benchmark would pull.
fn write_policies(folder: &Path) -> Result<()> {
    let from = workspace().join("policies");
    fs::create_dir_all(folder.join("creditors"))?;
    fs::create_dir_all(folder.join("shop-b2c/templates"))?;
    fs::copy(from.join("creditors/lindenmoor.yaml"), folder.join("creditors/lindenmoor.yaml"))?;
    let policy = fs::read_to_string(from.join("shop-b2c/policy.yaml"))?;
    let without = policy.lines().filter(|line| !line.starts_with("brake:"));
    fs::write(folder.join("shop-b2c/policy.yaml"), without.collect::<Vec<_>>().join("\n"))?;
    for template in fs::read_dir(from.join("shop-b2c/templates"))? {
        let template = template?;
        fs::copy(template.path(), folder.join("shop-b2c/templates").join(template.file_name()))?;
    }
    Ok(())
}
