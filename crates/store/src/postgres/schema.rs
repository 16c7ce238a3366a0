//! The schema of the database: brought up to date by who writes, checked by who reads.

use super::{
    config::{PostgresConfig, unusable},
    error::Failed,
    pool::{Session, step},
};
use crate::StoreError;

/// Migrations in order; the number of those applied is the greatest in `schema_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_first.sql"),
    include_str!("../../migrations/postgres/0002_brake.sql"),
    include_str!("../../migrations/postgres/0003_leases.sql"),
    include_str!("../../migrations/postgres/0004_requests.sql"),
    include_str!("../../migrations/postgres/0005_leased_messages.sql"),
    include_str!("../../migrations/postgres/0006_traced_messages.sql"),
    include_str!("../../migrations/postgres/0007_placed.sql"),
    include_str!("../../migrations/postgres/0008_unsampled.sql"),
    include_str!("../../migrations/postgres/0009_lanes.sql"),
    include_str!("../../migrations/postgres/0010_states.sql"),
];

/// Oldest server that this is tested on: 15.
const OLDEST: i32 = 150_000;

/// Held while migrations run, so that two that start at once do not both run them.
const MIGRATING: &str = "SELECT pg_advisory_xact_lock(7020411202605)";

/// Who else may work on the data for as long as the connection lasts that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nobody.
    Alone,
    /// Others that say this too.
    Shared,
}

impl Hold {
    /// Whoever left a moment ago may still be seen there, so it is waited for.
    const fn statement(self) -> &'static str {
        match self {
            Self::Alone => "SET lock_timeout TO '3s'; SELECT pg_advisory_lock(7020411202606)",
            Self::Shared => {
                "SET lock_timeout TO '10s'; SELECT pg_advisory_lock_shared(7020411202606)"
            }
        }
    }
}

const SERVED: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND objsubid = 1 AND classid::bigint << 32 | objid::bigint = 7020411202606
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

const FIRST: &str = "
    CREATE SCHEMA IF NOT EXISTS kulanz;
    COMMENT ON SCHEMA kulanz IS 'Kulanz: what it keeps. Others read kulanz_bi';
    CREATE TABLE kulanz.schema_version (
        version    integer     NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT schema_version_pkey PRIMARY KEY (version)
    );
    COMMENT ON TABLE kulanz.schema_version IS 'Migrations that were applied';
    COMMENT ON COLUMN kulanz.schema_version.version IS 'Number of the migration';
    COMMENT ON COLUMN kulanz.schema_version.applied_at IS 'When it was applied';
";

/// Refuses a server that cannot keep the data, before anything is written.
pub(super) async fn check_server(session: &mut Session) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int, \
        current_setting('server_version'), current_setting('server_encoding'), \
        pg_is_in_recovery()";
    let rows = session.one(step!(sql)).await?;
    for row in rows {
        let (number, version, encoding): (i32, String, String) =
            (row.get(0), row.get(1), row.get(2));
        if number < OLDEST {
            return Err(unusable(format!("the server is PostgreSQL {version}: use 15 or later")));
        }
        // It would also not show the locks that the high-water mark is made of.
        if row.get(3) {
            return Err(unusable("it is a replica: name the primary server in its URL"));
        }
        if encoding != "UTF8" {
            return Err(unusable(format!(
                "its encoding is {encoding}: make it with ENCODING 'UTF8' TEMPLATE template0"
            )));
        }
    }
    Ok(())
}

/// Brings the schema up to date, and looks at whether all rights are there.
pub(super) async fn migrate(
    session: &mut Session,
    config: &PostgresConfig,
) -> Result<(), StoreError> {
    let found = version(session).await?;
    if found > known() {
        return Err(StoreError::Newer { found, known: known() });
    }
    if found < known() {
        session.begin_unhurried().await?;
        let done = apply(session).await;
        if done.is_err() {
            session.roll_back().await;
        }
        done.map_err(|error| may_not_migrate(error, config))?;
        session.commit().await?;
    }
    check_rights(session, config).await
}

async fn apply(session: &mut Session) -> Result<(), StoreError> {
    session.run(MIGRATING).await?;
    // Another one may have been faster.
    let found = version(session).await?;
    if found == 0 {
        session.run(FIRST).await?;
    }
    for (number, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        session.run(migration).await?;
        let applied = format!("INSERT INTO kulanz.schema_version (version) VALUES ({number})");
        session.run(&applied).await?;
    }
    Ok(())
}

fn may_not_migrate(error: StoreError, config: &PostgresConfig) -> StoreError {
    let (user, database) = (config.user(), config.database());
    match error {
        StoreError::Unusable(why) => unusable(format!(
            "{user} may not make or change its tables ({why}). Let {user} own the database: ALTER \
             DATABASE {database} OWNER TO {user}; or: GRANT CREATE ON DATABASE {database} TO {user}"
        )),
        other => other,
    }
}

/// Refuses data of another release than this one's.
pub(super) async fn check_version(session: &mut Session) -> Result<(), StoreError> {
    let (found, known) = (version(session).await?, known());
    match found {
        0 => {
            Err(unusable("there are no data in it yet: `kulanz serve` and `kulanz import` make it"))
        }
        found if found > known => Err(StoreError::Newer { found, known }),
        found if found < known => Err(StoreError::Older { found, known }),
        _ => Ok(()),
    }
}

async fn version(session: &mut Session) -> Result<u32, StoreError> {
    let there =
        session.one(step!("SELECT to_regclass('kulanz.schema_version') IS NOT NULL")).await?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let sql = "SELECT coalesce(max(version), 0) FROM kulanz.schema_version";
    let rows = session.one(step!(sql)).await?;
    let found: i32 = rows.first().map_or(0, |row| row.get(0));
    u32::try_from(found).map_err(|_| StoreError::Damaged(format!("schema version {found}")))
}

/// Names each right that is missing, as the statement that grants it.
async fn check_rights(session: &mut Session, config: &PostgresConfig) -> Result<(), StoreError> {
    let sql = "
        SELECT string_agg(format('GRANT %s ON kulanz.%I TO ', wanted, relname), '; '
                          ORDER BY relname, wanted)
        FROM pg_class
        CROSS JOIN LATERAL unnest(CASE
            WHEN relkind = 'S' THEN ARRAY['USAGE', 'SELECT']
            WHEN relname IN ('events', 'schema_version') THEN ARRAY['SELECT', 'INSERT']
            ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS wanted
        WHERE relnamespace = 'kulanz'::regnamespace AND NOT relispartition
        AND (relkind IN ('r', 'p') OR relname = 'event_blocks')
        AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(pg_class.oid, wanted)
                ELSE has_table_privilege(pg_class.oid, wanted) END";
    let rows = session.one(step!(sql)).await?;
    match rows.first().and_then(|row| row.get::<_, Option<String>>(0)) {
        None => Ok(()),
        Some(missing) => {
            let user = config.user();
            let grants = missing.replace(" TO ;", &format!(" TO {user};"));
            Err(unusable(format!(
                "rights are missing. Let the owner of its tables say: {grants}{user}"
            )))
        }
    }
}

/// A connection that says, for as long as it lasts, that the data are worked on here.
pub(super) async fn hold(config: &PostgresConfig, hold: Hold) -> Result<Session, StoreError> {
    let mut session = Session::open(config, false).await?;
    held(session.run(hold.statement()).await)?;
    Ok(session)
}

fn held(taken: Result<(), Failed>) -> Result<(), StoreError> {
    match taken {
        Err(Failed::Busy(_)) => Err(StoreError::InUse),
        other => Ok(other?),
    }
}

/// As [`hold`] with others. Where the schema is not up to date, it is changed while nobody else
/// is there: who works on the data by an older one would write what the new one does not expect.
pub(super) async fn shared(config: &PostgresConfig) -> Result<Session, StoreError> {
    let mut session = Session::open(config, false).await?;
    check_server(&mut session).await?;
    let mut alone = false;
    if version(&mut session).await? < known() {
        match held(session.run(Hold::Alone.statement()).await) {
            Ok(()) => {
                alone = true;
                migrate(&mut session, config).await?;
            }
            // Another one may have been faster.
            Err(StoreError::InUse) if version(&mut session).await? == known() => {}
            Err(StoreError::InUse) => {
                return Err(unusable(
                    "its tables are of an older release, and other instances work on them: stop \
                     them all, then start this one, which brings them up to date",
                ));
            }
            Err(other) => return Err(other),
        }
    }
    held(session.run(Hold::Shared.statement()).await)?;
    if alone {
        // Both may be held at once, so that nobody comes between.
        session.run("SELECT pg_advisory_unlock(7020411202606)").await?;
    }
    Ok(session)
}

/// Whether [`hold`] is somewhere, without waiting for anything.
pub(super) async fn is_served(config: &PostgresConfig) -> Result<bool, StoreError> {
    let rows = Session::open(config, true).await?.one(step!(SERVED)).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

pub(super) const fn known() -> u32 {
    MIGRATIONS.len() as u32
}
