//! The contract as its users see it: published schemas, examples kept for ever, hostile input.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod examples;
mod hostile;
mod schemas;

use std::{
    fs,
    path::{Path, PathBuf},
};

use kulanz_wire::DecodeOptions;

/// The attribute `tier` is harmless at `lindenmoor`, all others are personal.
const OPTIONS: DecodeOptions<'static> = DecodeOptions {
    harmless_attributes: &|creditor, name| creditor.as_str() == "lindenmoor" && name == "tier",
};

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

/// Files of a folder in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Compares with a committed file, or rewrites it where `UPDATE_SCHEMAS` is set.
fn same_as_committed(file: &Path, text: &str) -> bool {
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    fs::read_to_string(file).is_ok_and(|committed| committed == text)
}
