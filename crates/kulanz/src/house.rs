//! Opens an installation: data folder, keys, policies, and the engine over them.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_delivery::{
    dispatcher::{Dispatcher, Letterhead},
    render::{Creditor as RenderCreditor, Templates, TextKey, TextSource, examine},
    senders::{Origin, OutboxPage, Sender, Senders, SmsGateway, Smtp},
};
use kulanz_domain::{fact::Channel, ids::CreditorId, policy::Rules};
use kulanz_engine::{Engine, Mode, SharedRules, clock::Clock, vault::Vault};
use kulanz_policies::{CreditorFile, Creditors, Diagnostic, Loaded, LoadedPolicy};
use kulanz_store::Store;

use crate::{
    data,
    in_force::{self, Take},
    instances, kafka,
    law::rates::Installed,
    settings::Settings,
};

/// Where debtors' pages might be, for the length of sample texts.
pub const SAMPLE_URL: &str = "https://pay.lindenmoor.example";

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folder with `policies/` and, if there is one, `kulanz.yaml`.
    pub config: PathBuf,
    /// Data folder.
    pub data: PathBuf,
}

/// An open installation.
pub struct House {
    /// Where everything is.
    pub places: Places,
    /// Settings.
    pub settings: Settings,
    /// Creditors, and the policies in force.
    pub loaded: Arc<Loaded>,
    /// The way to accounts.
    pub engine: Engine,
    /// Tells its rules from others.
    pub fingerprint: String,
}

/// Reads policies and creditors; findings are printed, errors end it.
pub fn load_policies(config: &Path, on: Date) -> Result<Loaded> {
    let folder = config.join("policies");
    if !folder.is_dir() {
        bail!(
            "no policies at {}: run this where a folder `policies` is, or name one that has it \
             with --config DIR",
            folder.display()
        );
    }
    match kulanz_policies::load(&folder, on) {
        Ok(loaded) => {
            let warnings = loaded.diagnostics.iter().filter(|d| d.is_warning());
            warnings.for_each(|warning| eprint!("{}", warning.render(crate::colour())));
            Ok(loaded)
        }
        Err(found) => {
            let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
            errors.clone().for_each(|error| eprint!("{}", error.render(crate::colour())));
            bail!(
                "{} in the policies: nothing was started. `kulanz policy check {}` shows all of it",
                count(errors.count(), "error"),
                folder.display()
            );
        }
    }
}

/// The day on which a command that only looks counts interest: the machine's, in UTC.
pub fn machine_day() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Warnings are shown when policies are loaded; notes only by `policy check`.
trait Warned {
    fn is_warning(&self) -> bool;
}

impl Warned for Diagnostic {
    fn is_warning(&self) -> bool {
        self.severity == kulanz_policies::Severity::Warning
    }
}

/// The master key. Made only where nothing is sealed yet: a new one would open nothing of what is
/// there, and hide that the old one is missing. One that did not seal what is there is refused.
pub async fn vault(data: &Path, settings: &Settings, store: &dyn Store) -> Result<Arc<Vault>> {
    Ok(Arc::new(instances::vault(&settings.master_key(data), store).await?))
}

impl House {
    /// Opens an installation. Erasures that a restored copy does not know are applied again.
    pub async fn open(places: Places, clock: Clock, mode: Mode) -> Result<Self> {
        let settings = Settings::read(&places.config)?;
        Self::open_with(places, Some(settings), clock, mode).await
    }

    /// Opens one that no message leaves, whatever settings and creditors' files say.
    pub async fn open_demo(places: Places, clock: Clock) -> Result<Self> {
        Self::open_with(places, None, clock, Mode::Serving).await
    }

    /// Without settings it is a demo.
    async fn open_with(
        places: Places,
        settings: Option<Settings>,
        clock: Clock,
        mode: Mode,
    ) -> Result<Self> {
        let is_demo = settings.is_none();
        let settings = settings.unwrap_or_default();
        let today = clock.now().to_zoned(TimeZone::UTC).date();
        let mut folder = load_policies(&places.config, today)?;
        let store = data::open(&places.data, &settings).await?;
        let vault = vault(&places.data, &settings, &*store).await?;
        instances::same_key(&*store, &vault, &settings.master_key(&places.data)).await?;
        let take = match mode {
            Mode::Serving => Take::Folder,
            Mode::Recording => Take::Nothing,
        };
        let settled = loop {
            let settled = in_force::settle(&*store, folder, clock.now(), take).await?;
            // A version is registered for ever: none whose texts cannot be sent.
            for policy in &settled.loaded.policies {
                sendable(&settled.loaded, policy)?;
            }
            for policy in &settled.loaded.policies {
                in_force::register(&*store, policy, clock.now()).await?;
            }
            if in_force::write(&*store, settled.before.as_deref(), &settled.slots).await? {
                break settled;
            }
            // Another instance that starts at this moment was faster.
            folder = load_policies(&places.config, today)?;
        };
        settled.said.iter().for_each(|sentence| tracing::warn!("{sentence}"));
        let mut loaded = settled.loaded;
        if is_demo {
            loaded.creditors.values_mut().for_each(keep_here);
        }
        let loaded = Arc::new(loaded);
        let base_rates = Installed::read(&places.data)?;
        let laws = loaded.rules.values().map(|rules| rules.creditor.law);
        for warning in base_rates.warnings(laws, today) {
            tracing::warn!("{warning}");
        }
        let rules = loaded.rules.iter().map(|(id, rules)| {
            (id.clone(), reachable(&base_rates.put_into(rules), &settings, &loaded.creditors))
        });
        let rules: HashMap<_, _> = rules.collect();
        let fingerprint = in_force::fingerprint(&rules, &loaded.creditors);
        let (memory, rules) = (settings.memory(), SharedRules::new(rules));
        let engine = Engine::start_within(memory, store, vault, clock, rules, mode);
        let house = Self { places, settings, loaded, engine, fingerprint };
        crate::erasures::apply(&house).await?;
        let minors = house.engine.read_births().await?;
        if minors > 0 {
            tracing::warn!(
                minors,
                "an earlier release did not see that these debtors are, or were, minors: their \
                 claims wait for a person (`kulanz work`)"
            );
        }
        Ok(house)
    }

    /// What tells a shop's own gateway of its messages.
    fn by_kafka(&self, file: &CreditorFile) -> Result<Arc<dyn Sender>> {
        kafka::notices(self.settings.kafka.as_ref())
            .with_context(|| format!("{} has `via: kafka`", file.file.display()))
    }

    /// The dispatcher with the senders of the settings.
    pub fn dispatcher(&self, base_url: &str) -> Result<Dispatcher> {
        let mut senders: BTreeMap<Channel, Arc<dyn Sender>> = BTreeMap::new();
        senders.insert(
            Channel::Email,
            match &self.settings.smtp {
                Some(smtp) => Arc::new(Smtp::new(smtp.clone()).context("smtp in kulanz.yaml")?),
                None => Arc::new(OutboxPage),
            },
        );
        senders.insert(
            Channel::Sms,
            match &self.settings.sms {
                Some(sms) => Arc::new(SmsGateway::new(sms.clone()).context("sms in kulanz.yaml")?),
                None => Arc::new(OutboxPage),
            },
        );
        let mut senders = Senders::from(senders);
        let mut by_kafka = None;
        for (id, file) in &self.loaded.creditors {
            for channel in &file.by_kafka {
                let sender = match &by_kafka {
                    Some(sender) => Arc::clone(sender),
                    None => self.by_kafka(file)?,
                };
                by_kafka = Some(Arc::clone(&sender));
                senders.set_own(id.clone(), *channel, sender);
            }
        }
        let mut letterheads = HashMap::new();
        for (id, file) in &self.loaded.creditors {
            letterheads.insert(id.clone(), letterhead(file)?);
        }
        let base_url = base_url.to_owned();
        let (engine, fingerprint) = (self.engine.clone(), &self.fingerprint);
        let dispatcher =
            Dispatcher::with_fingerprint(engine, letterheads, senders, base_url, fingerprint);
        for policy in &self.loaded.policies {
            let templates = templates(policy).map_err(|problems| {
                let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("texts cannot be used:\n  {}", all.join("\n  "))
            })?;
            let reference = &policy.policy.reference;
            dispatcher.add_texts(reference.name.as_str(), reference.version, Arc::new(templates));
        }
        Ok(dispatcher)
    }
}

/// In a demo the outbox page takes the place of a shop's own gateway too.
fn keep_here(file: &mut CreditorFile) {
    if !file.by_kafka.is_empty() {
        tracing::warn!(
            "{} has `via: kafka`: no message leaves a demo, so those are on the outbox page too",
            file.file.display()
        );
        file.by_kafka.clear();
    }
}

/// Whether no message leaves the machine: test pages and the sandbox provider may be offered.
pub fn is_sandbox(settings: &Settings, creditors: &Creditors) -> bool {
    settings.smtp.is_none()
        && settings.sms.is_none()
        && creditors.values().all(|file| file.by_kafka.is_empty())
}

/// The rules without channels that have no gateway here: a message that goes nowhere must not
/// count as sent. Where there is no gateway at all, the outbox page takes the place of all.
pub fn reachable(rules: &Arc<Rules>, settings: &Settings, creditors: &Creditors) -> Arc<Rules> {
    if is_sandbox(settings, creditors) {
        return Arc::clone(rules);
    }
    let mut rules = Rules::clone(rules);
    let own = creditors.get(&rules.creditor.id).map(|file| file.by_kafka.clone());
    let own = own.unwrap_or_default();
    rules.creditor.channels.retain(|channel| match channel {
        channel if own.contains(channel) => true,
        Channel::Email => settings.smtp.is_some(),
        Channel::Sms => settings.sms.is_some(),
        Channel::Letter => false,
    });
    Arc::new(rules)
}

/// A creditor as messages show it.
pub fn letterhead(file: &CreditorFile) -> Result<Letterhead> {
    Ok(Letterhead {
        creditor: RenderCreditor {
            name: file.trading_name.clone(),
            support_email: Some(file.support.email.clone()),
            support_phone: Some(file.support.phone.clone()),
            iban: Some(file.iban.clone()),
            imprint: file.imprint.clone(),
            colour: file.colour.parse()?,
        },
        origin: Origin {
            name: file.trading_name.clone(),
            email: file.email.as_ref().map(|email| email.from.clone()),
            reply_to: file.email.as_ref().and_then(|email| email.reply_to.clone()),
            sms: file.sms_sender.clone(),
        },
    })
}

/// A policy's texts, compiled.
pub fn templates(
    policy: &LoadedPolicy,
) -> Result<Templates, Vec<kulanz_delivery::render::TemplateProblem>> {
    Templates::compile(texts(policy))
}

/// A policy's texts as written.
pub fn texts(policy: &LoadedPolicy) -> impl Iterator<Item = (TextKey, TextSource)> {
    policy.templates.iter().map(|(key, template)| {
        let key = TextKey {
            text: key.text.clone(),
            language: key.language.clone(),
            tone: key.tone.clone(),
            channel: key.channel,
        };
        let file = template.file.display().to_string();
        (key, TextSource { file, source: template.source.to_string() })
    })
}

/// Refuses a policy with a text that could not be sent.
pub fn sendable(loaded: &Loaded, policy: &LoadedPolicy) -> Result<()> {
    let Some(file) = loaded.creditors.get(&policy.policy.creditor) else { return Ok(()) };
    let head = letterhead(file)?;
    let treatments = policy.policy.treatments();
    let remarks =
        treatments.flat_map(|one| examine(one, texts(policy), &head.creditor, SAMPLE_URL));
    let mut errors: Vec<String> =
        remarks.filter(|remark| remark.is_error).map(|remark| remark.problem.to_string()).collect();
    errors.sort_unstable();
    errors.dedup();
    if !errors.is_empty() {
        bail!("texts cannot be used, nothing was started:\n  {}", errors.join("\n  "));
    }
    Ok(())
}

/// Whether the creditor's file lists an attribute as harmless.
pub fn harmless(loaded: &Loaded) -> impl Fn(&CreditorId, &str) -> bool + Sync {
    |creditor, attribute| {
        let file = loaded.creditors.get(creditor);
        file.is_some_and(|file| file.harmless_attributes.iter().any(|known| known == attribute))
    }
}

#[cfg(test)]
pub mod testing {
    #![allow(clippy::unwrap_used)]
    use tempfile::TempDir;

    use super::*;

    /// An installation with the shipped policies and nothing in it, and its data folder.
    pub async fn house() -> (TempDir, House) {
        let data = TempDir::new().unwrap();
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned();
        let places = Places { config, data: data.path().to_owned() };
        let house = House::open(places, Clock::wall(), Mode::Recording).await.unwrap();
        (data, house)
    }
}
