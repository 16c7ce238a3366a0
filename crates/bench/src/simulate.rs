//! A forecast of a shop's book, in a process of its own, from an SQLite store: the book of the plan.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use kulanz_domain::ids::CreditorId;
use kulanz_engine::simulate::{Asked, Options, Report, forecast};
use kulanz_store::{Store, sqlite::SqliteStore};

use crate::{
    child::peak_bytes,
    history::{self, Shipped},
    plan::{CREDITOR, NOW, Ran},
};

/// The argument that makes this program the child.
pub const CHILD: &str = "--child-simulate";
/// Days that are told.
pub const DAYS: u16 = 90;

/// Runs a child over the database in `folder`.
pub fn run(folder: &Path) -> Result<(Ran, Report)> {
    let begun = Instant::now();
    let program = std::env::current_exe()?;
    let done = Command::new(program).arg(CHILD).arg(folder).output()?;
    let took: Duration = begun.elapsed();
    if !done.status.success() {
        bail!("the forecast failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    let said = String::from_utf8(done.stdout)?;
    let (peak, report) = said.split_once('\n').context("a child says its peak and its report")?;
    Ok((Ran { took, peak_bytes: peak.parse()? }, serde_json::from_str(report)?))
}

/// What the child does: all that `kulanz policy simulate` does by itself, on two threads.
pub fn main(folder: &Path) -> Result<()> {
    let shipped = Shipped::load(&history::policies())?;
    let rules = shipped.rules().get(&CreditorId::new(CREDITOR)?).context("the shop is shipped")?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(folder)?);
    let asked = Asked { rules: Arc::clone(&rules), in_force: rules };
    let options = Options {
        from: NOW.parse()?,
        days: DAYS,
        seed: 1,
        draws: 200,
        calibrate: true,
        threads: Some(2),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(forecast(store, asked, options, |_, _| {}))?;
    println!("{}", peak_bytes()?);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
