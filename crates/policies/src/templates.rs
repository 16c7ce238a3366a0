//! The texts of a policy: `templates/<text>.<language>.<tone>.<channel>.hbs`. What stands in them
//! is rendered and checked by the crate that sends them; here they are found and counted.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kulanz_domain::fact::Channel;

use crate::{
    diagnostic::{Diagnostic, Severity},
    yaml,
};

/// A text in one language, tone and channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The handlebars source.
    pub source: Arc<str>,
    /// Where it was read from.
    pub file: PathBuf,
}

/// What a template is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateKey {
    /// Name of the text, as in a step's `text`.
    pub text: String,
    /// Language code.
    pub language: String,
    /// Tone of a persona.
    pub tone: String,
    /// Channel.
    pub channel: Channel,
}

impl TemplateKey {
    /// `reminder.de.warm.email.hbs`.
    pub fn file_name(&self) -> String {
        let Self { text, language, tone, channel } = self;
        format!("{text}.{language}.{tone}.{}.hbs", channel.name())
    }

    /// The other way round. A text's name may have dots, the other parts have none.
    fn of(file_name: &str) -> Option<Self> {
        let stem = file_name.strip_suffix(".hbs")?;
        let mut parts = stem.rsplitn(4, '.');
        let channel = parts.next()?;
        let channel = Channel::ALL.into_iter().find(|known| known.name() == channel)?;
        let (tone, language, text) = (parts.next()?, parts.next()?, parts.next()?);
        let filled = [tone, language, text].iter().all(|part| !part.is_empty());
        filled.then(|| Self {
            text: text.into(),
            language: language.into(),
            tone: tone.into(),
            channel,
        })
    }
}

/// All texts of a policy.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    all: BTreeMap<TemplateKey, Template>,
}

impl Templates {
    /// The text for a message, if there is one.
    pub fn get(
        &self,
        text: &str,
        language: &str,
        tone: &str,
        channel: Channel,
    ) -> Option<&Template> {
        let key = TemplateKey {
            text: text.into(),
            language: language.into(),
            tone: tone.into(),
            channel,
        };
        self.all.get(&key)
    }

    /// All of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&TemplateKey, &Template)> {
        self.all.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Reads `folder`; a folder that does not exist has no texts. What is not a template's name,
    /// cannot be read or is empty is reported; dot files are left alone.
    pub(crate) fn read(folder: &Path, found: &mut Vec<Diagnostic>) -> Self {
        let mut templates = Self::default();
        for file in files(folder, found) {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') || file.is_dir() {
                continue;
            }
            let Some(key) = TemplateKey::of(name) else {
                let message = "is not named as a text is: it is not used";
                found.push(
                    Diagnostic::about(Severity::Warning, &file, message)
                        .help("name it <text>.<language>.<tone>.<email|sms|letter>.hbs"),
                );
                continue;
            };
            match yaml::read(&file) {
                Ok(source) if source.text.trim().is_empty() => {
                    found.push(Diagnostic::about(Severity::Error, &file, "this text is empty"));
                }
                Ok(source) => {
                    templates.all.insert(key, Template { source: source.text, file });
                }
                Err(error) => found.push(*error),
            }
        }
        templates
    }

    /// The texts among files that were kept, by their names in the policy's folder; `folder` is
    /// what findings name.
    pub(crate) fn of_sources<'a>(
        sources: impl IntoIterator<Item = (&'a String, &'a String)>,
        folder: &Path,
    ) -> Self {
        let mut templates = Self::default();
        for (name, text) in sources {
            let key = name.strip_prefix("templates/").and_then(TemplateKey::of);
            if let Some(key) = key {
                let template = Template { source: text.as_str().into(), file: folder.join(name) };
                templates.all.insert(key, template);
            }
        }
        templates
    }
}

/// The files and folders in `folder`, sorted by name; none where it does not exist.
pub(crate) fn files(folder: &Path, found: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            let message = format!("cannot be read: {e}");
            found.push(Diagnostic::about(Severity::Error, folder, message));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => files.push(entry.path()),
            Err(e) => {
                let message = format!("cannot be read: {e}");
                found.push(Diagnostic::about(Severity::Error, folder, message));
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_says_what_a_text_is_for() {
        let key = TemplateKey::of("last-call.v2.de.warm.email.hbs");
        let key = key.as_ref();
        assert_eq!(key.map(|key| key.text.as_str()), Some("last-call.v2"));
        assert_eq!(key.map(|key| (key.language.as_str(), key.tone.as_str())), Some(("de", "warm")));
        assert_eq!(
            key.map(TemplateKey::file_name).as_deref(),
            Some("last-call.v2.de.warm.email.hbs")
        );
        for wrong in ["reminder.de.warm.fax.hbs", "reminder.hbs", ".de.warm.sms.hbs", "x.txt"] {
            assert_eq!(TemplateKey::of(wrong), None, "{wrong}");
        }
    }
}
