//! Other programs that do a like job, each built or installed by its own means and run in a
//! process of its own, against the PostgreSQL that Kulanz is measured on. What they are and how
//! they are set up stands in `crates/bench/peers`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{target, workspace};

/// Commands a second that cqrs-es over postgres-es takes: `commands` over `accounts`, in the
/// database of `url`, whose table `events` is made anew.
///
/// # Errors
/// If it cannot be built or run, or did not do all that was asked for.
pub fn postgres_es(url: &str, accounts: u32, commands: u32) -> Result<f64> {
    #[derive(Deserialize)]
    struct Told {
        commands: u32,
        accounts: u32,
        per_s: f64,
    }
    let package = folder().join("postgres-es");
    // Apart from what is built of the workspace: `target/peers`, wherever the target folder is.
    let built = target().join("peers");
    eprintln!("peer: building postgres-es");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]);
    build.arg(package.join("Cargo.toml")).env("CARGO_TARGET_DIR", &built);
    output(&mut build, "building postgres-es")?;
    let mut peer = Command::new(built.join("release/postgres-es-peer"));
    peer.args(["--url", url, "--accounts", &accounts.to_string()]);
    peer.args(["--commands", &commands.to_string()]);
    let told: Told = line(&mut peer, "postgres-es")?;
    ensure!(
        (told.accounts, told.commands) == (accounts, commands),
        "postgres-es took {} commands over {} accounts, not {commands} over {accounts}",
        told.commands,
        told.accounts
    );
    rate(told.per_s, "postgres-es")
}

/// Receivables a second that Tryton duns to its first level: `accounts` of them, in a database
/// that it makes and drops on the server of `admin_url`. Tryton is installed into `cache` once.
///
/// # Errors
/// If it cannot be installed or run, or did not dun all of them.
pub fn tryton(cache: &Path, admin_url: &str, accounts: u32) -> Result<f64> {
    #[derive(Deserialize)]
    struct Told {
        accounts: u32,
        per_s: f64,
    }
    let mut peer = Command::new("bash");
    peer.arg(folder().join("tryton/run.sh")).arg(cache).arg(admin_url).arg(accounts.to_string());
    let told: Told = line(&mut peer, "Tryton")?;
    ensure!(
        told.accounts == accounts,
        "Tryton dunned {} receivables, not {accounts}",
        told.accounts
    );
    rate(told.per_s, "Tryton")
}

fn folder() -> PathBuf {
    workspace().join("crates/bench/peers")
}

/// The line of JSON that a peer prints.
fn line<T: for<'a> Deserialize<'a>>(command: &mut Command, what: &str) -> Result<T> {
    let told = output(command, what)?;
    serde_json::from_str(told.trim()).with_context(|| format!("{what} printed {told:?}"))
}

/// Runs `command`; its standard output. How far it is and what is wrong goes past, to our
/// standard error.
fn output(command: &mut Command, what: &str) -> Result<String> {
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let done = done.with_context(|| format!("{what} cannot be started"))?;
    if !done.status.success() {
        bail!("{what} failed ({}), see above", done.status);
    }
    Ok(String::from_utf8(done.stdout)?)
}

fn rate(per_s: f64, what: &str) -> Result<f64> {
    ensure!(per_s.is_finite() && per_s > 0.0, "{what} told a rate of {per_s}");
    Ok(per_s)
}
