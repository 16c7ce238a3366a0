//! Messages that all fall due at one moment leave through the real dispatcher: half of them by an
//! SMS gateway, half by a mail server, both on this machine, each answering after a while as real
//! ones do.
//!
//! `KULANZ_SEND_DATABASE` names an empty PostgreSQL database to do it on; else it is SQLite.
//! `KULANZ_SEND_MESSAGES` is how many, `KULANZ_SEND_ANSWER_MS` how long a gateway takes.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::{ToSpan, civil::date};
use kulanz_delivery::{
    dispatcher::{Dispatcher, Letterhead},
    render::{Creditor as RenderCreditor, Templates, TextKey, TextSource},
    senders::{Origin, Sender, SmsGateway, Smtp},
};
use kulanz_domain::{
    fact::{BirthTold, Channel, DebtorKind, DebtorProfile, Fact, Invoice, Stamp, Supply},
    ids::{AccountId, CreditorId, DebtorId, InvoiceId},
    money::{Currency, Decimal, Money},
    policy::{Policy, Rules},
};
use kulanz_engine::{
    Engine, Incoming, Mode, Receipt, SharedRules, clock::Clock, store::OutboxState, vault::Vault,
};
use kulanz_store::{InboxKey, Store, postgres::PostgresStore, sqlite::SqliteStore};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::history::Shipped;

const CREDITOR: &str = "lindenmoor";
/// A Monday, noon in Berlin.
const NOW: &str = "2026-10-12T10:00:00Z";
/// Longest time in which nothing moves.
const STUCK: Duration = Duration::from_secs(60);

/// What a run came to.
pub struct Ran {
    /// Messages.
    pub messages: u32,
    /// From the first look at the outbox until all of them are recorded as sent.
    pub took: Duration,
    /// The most that both gateways together were asked at the same time.
    pub at_once: u32,
}

/// A number from the environment.
fn number(name: &str, otherwise: u32) -> Result<u32> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is a number")),
        Err(_) => Ok(otherwise),
    }
}

/// What the gateways were given.
#[derive(Default)]
struct Asked {
    keys: Mutex<HashMap<String, u32>>,
    /// Now and at most.
    at_once: Mutex<(u32, u32)>,
    failed: AtomicBool,
}

impl Asked {
    /// Takes down a message, and answers after `wait`.
    async fn take(&self, key: String, wait: Duration) {
        {
            let mut at_once = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
        }
        tokio::time::sleep(wait).await;
        self.at_once.lock().unwrap_or_else(PoisonError::into_inner).0 -= 1;
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }

    fn count(&self) -> usize {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Sends that many messages from a new store in `folder`, or from the database that is named.
pub async fn run(shipped: &Shipped, folder: &Path, run: usize) -> Result<Ran> {
    let messages = number("KULANZ_SEND_MESSAGES", 4_000)?;
    let wait = Duration::from_millis(u64::from(number("KULANZ_SEND_ANSWER_MS", 50)?));
    let store: Arc<dyn Store> = match std::env::var("KULANZ_SEND_DATABASE") {
        Ok(url) => Arc::new(PostgresStore::open_shared(url.parse()?).await?),
        Err(_) => Arc::new(SqliteStore::open(folder)?),
    };
    let (vault, clock) = (Arc::new(Vault::new([7; 32])), Clock::standing(NOW.parse()?));
    let engine = Engine::start(store, vault, clock, rules(shipped)?, Mode::Serving);
    let asked = Arc::new(Asked::default());
    let (sms, smtp) = (listen(&asked, wait, gateway).await?, listen(&asked, wait, mail).await?);
    let dispatcher = Arc::new(dispatcher(shipped, &engine, sms, smtp)?);
    for first in (0..messages).step_by(500) {
        let mut facts = Vec::new();
        for number in first..(first + 500).min(messages) {
            overdue(&format!("{}-{run}", std::process::id()), number, &mut facts)?;
        }
        let receipts = engine.record(facts).await?;
        ensure!(receipts.iter().all(|one| *one == Receipt::Accepted), "{receipts:?}");
    }
    engine.run_due().await?;
    let creditor = CreditorId::new(CREDITOR)?;
    let queued = engine.store().queued_count(creditor.clone(), None, None).await?;
    ensure!(queued == u64::from(messages), "{queued} of {messages} were decided");
    let begun = Instant::now();
    let (stop, told) = tokio::sync::watch::channel(false);
    let sending = tokio::spawn({
        let dispatcher = Arc::clone(&dispatcher);
        async move { dispatcher.run(told).await }
    });
    all_sent(&engine, &asked, messages).await?;
    let took = begun.elapsed();
    stop.send_replace(true);
    sending.await?;
    let keys = asked.keys.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(keys.values().all(|times| *times == 1), "a message was sent twice");
    ensure!(!asked.failed.load(Ordering::Relaxed), "a gateway did not understand");
    let at_once = asked.at_once.lock().unwrap_or_else(PoisonError::into_inner).1;
    Ok(Ran { messages, took, at_once })
}

async fn all_sent(engine: &Engine, asked: &Asked, messages: u32) -> Result<()> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let count = asked.count();
        if count >= usize::try_from(messages)? {
            let store = engine.store();
            if store.outbox(Some(OutboxState::Sending), 1).await?.is_empty()
                && store.outbox(Some(OutboxState::Queued), 1).await?.is_empty()
            {
                return Ok(());
            }
        }
        if count > last {
            (last, since) = (count, Instant::now());
        } else if since.elapsed() > STUCK {
            bail!("{count} of {messages} were sent, and nothing moves");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The shop's, without its brake, all at the same minute.
fn rules(shipped: &Shipped) -> Result<SharedRules> {
    let id = CreditorId::new(CREDITOR)?;
    let rules = shipped.rules().get(&id).context("the shop is shipped")?;
    let policy = rules.policy(Currency::EUR).context("the shop has a policy in euros")?;
    let mut policy = Policy::clone(policy);
    (policy.brake, policy.spread_minutes) = (None, 0);
    let mut rules = Rules::clone(&rules);
    rules.policies.insert("EUR", Arc::new(policy));
    Ok(SharedRules::new(HashMap::from([(id, Arc::new(rules))])))
}

fn dispatcher(shipped: &Shipped, engine: &Engine, sms: u16, smtp: u16) -> Result<Dispatcher> {
    let sms = json!({ "url": format!("http://127.0.0.1:{sms}/"), "from": "Lindenmoor" });
    let smtp = json!({
        "host": "127.0.0.1", "port": smtp, "tls": "none", "from": "billing@lindenmoor.example"
    });
    let sms: Arc<dyn Sender> = Arc::new(SmsGateway::new(serde_json::from_value(sms)?)?);
    let smtp: Arc<dyn Sender> = Arc::new(Smtp::new(serde_json::from_value(smtp)?)?);
    let senders = BTreeMap::from([(Channel::Sms, sms), (Channel::Email, smtp)]);
    let id = CreditorId::new(CREDITOR)?;
    let file = shipped.loaded.creditors.get(&id).context("the shop is shipped")?;
    let head = Letterhead {
        creditor: RenderCreditor {
            name: file.trading_name.clone(),
            support_email: Some(file.support.email.clone()),
            support_phone: Some(file.support.phone.clone()),
            iban: Some(file.iban.clone()),
            imprint: file.imprint.clone(),
            colour: Default::default(),
        },
        origin: Origin { name: file.trading_name.clone(), ..Origin::default() },
    };
    let (heads, url) = (HashMap::from([(id, head)]), "https://pay.example.org".to_owned());
    let dispatcher = Dispatcher::new(engine.clone(), heads, senders, url);
    for policy in shipped.loaded.policies.iter() {
        let texts = policy.templates.iter().map(|(key, template)| {
            let key = TextKey {
                text: key.text.clone(),
                language: key.language.clone(),
                tone: key.tone.clone(),
                channel: key.channel,
            };
            let file = template.file.display().to_string();
            (key, TextSource { file, source: template.source.to_string() })
        });
        let texts = Templates::compile(texts);
        let texts = texts.map_err(|wrong| anyhow!("{} texts are wrong", wrong.len()))?;
        let reference = &policy.policy.reference;
        dispatcher.add_texts(reference.name.as_str(), reference.version, Arc::new(texts));
    }
    Ok(dispatcher)
}

/// A debtor who can be reached by one channel, with an invoice that the first step is due of.
fn overdue(run: &str, number: u32, facts: &mut Vec<Incoming>) -> Result<()> {
    let debtor = DebtorId::new(&format!("K-{run}-{number}"))?;
    let account = AccountId::new(CreditorId::new(CREDITOR)?, debtor);
    let channel = if number.is_multiple_of(2) { Channel::Sms } else { Channel::Email };
    let profile = DebtorProfile {
        kind: DebtorKind::Consumer,
        language: "de".to_owned(),
        country: "DE".to_owned(),
        region: None,
        timezone: None,
        reachable: vec![channel],
        prefers: Vec::new(),
        pays_with: Vec::new(),
        hours: None,
        sms_consent: Some(true),
        vulnerable: false,
        address_researched: false,
        represented: false,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: Default::default(),
    };
    let person = json!({
        "name": "Kim Muster", "email": format!("kim.{number}@example.org"),
        "mobile": format!("+4915{:09}", number)
    });
    let due_on = date(2026, 10, 12).checked_sub(6.days())?;
    let invoice = Invoice {
        invoice: InvoiceId::new(&format!("R-{number}"))?,
        issued_on: due_on.checked_sub(14.days())?,
        due_on,
        amount: Money::new(Decimal::new(8_990, 2), Currency::EUR),
        contract_on: None,
        contract_object_known: false,
        contract_rate: None,
        received_on: None,
        due_date_agreed: false,
        late_payment_notice: true,
        supply: Supply::GoodsServices,
        consumer_credit: false,
    };
    let told = [
        (
            Fact::DebtorUpdated { profile },
            vec![("debtor".to_owned(), serde_json::to_vec(&person)?)],
        ),
        (Fact::InvoiceIssued { invoice }, Vec::new()),
    ];
    for (nth, (fact, secrets)) in told.into_iter().enumerate() {
        let (id, at) = (format!("{run}-{number}-{nth}"), NOW.parse()?);
        facts.push(Incoming {
            key: InboxKey { source: "/bench".to_owned(), id: id.clone() },
            account: account.clone(),
            stamp: Stamp { at, id },
            fact,
            secrets,
            recorded_at: None,
            trace: None,
        });
    }
    Ok(())
}

/// Listens on a free port; `serve` has each connection.
async fn listen<F>(
    asked: &Arc<Asked>,
    wait: Duration,
    serve: impl Fn(TcpStream, Arc<Asked>, Duration) -> F + Send + 'static,
) -> Result<u16>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let asked = Arc::clone(asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (served, asked) = (serve(stream, Arc::clone(&asked), wait), Arc::clone(&asked));
            tokio::spawn(async move {
                if let Err(error) = served.await {
                    eprintln!("send: a gateway failed: {error}");
                    asked.failed.store(true, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(port)
}

/// An SMS gateway: whatever it is asked, it answers 200.
async fn gateway(stream: TcpStream, asked: Arc<Asked>, wait: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut key, mut line) = (0, String::new(), String::new());
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "idempotency-key" => key = value.to_owned(),
                _ => {}
            }
        }
        stream.read_exact(&mut vec![0; length]).await?;
        asked.take(key, wait).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await?;
    }
}

/// A mail server that takes everything; the answer to the end of a message is what takes time.
async fn mail(stream: TcpStream, asked: Arc<Asked>, wait: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 bench\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let word = line.trim_end().to_ascii_uppercase();
        let answer: &[u8] = match word.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => b"250-bench\r\n250 8BITMIME\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut key = String::new();
                loop {
                    line.clear();
                    ensure!(stream.read_line(&mut line).await? > 0, "a message without an end");
                    match line.trim_end() {
                        "." => break,
                        header => {
                            if let Some(id) = header.strip_prefix("Message-ID: <") {
                                key = id.split('@').next().unwrap_or_default().to_owned();
                            }
                        }
                    }
                }
                asked.take(key, wait).await;
                b"250 2.0.0 taken\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 2.0.0 yes\r\n",
        };
        stream.write_all(answer).await?;
    }
}
