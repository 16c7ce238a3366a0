//! Checking a folder of many policies: the shipped ones, several times over.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use kulanz_delivery::render::{Creditor, TextKey, TextSource, examine};
use kulanz_policies::{LoadedPolicy, Severity};

use crate::history;

/// How many policies are checked.
pub const POLICIES: usize = 20;

/// Writes [`POLICIES`] policies with their texts and creditors into `folder`.
pub fn write(folder: &Path) -> Result<()> {
    let shipped = history::policies();
    copy(&shipped.join("creditors"), &folder.join("creditors"))?;
    let mut policies = Vec::new();
    for entry in fs::read_dir(&shipped)? {
        let path = entry?.path();
        if path.join("policy.yaml").is_file() {
            policies.push(path);
        }
    }
    policies.sort();
    for (at, policy) in policies.iter().cycle().take(POLICIES).enumerate() {
        let own = policy.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = format!("{own}-{at}");
        let target = folder.join(&name);
        copy(&policy.join("templates"), &target.join("templates"))?;
        let text = fs::read_to_string(policy.join("policy.yaml"))?;
        // One is in force at a time: each begins on a day of its own.
        let head = format!("policy: {name}\nvalid_from: 2026-01-{:02}", at + 1);
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some(("policy", _)) => head.as_str(),
            _ => line,
        });
        let lines: Vec<&str> =
            lines.filter(|line| !line.starts_with("valid_from: 20") || *line == head).collect();
        fs::write(target.join("policy.yaml"), lines.join("\n") + "\n")?;
    }
    Ok(())
}

/// Copies the files of a folder.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Checks the policies and their texts.
pub fn run(folder: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let checked = kulanz_policies::examine(folder, Date::constant(2026, 11, 21));
    let mut texts = 0;
    for policy in &checked.policies {
        let Some(file) = checked.creditors.get(&policy.policy.creditor) else { continue };
        let creditor = Creditor {
            name: file.trading_name.clone(),
            support_email: Some(file.support.email.clone()),
            support_phone: Some(file.support.phone.clone()),
            iban: Some(file.iban.clone()),
            imprint: file.imprint.clone(),
            colour: file.colour.parse()?,
        };
        let url = "https://pay.lindenmoor.example";
        let remarks = examine(&policy.policy, sources(policy), &creditor, url);
        if let Some(error) = remarks.iter().find(|remark| remark.is_error) {
            bail!("{}", error.problem);
        }
        texts += policy.templates.len();
    }
    let took = begun.elapsed();
    if let Some(error) = checked.found.iter().find(|found| found.severity == Severity::Error) {
        bail!("{}:{}: {}", error.file, error.line, error.message);
    }
    if checked.policies.len() != POLICIES || texts < 10 * POLICIES {
        bail!("{} policies with {texts} texts were checked", checked.policies.len());
    }
    Ok(took)
}

fn sources(policy: &LoadedPolicy) -> impl Iterator<Item = (TextKey, TextSource)> {
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
