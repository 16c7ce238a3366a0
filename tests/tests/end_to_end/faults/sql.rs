//! What lies in the database, read by PostgreSQL's own client: the log, and what others may read.

use std::{path::PathBuf, process::Command, sync::LazyLock};

use super::super::world::repository;

pub static PSQL: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = repository().join("tests/tools/postgres.sh");
    let said = Command::new("bash").arg(script).arg("programs").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    PathBuf::from(String::from_utf8(said.stdout).unwrap().trim()).join("psql")
});

/// Rows of a statement; an error of the database where it does not answer.
pub fn try_rows(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let said = Command::new(&*PSQL)
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t"])
        .args(["--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", sql])
        .output()
        .unwrap();
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).into_owned());
    }
    let text = String::from_utf8(said.stdout).unwrap();
    Ok(text.lines().map(|line| line.split('\t').map(ToOwned::to_owned).collect()).collect())
}

#[track_caller]
pub fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    try_rows(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// One number.
#[track_caller]
pub fn number(url: &str, sql: &str) -> u64 {
    rows(url, sql)[0][0].parse().unwrap()
}
