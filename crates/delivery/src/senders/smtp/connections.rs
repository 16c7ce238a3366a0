//! Connections to a mail server that wait for the next message: a run of many goes by a few of them,
//! with one handshake and one sign-in each.
//!
//! The library's own pool lends its connections to its own `send` alone, which does not tell at
//! which command it failed; whether a message may have been delivered rests on that.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use lettre::transport::smtp::{
    Error as SmtpError, client::AsyncSmtpConnection, commands::Rset, response::Response,
};

use crate::measures;

/// For how long a connection waits for the next message. Servers close idle ones after minutes,
/// routers forget them sooner.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// So many messages go by one connection. Some servers take no more.
const MOST: u32 = 100;
/// For how long a server may take to say that it is still there.
const PROBE: Duration = Duration::from_secs(5);
/// For how long a goodbye is waited for: how it goes changes nothing.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection, signed in.
pub(super) struct Line {
    pub(super) connection: AsyncSmtpConnection,
    /// Messages that were begun on it.
    carried: u32,
    /// Whether the last thing that was said had an answer that leaves the connection open.
    sound: bool,
}

impl Line {
    pub(super) fn new(connection: AsyncSmtpConnection) -> Self {
        measures::connected();
        Self { connection, carried: 0, sound: true }
    }

    /// One command. Until its answer is there the connection is good for nothing else.
    pub(super) async fn say(
        &mut self,
        command: impl fmt::Display + Send,
    ) -> Result<Response, SmtpError> {
        self.sound = false;
        let answer = self.connection.command(command).await;
        self.heard(&answer);
        answer
    }

    /// Content, in pieces, and the final dot after the last one.
    pub(super) async fn say_content<'m>(
        &mut self,
        pieces: impl Iterator<Item = &'m [u8]> + Send,
    ) -> Result<Response, SmtpError> {
        self.sound = false;
        let answer = self.connection.message_iter(pieces).await;
        self.heard(&answer);
        answer
    }

    /// 421 is the last that is heard of a server on a connection.
    fn heard(&mut self, answer: &Result<Response, SmtpError>) {
        self.sound = match answer {
            Ok(_) => true,
            Err(error) => error.status().is_some_and(|code| u16::from(code) != 421),
        };
    }

    /// Whoever answers something else than can be answered is not listened to any more.
    pub(super) const fn distrust(&mut self) {
        self.sound = false;
    }

    /// Whether it ended, although it had carried a message before: the server may have had enough
    /// of the connection, and not of us.
    pub(super) const fn wore_out(&self) -> bool {
        self.carried > 0 && !self.sound
    }

    /// Forgets what was said of an earlier message, and shows that the server is there.
    async fn is_ready(&mut self) -> Result<bool, Silent> {
        match tokio::time::timeout(PROBE, self.say(Rset)).await {
            Ok(answer) => Ok(answer.is_ok() && self.sound),
            Err(_) => Err(Silent),
        }
    }

    async fn close(mut self) {
        if self.sound && tokio::time::timeout(GOODBYE, self.connection.quit()).await.is_err() {
            tracing::debug!("the mail server did not answer QUIT");
        }
    }
}

/// The server did not answer at all.
struct Silent;

/// Those that wait.
pub(super) struct Connections {
    waiting: Arc<Mutex<Waiting>>,
    idle: Duration,
    most: usize,
}

#[derive(Default)]
struct Waiting {
    /// The one that was used last is last, and is taken first: few are kept where few are needed.
    lines: Vec<(Line, Instant)>,
    /// Whether somebody closes those that wait for too long.
    watched: bool,
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// Keeps at most `most`, each for as long as `idle`.
    pub(super) fn new(most: u16, idle: Duration) -> Self {
        Self { waiting: Arc::default(), idle, most: usize::from(most) }
    }

    /// One that waited and that the server still listens on.
    pub(super) async fn take(&self) -> Option<Line> {
        loop {
            let (mut line, since) = lock(&self.waiting).lines.pop()?;
            if since.elapsed() >= self.idle {
                continue;
            }
            match line.is_ready().await {
                Ok(true) => return Some(line),
                Ok(false) => {}
                Err(Silent) => {
                    // Nor will the others be answered: they go the same way.
                    lock(&self.waiting).lines.clear();
                    return None;
                }
            }
        }
    }

    /// An attempt on it is over.
    pub(super) async fn give_back(&self, mut line: Line) {
        line.carried += 1;
        if !line.sound {
            return;
        }
        let kept = {
            let mut waiting = lock(&self.waiting);
            if line.carried < MOST && waiting.lines.len() < self.most {
                waiting.lines.push((line, Instant::now()));
                Ok(std::mem::replace(&mut waiting.watched, true))
            } else {
                Err(line)
            }
        };
        match kept {
            Ok(true) => {}
            Ok(false) => drop(tokio::spawn(watch(Arc::downgrade(&self.waiting), self.idle))),
            Err(line) => line.close().await,
        }
    }
}

/// Closes those that wait for too long, for as long as any wait.
async fn watch(waiting: Weak<Mutex<Waiting>>, idle: Duration) {
    loop {
        let (over, next) = {
            let Some(waiting) = waiting.upgrade() else { return };
            let mut waiting = lock(&waiting);
            let fresh = waiting.lines.iter().position(|(_, since)| since.elapsed() < idle);
            let fresh = fresh.unwrap_or(waiting.lines.len());
            let over: Vec<_> = waiting.lines.drain(..fresh).collect();
            let next = waiting.lines.first().map(|(_, since)| *since + idle);
            waiting.watched = next.is_some();
            (over, next)
        };
        for (line, _) in over {
            line.close().await;
        }
        let Some(next) = next else { return };
        tokio::time::sleep_until(next.into()).await;
    }
}
