//! `make bench`: speed and memory, each figure as a ratio to a limit or to a peer in the same run.
//!
//! Names of benchmarks as arguments run these alone: `backtest`, `import`, `page`, `growth`, `law`,
//! `check`, `plan`, `simulate`, `decide`, `send`.
//! `KULANZ_HISTORIES` names the folder of the road fines; without it an invented history of the
//! same size and shape is used. `KULANZ_PLAN_ACCOUNTS` makes the book of `plan` and `simulate`
//! smaller. Figures go to `target/bench/NAME.json`.

mod check;
mod child;
mod decide;
mod history;
mod import;
mod law;
mod page;
mod plan;
mod recorder;
mod report;
mod send;
mod simulate;
mod sum;
mod synthetic;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use kulanz_store::sqlite::bare_insert;

use crate::{
    history::Shipped,
    report::{Figure, middle},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// All benchmarks, in the order in which they run.
const NAMES: [&str; 10] =
    ["backtest", "import", "page", "growth", "law", "check", "plan", "simulate", "decide", "send"];
/// Accounts of the invented history that stands in for the road fines.
const FINES: u32 = 50_137;
/// Accounts in the store that answers pages.
const PAGES: u32 = 100_000;
/// Accounts in the book that is planned on.
const PLANNED: u32 = 1_000_000;
/// Accounts of the smaller history that growth is measured on.
const SMALL: u32 = 25_000;
/// Runs of each measurement.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, file, out] = arguments.as_slice()
        && flag == child::CHILD
    {
        return child::main(Path::new(file), Path::new(out));
    }
    if let [flag, folder] = arguments.as_slice()
        && flag == plan::CHILD
    {
        return plan::main(Path::new(folder));
    }
    if let [flag, folder] = arguments.as_slice()
        && flag == simulate::CHILD
    {
        return simulate::main(Path::new(folder));
    }
    if let Some(unknown) = arguments.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no benchmark `{unknown}`; there are {}", NAMES.join(", "));
    }
    let scratch = Scratch::new()?;
    let bench = Bench { shipped: Arc::new(Shipped::load(&history::policies())?), scratch };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut all = Vec::new();
    for name in NAMES {
        if !arguments.is_empty() && !arguments.iter().any(|wanted| wanted == name) {
            continue;
        }
        let figures = match name {
            "backtest" => bench.back_test()?,
            "import" => runtime.block_on(bench.import())?,
            "page" => runtime.block_on(bench.page())?,
            "law" => law()?,
            "check" => bench.check()?,
            "plan" => runtime.block_on(bench.plan())?,
            "simulate" => runtime.block_on(bench.simulate())?,
            "decide" => bench.decide()?,
            "send" => runtime.block_on(bench.send())?,
            _ => runtime.block_on(bench.growth())?,
        };
        report::write(&bench_folder(), name, &figures)?;
        all.extend(figures);
    }
    report::print(&all);
    println!("\nwritten to {}", bench_folder().display());
    Ok(())
}

/// `target/bench`, wherever the target folder is.
fn bench_folder() -> PathBuf {
    let own = history::workspace().join("target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(own, PathBuf::from).join("bench")
}

/// A folder that goes when the run ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("kulanz-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }

    /// A path in it, with nothing there.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        if path.is_dir() {
            std::fs::remove_dir_all(&path)?;
        }
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}

/// A million computations of interest over ten half-years on one core.
fn law() -> Result<Vec<Figure>> {
    let took: Vec<f64> = (0..RUNS).map(|_| law::a_million()).collect::<Result<_>>()?;
    let (seconds, spread) = middle(&took);
    Ok(vec![Figure {
        name: "interest_1m_s",
        value: seconds,
        unit: "s",
        ratio: seconds / 2.0,
        against: "at most 2 s for a million over ten half-years, one core".to_owned(),
        spread,
        held: seconds <= 2.0,
    }])
}

struct Bench {
    shipped: Arc<Shipped>,
    scratch: Scratch,
}

impl Bench {
    /// The road fines, or what stands in for them.
    fn fines(&self) -> Result<PathBuf> {
        match std::env::var_os("KULANZ_HISTORIES") {
            Some(folder) => Ok(Path::new(&folder).join("road-fines-dev.ndjson.gz")),
            None => {
                eprintln!("KULANZ_HISTORIES is not set: an invented history of the same shape");
                self.invented(FINES)
            }
        }
    }

    fn invented(&self, accounts: u32) -> Result<PathBuf> {
        let file = self.scratch.0.join(format!("invented-{accounts}.ndjson"));
        if !file.is_file() {
            eprintln!("inventing a history of {accounts} accounts");
            synthetic::write(&file, accounts)?;
        }
        Ok(file)
    }

    /// Events a second of the whole command, and its peak of memory.
    fn back_test(&self) -> Result<Vec<Figure>> {
        let file = self.fines()?;
        let out = self.scratch.fresh("backtest")?;
        let (mut rates, mut peaks) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            let ran = child::run(&file, &out)?;
            if run == 1 {
                history::reconcile(&ran.summary, &file)?;
                eprintln!("backtest: the money agrees with an independent sum over the file");
            }
            eprintln!("backtest: run {run} of {RUNS} took {:.2} s", ran.took.as_secs_f64());
            rates.push(ran.summary.events as f64 / ran.took.as_secs_f64());
            peaks.push(ran.peak_bytes as f64 / 1e6);
        }
        let ((rate, rates), (peak, peaks)) = (middle(&rates), middle(&peaks));
        Ok(vec![
            Figure {
                name: "backtest_events_per_s",
                value: rate,
                unit: "events/s",
                ratio: rate / 100_000.0,
                against: "at least 100000 events/s".to_owned(),
                spread: rates,
                held: rate >= 100_000.0,
            },
            Figure {
                name: "backtest_peak_mb",
                value: peak,
                unit: "MB",
                ratio: peak / 500.0,
                against: "at most 500 MB".to_owned(),
                spread: peaks,
                held: peak <= 500.0,
            },
        ])
    }

    /// Import and a bare loop over the same rows, in turn.
    async fn import(&self) -> Result<Vec<Figure>> {
        let file = self.fines()?;
        eprintln!("import: collecting the rows");
        let folder = self.scratch.fresh("collect")?;
        let appends = import::appends(&self.shipped, &file, &folder).await?;
        let (mut ratios, mut bare_rates) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            let folder = self.scratch.fresh("import")?;
            let (events, took) = import::import(&self.shipped, &file, &folder).await?;
            let bare = bare_insert(&self.scratch.fresh("bare")?, &appends)?;
            let (took, bare) = (took.as_secs_f64(), bare.as_secs_f64());
            eprintln!("import: run {run} of {RUNS}: {took:.2} s, the bare loop {bare:.2} s");
            ratios.push(bare / took);
            bare_rates.push(events as f64 / bare);
        }
        let ((ratio, ratios), (bare, _)) = (middle(&ratios), middle(&bare_rates));
        let rates = (bare * ratios.0, bare * ratios.1);
        Ok(vec![Figure {
            name: "import_vs_sqlite",
            value: bare * ratio,
            unit: "events/s",
            ratio,
            against: format!("a bare loop's {bare:.0} events/s, at least 0.5 of it"),
            spread: rates,
            held: ratio >= 0.5,
        }])
    }

    async fn page(&self) -> Result<Vec<Figure>> {
        let file = self.invented(PAGES)?;
        eprintln!("page: importing {PAGES} accounts");
        let folder = self.scratch.fresh("page")?;
        let took = page::answers(&self.shipped, &file, &folder, PAGES).await?;
        let (median, spread) = middle(&took);
        Ok(vec![Figure {
            name: "page_median_ms",
            value: median,
            unit: "ms",
            ratio: median / 2.0,
            against: format!("at most 2 ms, {} pages", took.len()),
            spread,
            held: median <= 2.0,
        }])
    }

    /// Messages a second through gateways that take their time.
    async fn send(&self) -> Result<Vec<Figure>> {
        let mut rates = Vec::new();
        for run in 1..=RUNS {
            let ran = send::run(&self.shipped, &self.scratch.fresh("send")?, run).await?;
            let rate = f64::from(ran.messages) / ran.took.as_secs_f64();
            eprintln!(
                "send: run {run} of {RUNS}: {} messages in {:.2} s, {rate:.0} a second, {} at once",
                ran.messages,
                ran.took.as_secs_f64(),
                ran.at_once
            );
            rates.push(rate);
        }
        let (rate, spread) = middle(&rates);
        Ok(vec![Figure {
            name: "send_per_s",
            value: rate,
            unit: "messages/s",
            ratio: rate / 500.0,
            against: "at least 500 messages/s with two gateways that answer after 50 ms".to_owned(),
            spread,
            held: rate >= 500.0,
        }])
    }

    /// What `kulanz policy check` does with a folder of many policies and their texts.
    fn check(&self) -> Result<Vec<Figure>> {
        let folder = self.scratch.fresh("check")?;
        check::write(&folder)?;
        let mut took = Vec::new();
        for run in 1..=RUNS {
            let ms = check::run(&folder)?.as_secs_f64() * 1000.0;
            eprintln!("check: run {run} of {RUNS} took {ms:.0} ms");
            took.push(ms);
        }
        let (median, spread) = middle(&took);
        Ok(vec![Figure {
            name: "check_20_ms",
            value: median,
            unit: "ms",
            ratio: median / 1000.0,
            against: format!("at most 1000 ms for {} policies", check::POLICIES),
            spread,
            held: median <= 1000.0,
        }])
    }

    /// The book that is planned on and forecast, filled once, and how many accounts it has.
    async fn planned(&self) -> Result<(PathBuf, u32)> {
        let asked = std::env::var("KULANZ_PLAN_ACCOUNTS").ok();
        let asked = asked.map(|text| text.parse::<u32>()).transpose();
        let accounts = asked.context("KULANZ_PLAN_ACCOUNTS is a number")?.unwrap_or(PLANNED);
        let folder = self.scratch.0.join("plan");
        if !folder.is_dir() {
            eprintln!("plan: filling a book of {accounts} accounts");
            plan::fill(&self.shipped, &folder, accounts).await?;
        }
        Ok((folder, accounts))
    }

    /// Seconds of a whole forecast over 90 days, comparison with days that are over included, and
    /// its peak of memory.
    async fn simulate(&self) -> Result<Vec<Figure>> {
        let (folder, accounts) = self.planned().await?;
        let (mut took, mut peaks) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            let (ran, report) = simulate::run(&folder)?;
            let euro = report.currencies.get("EUR").context("the shop sells in euros")?;
            let Some(end) = euro.forecast.as_ref().and_then(|forecast| forecast.weeks.last())
            else {
                bail!("nothing was forecast: {:?}", euro.too_little);
            };
            eprintln!(
                "simulate: run {run} of {RUNS} took {:.2} s; {} claims of {} open, {} recovered",
                ran.took.as_secs_f64(),
                euro.start.claims,
                euro.start.open,
                end.recovered.middle
            );
            // Of a smaller book the time that a million would have taken.
            let share = f64::from(PLANNED) / f64::from(accounts);
            took.push(ran.took.as_secs_f64() * share);
            peaks.push(ran.peak_bytes as f64 / 1e6);
        }
        let ((seconds, spread), (peak, peaks)) = (middle(&took), middle(&peaks));
        Ok(vec![
            Figure {
                name: "simulate_1m_s",
                value: seconds,
                unit: "s",
                ratio: seconds / 180.0,
                against: format!(
                    "at most 180 s for a million accounts x {} days on two cores, measured on \
                     {accounts} from SQLite",
                    simulate::DAYS
                ),
                spread,
                held: seconds <= 180.0,
            },
            Figure {
                name: "simulate_peak_mb",
                value: peak,
                unit: "MB",
                ratio: peak / 3000.0,
                against: format!("at most 3000 MB, measured on {accounts} accounts"),
                spread: peaks,
                held: peak <= 3000.0,
            },
        ])
    }

    /// Accounts a second of a plan over 30 days, and its peak of memory.
    async fn plan(&self) -> Result<Vec<Figure>> {
        let (folder, accounts) = self.planned().await?;
        let (mut rates, mut peaks) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            let (ran, report) = plan::run(&folder)?;
            if report.accounts != u64::from(accounts) || report.changed.count == 0 {
                bail!("a plan over {} accounts changed {}", report.accounts, report.changed.count);
            }
            eprintln!(
                "plan: run {run} of {RUNS} took {:.2} s; {} with something open, {} messages",
                ran.took.as_secs_f64(),
                report.open,
                report.in_force.messages
            );
            rates.push(f64::from(accounts) / ran.took.as_secs_f64());
            peaks.push(ran.peak_bytes as f64 / 1e6);
        }
        let ((rate, rates), (peak, peaks)) = (middle(&rates), middle(&peaks));
        let least = f64::from(PLANNED) / 60.0;
        Ok(vec![
            Figure {
                name: "plan_1m_accounts_per_s",
                value: rate,
                unit: "accounts/s",
                ratio: rate / least,
                against: format!(
                    "a million accounts x 30 days in 60 s, measured on {accounts} from SQLite"
                ),
                spread: rates,
                held: rate >= least,
            },
            Figure {
                name: "plan_peak_mb",
                value: peak,
                unit: "MB",
                ratio: peak / 3000.0,
                against: format!("at most 3000 MB, measured on {accounts} accounts"),
                spread: peaks,
                held: peak <= 3000.0,
            },
        ])
    }

    /// Decisions a second on one core, for accounts that are in memory.
    fn decide(&self) -> Result<Vec<Figure>> {
        let warm = decide::warm(&self.scratch.fresh("decide")?)?;
        let rates: Vec<f64> = (0..RUNS).map(|_| warm.run()).collect::<Result<_>>()?;
        let (rate, spread) = middle(&rates);
        Ok(vec![Figure {
            name: "decide_per_s_core",
            value: rate,
            unit: "/s/core",
            ratio: rate / 300_000.0,
            against: "at least 300000 accounts/s on one core, 8 steps, 6 personas".to_owned(),
            spread,
            held: rate >= 300_000.0,
        }])
    }

    /// Import and back-test of a history and of one twice as large, in turn.
    async fn growth(&self) -> Result<Vec<Figure>> {
        let files = [self.invented(SMALL)?, self.invented(2 * SMALL)?];
        let mut ratios = Vec::new();
        for run in 1..=RUNS {
            let mut took = [0.0; 2];
            for (file, took) in files.iter().zip(&mut took) {
                let folder = self.scratch.fresh("growth")?;
                let (_, imported) = import::import(&self.shipped, file, &folder).await?;
                let played = child::run(file, &self.scratch.fresh("backtest")?)?;
                *took = imported.as_secs_f64() + played.took.as_secs_f64();
            }
            eprintln!("growth: run {run} of {RUNS}: {:.2} s, then {:.2} s", took[0], took[1]);
            ratios.push(took[1] / took[0]);
        }
        let (ratio, spread) = middle(&ratios);
        Ok(vec![Figure {
            name: "growth_2x",
            value: ratio,
            unit: "times",
            ratio: ratio / 2.2,
            against: "at most 2.2 times for twice the accounts".to_owned(),
            spread,
            held: ratio <= 2.2,
        }])
    }
}
