//! Connections, and what is asked over them within a limit of time. A connection whose state is
//! not known for sure is closed, never used again: whoever waits for the answer may have gone,
//! a transaction may be open, the server may be down.

use std::{
    collections::HashMap,
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_postgres::{
    Client, NoTls, Row, Statement,
    binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream},
    types::{ToSql, Type},
};

use super::{
    config::PostgresConfig,
    error::{Failed, not_connected, timed_out},
};
use crate::StoreError;

/// Connections at most: a few ledgers that write and read, pages and commands that read, and room for
/// a few more.
const CONNECTIONS: usize = 12;

/// Limit for what takes as long as there are data: a migration, a check of all of them.
const UNHURRIED: Duration = Duration::from_secs(3600);

/// A value that goes with a statement.
pub(super) type Value<'v> = Box<dyn ToSql + Sync + Send + 'v>;

/// A statement with its values.
pub(super) struct Step<'v> {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value<'v>>,
}

/// `step!(SQL, value, value …)`.
macro_rules! step {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        $crate::postgres::pool::Step { sql: $sql, values: vec![$(Box::new($value)),*] }
    };
}
pub(super) use step;

/// One connection with its prepared statements.
pub(super) struct Session {
    client: Arc<Client>,
    statements: HashMap<&'static str, Statement>,
    patience: Duration,
    /// An answer is outstanding, or a transaction open.
    unsettled: bool,
}

impl Session {
    pub(super) async fn open(config: &PostgresConfig, read_only: bool) -> Result<Self, StoreError> {
        let limit = config.connect_patience();
        let client = timeout(limit, connect(config))
            .await
            .map_err(|_| timed_out(&format!("reaching {}", config.place()), limit))??;
        let patience = config.patience;
        let mut session = Self {
            client: Arc::new(client),
            statements: HashMap::new(),
            patience,
            unsettled: false,
        };
        session.run(&settings(patience, read_only)).await?;
        Ok(session)
    }

    /// The same connection; this one is not to be used any more.
    fn moved(&mut self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            statements: mem::take(&mut self.statements),
            patience: self.patience,
            unsettled: self.unsettled,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Begins a transaction; it has to end by [`Self::commit`] or [`Self::roll_back`], else the
    /// connection ends with it.
    pub(super) async fn begin(&mut self, how: &str) -> Result<(), Failed> {
        self.run(how).await?;
        self.unsettled = true;
        Ok(())
    }

    /// As [`Self::begin`], for what takes as long as there are data: an hour at most.
    pub(super) async fn begin_unhurried(&mut self) -> Result<(), Failed> {
        self.begin(&format!("BEGIN; SET LOCAL statement_timeout TO 0; {WIDE}")).await?;
        self.patience = UNHURRIED;
        Ok(())
    }

    /// As [`Self::begin_unhurried`], to read all of it as of one moment.
    pub(super) async fn begin_reading_all(&mut self) -> Result<(), Failed> {
        let how = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.begin(&format!("{how}; SET LOCAL statement_timeout TO 0; {WIDE}")).await?;
        self.patience = UNHURRIED;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failed> {
        self.run("COMMIT").await
    }

    /// Where even this fails, the connection is closed, which undoes it all the same.
    pub(super) async fn roll_back(&mut self) {
        if self.run("ROLLBACK").await.is_err() {
            self.unsettled = true;
        }
    }

    /// Runs statements without values, one after the other.
    pub(super) async fn run(&mut self, statements: &str) -> Result<(), Failed> {
        self.unsettled = true;
        match timeout(self.patience, self.client.batch_execute(statements)).await {
            Ok(done) => done?,
            Err(_) => return Err(overdue(self.patience)),
        }
        self.unsettled = false;
        Ok(())
    }

    /// Runs one statement.
    pub(super) async fn one(&mut self, step: Step<'_>) -> Result<Vec<Row>, Failed> {
        Ok(self.all(vec![step]).await?.pop().unwrap_or_default())
    }

    /// Sends all `steps` at once and waits for their answers, which come in their order. The
    /// first that fails ends it.
    pub(super) async fn all(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Vec<Row>>, Failed> {
        let (before, patience) = (self.unsettled, self.patience);
        self.unsettled = true;
        let answers = match timeout(patience, self.ask(steps)).await {
            Ok(answers) => answers?,
            Err(_) => return Err(overdue(patience)),
        };
        self.unsettled = before;
        Ok(answers)
    }

    /// Begins a binary COPY of rows with columns of these types, within a transaction.
    pub(super) async fn copy_in(
        &mut self,
        statement: &str,
        types: &[Type],
    ) -> Result<BinaryCopyInWriter, Failed> {
        match timeout(self.patience, self.client.copy_in(statement)).await {
            Ok(sink) => Ok(BinaryCopyInWriter::new(sink?, types)),
            Err(_) => Err(overdue(self.patience)),
        }
    }

    /// Begins a binary COPY of rows with columns of these types out of the database, within a
    /// transaction. Dropped before its end it leaves the connection of no use.
    pub(super) async fn copy_out(
        &mut self,
        statement: &str,
        types: &[Type],
    ) -> Result<BinaryCopyOutStream, Failed> {
        match timeout(self.patience, self.client.copy_out(statement)).await {
            Ok(stream) => Ok(BinaryCopyOutStream::new(stream?, types)),
            Err(_) => Err(overdue(self.patience)),
        }
    }

    async fn ask(&mut self, steps: Vec<Step<'_>>) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
        for step in &steps {
            if !self.statements.contains_key(step.sql) {
                let prepared = self.client.prepare(step.sql).await?;
                self.statements.insert(step.sql, prepared);
            }
        }
        let (client, statements) = (&self.client, &self.statements);
        try_join_all(steps.into_iter().map(|step| async move {
            let values: Vec<&(dyn ToSql + Sync)> =
                step.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            client.query(&statements[step.sql], &values).await
        }))
        .await
    }
}

/// Asked again it would take as long.
fn overdue(patience: Duration) -> Failed {
    Failed::For(timed_out("an answer of the database", patience))
}

async fn connect(config: &PostgresConfig) -> Result<Client, StoreError> {
    // The task that moves the bytes ends with its client, or with the connection.
    match &config.tls {
        None => {
            let connected = config.client.connect(NoTls).await;
            let (client, connection) = connected.map_err(|error| not_connected(config, error))?;
            tokio::spawn(connection);
            Ok(client)
        }
        Some(tls) => {
            let connected = config.client.connect(tls.clone()).await;
            let (client, connection) = connected.map_err(|error| not_connected(config, error))?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// Within a transaction, for statements that read most of a table.
const WIDE: &str = "SET LOCAL enable_seqscan TO on; SET LOCAL enable_bitmapscan TO on;
    SET LOCAL enable_hashjoin TO on; SET LOCAL enable_mergejoin TO on; SET LOCAL plan_cache_mode TO force_custom_plan;
    SET LOCAL max_parallel_workers_per_gather TO DEFAULT";

/// The limits are set on the server too, which then gives up what nobody waits for any more.
///
/// Nearly every statement names its rows by their keys, a thousand at once. The planner would
/// rather read a whole table than look up a thousand keys, which is slower from some ten thousand
/// rows on and has no end; so it is told to follow indexes, and statements that read most of a
/// table say so ([`WIDE`]). What it has to do all the same it then takes for dear, which must not
/// make it compile, or start other processes: where wake-ups are looked for and none is due, that
/// took hundreds of times as long as the look. A plan is made once a connection and statement,
/// without looking at the values: there is only one, and a thousand values are long to look at.
pub(super) fn settings(patience: Duration, read_only: bool) -> String {
    let millis = patience.as_millis();
    let reads = if read_only { "on" } else { "off" };
    format!(
        "SET search_path TO kulanz; SET timezone TO 'UTC'; SET synchronous_commit TO on;
         SET statement_timeout TO {millis}; SET lock_timeout TO {millis};
         SET idle_in_transaction_session_timeout TO {millis}; SET idle_session_timeout TO 0;
         SET tcp_keepalives_idle TO 60; SET tcp_keepalives_interval TO 10;
         SET tcp_keepalives_count TO 3;
         SET enable_seqscan TO off; SET enable_bitmapscan TO off;
         SET enable_hashjoin TO off; SET enable_mergejoin TO off; SET jit TO off;
         SET max_parallel_workers_per_gather TO 0;
         SET plan_cache_mode TO force_generic_plan; SET default_transaction_read_only TO {reads}"
    )
}

/// A few connections, made when they are needed.
pub(super) struct Pool {
    config: PostgresConfig,
    read_only: bool,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// A pool that has one connection already.
    pub(super) fn new(config: PostgresConfig, read_only: bool, mut first: Session) -> Arc<Self> {
        first.patience = config.patience;
        Arc::new(Self {
            config,
            read_only,
            idle: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    pub(super) const fn config(&self) -> &PostgresConfig {
        &self.config
    }

    /// Lends a connection. It comes back when dropped, unless its state is unsettled.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, StoreError> {
        let patience = self.config.patience;
        let permit = timeout(patience, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| timed_out("waiting for a free connection", patience))?
            .map_err(|error| StoreError::Backend(error.into()))?;
        let idle = loop {
            match self.idle().pop() {
                Some(session) if session.is_closed() => {}
                found => break found,
            }
        };
        let session = match idle {
            Some(session) => session,
            None => Session::open(&self.config, self.read_only).await?,
        };
        Ok(Lent { session, pool: Arc::clone(self), _permit: permit })
    }

    /// Runs one statement on whichever connection is free, again on another one where the first
    /// turned out to be lost: only for what changes nothing.
    pub(super) async fn read<'v>(
        self: &Arc<Self>,
        step: impl Fn() -> Step<'v>,
    ) -> Result<Vec<Row>, StoreError> {
        match self.lend().await?.one(step()).await {
            Err(Failed::Lost(_)) => Ok(self.lend().await?.one(step()).await?),
            answer => Ok(answer?),
        }
    }

    /// As [`Self::read`], for several statements that go out at once.
    pub(super) async fn read_all<'v>(
        self: &Arc<Self>,
        steps: impl Fn() -> Vec<Step<'v>>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        match self.lend().await?.all(steps()).await {
            Err(Failed::Lost(_)) => Ok(self.lend().await?.all(steps()).await?),
            answer => Ok(answer?),
        }
    }

    /// As [`Self::read`], for a statement that reads most of a table.
    pub(super) async fn read_widely(
        self: &Arc<Self>,
        step: Step<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut session = self.lend().await?;
        session.begin(&format!("BEGIN; {WIDE}")).await?;
        // Where it fails, the connection ends with the transaction.
        let rows = session.one(step).await?;
        session.commit().await?;
        Ok(rows)
    }

    /// What was connected to a server that is gone helps nobody: the next is made anew.
    fn forget_idle(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that somebody uses.
pub(super) struct Lent {
    session: Session,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.session.is_closed() {
            self.pool.forget_idle();
        } else if !self.session.unsettled {
            let mut session = self.session.moved();
            session.patience = self.pool.config.patience;
            self.pool.idle().push(session);
        }
    }
}
