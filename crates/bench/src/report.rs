//! Figures, each as a ratio to a limit or to a peer in the same run.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;

/// One figure, in the form that all benchmarks keep.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Name, also of its file.
    pub name: &'static str,
    /// Median over the runs.
    pub value: f64,
    /// Unit of the value.
    pub unit: &'static str,
    /// Value by limit or peer.
    pub ratio: f64,
    /// Which limit or peer, and on which side of it is good.
    pub against: String,
    /// Smallest and largest of the runs: the machine's noise. For people, not for the file.
    #[serde(skip)]
    pub spread: (f64, f64),
    /// Whether it keeps to the limit.
    #[serde(skip)]
    pub held: bool,
}

/// The middle of `values` and their smallest and largest; zero of none.
pub fn middle(values: &[f64]) -> (f64, (f64, f64)) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0.0);
    (at(sorted.len() / 2), (at(0), at(sorted.len().saturating_sub(1))))
}

/// Writes `figures` to `folder/NAME.json`.
pub fn write(folder: &Path, name: &str, figures: &[Figure]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let file = folder.join(format!("{name}.json"));
    let json = serde_json::to_string_pretty(figures)?;
    fs::write(&file, json + "\n").with_context(|| file.display().to_string())
}

/// Prints `figures` as a table.
pub fn print(figures: &[Figure]) {
    println!(
        "\n{:<23} {:>12} {:<9} {:>6}  {:<27} against",
        "name", "value", "unit", "ratio", "smallest .. largest"
    );
    for figure in figures {
        let shown = |value: f64| match value {
            large if large >= 1000.0 => format!("{large:.0}"),
            small => format!("{small:.2}"),
        };
        let spread = format!("{} .. {}", shown(figure.spread.0), shown(figure.spread.1));
        let verdict = if figure.held { "" } else { "  MISSED" };
        println!(
            "{:<23} {:>12} {:<9} {:>6.2}  {spread:<27} {}{verdict}",
            figure.name,
            shown(figure.value),
            figure.unit,
            figure.ratio,
            figure.against
        );
    }
}
