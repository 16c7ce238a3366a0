//! A history file, read, decoded and played: the whole way of a back-test.

use std::{
    collections::BTreeMap,
    io::BufReader,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, anyhow, bail};
use jiff::civil::Date;
use kulanz_domain::ids::CreditorId;
use kulanz_engine::{
    SharedRules,
    backtest::{History, Options, Outcome, Summary, Told},
};
use kulanz_policies::Loaded;
use kulanz_wire::{DecodeOptions, files};

use crate::sum;

/// Bytes of lines that are decoded at once.
const CHUNK: usize = 512 * 1024;

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// The shipped policies.
pub fn policies() -> PathBuf {
    workspace().join("policies")
}

/// Policies and creditors.
pub struct Shipped {
    /// As loaded.
    pub loaded: Loaded,
}

impl Shipped {
    /// Reads the folder of policies.
    pub fn load(folder: &Path) -> Result<Self> {
        let loaded = kulanz_policies::load(folder, Date::constant(2026, 11, 21));
        let loaded = loaded.map_err(|found| {
            let first = found.first().map_or_else(String::new, |one| one.message.clone());
            anyhow!("{} findings in {}, the first: {first}", found.len(), folder.display())
        })?;
        Ok(Self { loaded })
    }

    /// The rules in force.
    pub fn rules(&self) -> SharedRules {
        let rules = self.loaded.rules.iter();
        SharedRules::new(rules.map(|(id, rules)| (id.clone(), rules.clone())).collect())
    }

    /// Whether the creditor's file lists the attribute as harmless.
    pub fn is_harmless(&self, creditor: &CreditorId, attribute: &str) -> bool {
        let file = self.loaded.creditors.get(creditor);
        file.is_some_and(|file| file.harmless_attributes.iter().any(|name| name == attribute))
    }
}

/// The lines of `file`, many at once, each ended by a line feed.
fn chunks(file: &Path) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
    let mut lines = files::open(file)?;
    let mut next = move || -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        while chunk.len() < CHUNK
            && let Some(line) = lines.next_line()?
        {
            let bytes = line.content.map_err(|rejection| anyhow!("{rejection}"))?;
            chunk.extend_from_slice(bytes);
            chunk.push(b'\n');
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// Back-tests `file`; all of its lines must be events.
pub fn back_test(shipped: &Shipped, file: &Path) -> Result<Outcome> {
    let harmless = |creditor: &CreditorId, name: &str| shipped.is_harmless(creditor, name);
    let options = DecodeOptions { harmless_attributes: &harmless };
    let mut history = History::default();
    let wrong: Mutex<BTreeMap<String, u64>> = Mutex::default();
    history.gather(None, chunks(file)?, |chunk: Vec<u8>| {
        let decoded =
            kulanz_wire::lines(&chunk).map(|(_, line)| kulanz_wire::decode(line, &options));
        let told = decoded.filter_map(|event| match event {
            Ok(event) => {
                let (source, id) = &event.key;
                Some(Told::new(source, id, event.account, event.stamp, event.fact))
            }
            Err(rejection) => {
                let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                *wrong.entry(rejection.sentence).or_default() += 1;
                None
            }
        });
        told.collect()
    })?;
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((sentence, count)) = wrong.iter().next() {
        bail!("{count} events of {} cannot be read: {sentence}", file.display());
    }
    Ok(history.play(&shipped.rules(), &Options::default(), |_| {}))
}

/// Compares a back-test's money with the independent sum over the same file.
pub fn reconcile(summary: &Summary, file: &Path) -> Result<()> {
    let open = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    let sums = match file.extension().is_some_and(|ending| ending == "gz") {
        true => sum::of(BufReader::new(flate2::read::MultiGzDecoder::new(open)))?,
        false => sum::of(BufReader::new(open))?,
    };
    let mut told = sum::Sums::new();
    for (code, totals) in &summary.currencies {
        let cents = |amount: &rust_decimal::Decimal| sum::cents(&amount.to_string().into());
        told.insert(code.clone(), (cents(&totals.principal)?, cents(&totals.paid)?));
    }
    if told != sums {
        bail!(
            "the back-test has {told:?}, the independent sum {sums:?} (principal, paid in cents)"
        );
    }
    Ok(())
}
