//! A back-test in a process of its own, so that its time is a whole command's and its memory is
//! nobody else's.

use std::{
    fs,
    io::BufWriter,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use kulanz_engine::backtest::Summary;

use crate::history::{self, Shipped};

/// The argument that makes this program the child.
pub const CHILD: &str = "--child-backtest";

/// What a child has done.
pub struct Ran {
    /// From before its start to after its end.
    pub took: Duration,
    /// Most memory that it ever held, in bytes.
    pub peak_bytes: u64,
    /// Its result.
    pub summary: Summary,
}

/// Runs a child over `file`, with its results in `out`.
pub fn run(file: &Path, out: &Path) -> Result<Ran> {
    fs::create_dir_all(out)?;
    let begun = Instant::now();
    let program = std::env::current_exe()?;
    let done = Command::new(program).arg(CHILD).arg(file).arg(out).output()?;
    let took = begun.elapsed();
    if !done.status.success() {
        bail!("the back-test failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    let peak_bytes = String::from_utf8(done.stdout)?.trim().parse()?;
    let summary = serde_json::from_slice(&fs::read(out.join("summary.json"))?)?;
    Ok(Ran { took, peak_bytes, summary })
}

/// What the child does: the summary and the timeline into `out`, its peak to the standard output.
pub fn main(file: &Path, out: &Path) -> Result<()> {
    let shipped = Shipped::load(&history::policies())?;
    let outcome = history::back_test(&shipped, file)?;
    if let Some(rejected) = outcome.rejected.first() {
        bail!("{} was rejected: {}", rejected.event, rejected.reason);
    }
    fs::write(out.join("summary.json"), serde_json::to_vec_pretty(&outcome.summary)?)?;
    let timeline = fs::File::create(out.join("timeline.csv"))?;
    outcome.timeline.write(BufWriter::with_capacity(1 << 16, timeline))?;
    println!("{}", peak_bytes()?);
    Ok(())
}

/// Most memory that this process ever held.
pub fn peak_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("the peak is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}
