//! Where the database is, how it is reached, and how long anything may take.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::tls::Tls;
use crate::StoreError;

/// Longest time for anything that is asked of the server, and for what comes before it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server may take to answer a new connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A database as a URL names it: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, with the
/// parameters of libpq.
///
/// `sslmode=disable` speaks in the clear. All else that may stand there (`require`, `verify-ca`,
/// `verify-full`) means TLS with the server's certificate verified, by the system's roots or those
/// in `sslrootcert`. Without `sslmode`, loopback and sockets are in the clear, all others TLS.
/// `prefer` and `allow`, which mean "in the clear if somebody wants it so", are refused.
#[derive(Clone)]
pub struct PostgresConfig {
    pub(super) client: Config,
    pub(super) tls: Option<Tls>,
    pub(super) patience: Duration,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl PostgresConfig {
    /// `USER at HOST:PORT/DATABASE`, without the password.
    pub fn place(&self) -> String {
        let hosts = self.client.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let host = hosts.collect::<Vec<_>>().join(",");
        let port = self.client.get_ports().first().copied().unwrap_or(5432);
        let user = self.client.get_user().unwrap_or("?");
        format!("{user} at {host}:{port}/{}", self.database())
    }

    /// Whether the URL has a password in it.
    pub fn has_password(&self) -> bool {
        self.client.get_password().is_some()
    }

    /// The same with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.client.password(password);
        self
    }

    pub(super) fn user(&self) -> &str {
        self.client.get_user().unwrap_or("?")
    }

    pub(super) fn database(&self) -> &str {
        self.client.get_dbname().or(self.client.get_user()).unwrap_or("?")
    }

    /// The same with another limit for each thing that is asked of the server.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        let connect = self.client.get_connect_timeout().copied().unwrap_or(CONNECT);
        self.client.connect_timeout(connect.min(patience));
        self.patience = patience;
        self
    }

    pub(super) fn connect_patience(&self) -> Duration {
        self.client.get_connect_timeout().copied().unwrap_or(CONNECT)
    }
}

impl FromStr for PostgresConfig {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let url = url.trim();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            // The text itself is not repeated: it may be a password in the wrong place.
            return Err(unusable("its URL does not begin with postgres://"));
        }
        let (plain, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (mut ssl_mode, mut roots) = (None, None);
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => ssl_mode = Some(mode),
                Some(("sslrootcert", path)) => roots = Some(PathBuf::from(path)),
                _ => others.push(parameter),
            }
        }
        let mut client = Config::from_str(&format!("{plain}?{}", others.join("&")))
            .map_err(|error| unusable(format!("its URL is wrong: {}", said(&error))))?;
        if client.get_hosts().is_empty() {
            return Err(unusable("its URL names no host"));
        }
        if client.get_user().is_none() {
            return Err(unusable("its URL names no user"));
        }
        let encrypted = match ssl_mode {
            None => !client.get_hosts().iter().all(is_near),
            Some("disable") => false,
            Some("require" | "verify-ca" | "verify-full") => true,
            Some(other) => {
                return Err(unusable(format!(
                    "sslmode={other} is not offered: use verify-full, or disable for a server \
                     on this machine"
                )));
            }
        };
        let tls = if encrypted { Some(Tls::new(roots.as_deref())?) } else { None };
        client
            .ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable })
            .keepalives_idle(Duration::from_secs(60))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(PATIENCE);
        if client.get_connect_timeout().is_none() {
            client.connect_timeout(CONNECT);
        }
        if client.get_application_name().is_none() {
            client.application_name("kulanz");
        }
        Ok(Self { client, tls, patience: PATIENCE })
    }
}

/// What the client says, with the cause below it.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

pub(super) fn unusable(why: impl Into<String>) -> StoreError {
    StoreError::Unusable(why.into())
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn encrypted(url: &str) -> bool {
        url.parse::<PostgresConfig>().unwrap().tls.is_some()
    }

    #[test]
    fn who_is_not_on_this_machine_is_spoken_to_by_tls_unless_told_otherwise() {
        assert!(!encrypted("postgres://k:p@localhost/kulanz"));
        assert!(!encrypted("postgresql://k:p@127.0.0.1:5433/kulanz?application_name=x"));
        assert!(!encrypted("postgres://k@%2Fvar%2Frun%2Fpostgresql/kulanz"));
        assert!(encrypted("postgres://k:p@db.example.org/kulanz"));
        assert!(encrypted("postgres://k:p@localhost/kulanz?sslmode=verify-full"));
        assert!(!encrypted("postgres://k:p@db.example.org/kulanz?sslmode=disable"));
    }

    #[test]
    fn a_wrong_url_is_refused_with_what_is_wrong_and_without_the_password() {
        for (url, word) in [
            ("mysql://k:geheim@h/d", "postgres://"),
            ("postgres://k:geheim@h/d?sslmode=prefer", "verify-full"),
            ("postgres://k:geheim@h:port/d", "wrong"),
            ("postgres:///d?user=k", "no host"),
            ("postgres://h/d", "no user"),
            ("postgres://k:geheim@h/d?sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ] {
            let refused = url.parse::<PostgresConfig>().unwrap_err().to_string();
            assert!(refused.contains(word) && !refused.contains("geheim"), "{refused}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let config: PostgresConfig = "postgres://k:geheim@localhost/kulanz".parse().unwrap();
        assert_eq!(format!("{config:?}"), "k at localhost:5432/kulanz");
    }
}
