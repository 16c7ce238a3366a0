//! Reading YAML: a file to a struct, with a precise message for what editors, word processors and
//! attackers do to text files.

use std::{fs, io::Read as _, ops::Deref, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_saphyr::{Error, Spanned};

use crate::{
    diagnostic::{Diagnostic, Place, Severity, Source, did_you_mean, look_alike, resembles},
    file::story::{A_LINE, NO_SENTENCE, TWO_LINES},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A value with its place in the file.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub value: T,
    pub place: Place,
    /// Where its text starts in the file, and how long it is there, in bytes.
    pub bytes: (usize, usize),
}

/// A key that may be left out, but not left empty: nobody means "for everybody" by a `when:` that
/// they forgot to fill in.
pub(crate) fn filled<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(from)?;
        let at = spanned.referenced;
        let size = |n: u64| usize::try_from(n).unwrap_or(0);
        let span = at.span();
        Ok(Self {
            value: spanned.value,
            place: Place {
                line: size(at.line()),
                column: size(at.column()),
                length: size(span.len()),
            },
            bytes: (size(span.byte_offset().unwrap_or(0)), size(span.byte_len().unwrap_or(0))),
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The text of a file of at most 1 MiB of UTF-8.
pub(crate) fn read(path: &Path) -> Result<Source, Box<Diagnostic>> {
    let error = |message: String| Box::new(Diagnostic::about(Severity::Error, path, message));
    let unreadable = |e: std::io::Error| error(format!("cannot be read: {e}"));
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(error("is larger than 1 MiB: no policy, creditor, story or text is".into()));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(error("is UTF-16: save it as UTF-8".into()));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(e) => {
            let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
            let source = Source::new(path, &String::from_utf8_lossy(&bytes));
            let place = source.place(good.len(), 1);
            Err(source
                .at(Severity::Error, place, "this is not UTF-8")
                .help("save the file as UTF-8; it was probably saved as Latin-1 or Windows-1252")
                .into())
        }
    }
}

/// `source` as a `T`.
pub(crate) fn parse<T: DeserializeOwned>(source: &Source) -> Result<T, Box<Diagnostic>> {
    characters(source)?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 20_000,
            max_events: 60_000,
            max_aliases: 100,
            max_anchors: 100,
            max_documents: 2,
            max_merge_keys: 100,
            max_total_scalar_bytes: 1024 * 1024,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
        },
        emit_comments: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(&source.text, options)
        .map_err(|error| Box::new(finding(source, &error)))
}

/// Characters that break YAML or hide what it says.
fn characters(source: &Source) -> Result<(), Box<Diagnostic>> {
    let text = &source.text;
    let error =
        |offset, message: String| source.at(Severity::Error, source.place(offset, 1), message);
    if text.starts_with('\u{feff}') {
        return Err(error(0, "the file starts with a byte order mark".into())
            .help("save it as UTF-8 without a byte order mark (BOM)")
            .into());
    }
    let hidden = text.char_indices().find(|(_, c)| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{ad}')
            || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    });
    if let Some((at, c)) = hidden {
        let message = format!("an invisible character, U+{:04X}, hides here", c as u32);
        return Err(error(at, message).help("delete it").into());
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t', '\u{a0}', '\u{3000}']);
        let indent = line.len() - content.len();
        let odd = line.get(..indent).and_then(|indent| indent.find(|c| c != ' '));
        if let Some(at) = odd
            && !content.trim().is_empty()
        {
            let what = if line.get(at..).is_some_and(|rest| rest.starts_with('\t')) {
                "a tab indents this line"
            } else {
                "a space that is none (such as U+00A0) indents this line"
            };
            let help = "YAML is indented with spaces alone";
            return Err(error(start + at, what.into()).help(help).into());
        }
        start += line.len();
    }
    Ok(())
}

/// Advice where the parser knows no more than that it is lost.
const ABOVE: &str = "look for a quote, a bracket or an indent in the lines just above";

/// What the parser found, in our words.
fn finding(source: &Source, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let mut place = error.location().map_or_else(Place::default, |at| Place {
        line: usize::try_from(at.line()).unwrap_or(0),
        column: usize::try_from(at.column()).unwrap_or(0),
        length: usize::try_from(at.span().len()).unwrap_or(1),
    });
    let (message, help, length) = match error {
        Error::AliasError { error: inner, .. } => {
            let inner = finding(source, inner);
            (inner.message, inner.help, None)
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = look_alike(field)
                .or_else(|| did_you_mean(field, expected.iter().copied()))
                .or_else(|| Some(format!("the keys here are {}", listed(expected))));
            (format!("there is no key `{}` here", cut(field)), help, Some(field))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let help = look_alike(variant)
                .or_else(|| did_you_mean(variant, expected.iter().copied()))
                .or_else(|| Some(format!("write one of {}", listed(expected))));
            (format!("`{}` is not known here", cut(variant)), help, Some(variant))
        }
        Error::SerdeMissingField { field, .. } => {
            if place.column == 1 {
                // The parser points at the last key of the file: people look at the first.
                place = first_key(source).unwrap_or(place);
            }
            (format!("the key `{field}` is missing here"), None, None)
        }
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => (format!("the key `{}` stands here twice", cut(key)), None, Some(key)),
            None => ("a key stands here twice".into(), None, None),
        },
        Error::MultipleDocuments { .. } => (
            "a second document starts here".into(),
            Some("one file holds one policy or creditor: remove the `---`".into()),
            None,
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "the file grows too large here: too deep, too many values or too many aliases".into(),
            Some("write repeated parts out instead of using `&` and `*`".into()),
            None,
        ),
        Error::NullIntoString { .. } => ("a value is missing here".into(), None, None),
        Error::UnknownAnchor { .. } => {
            ("`*` names an anchor that does not exist".into(), None, None)
        }
        Error::Unexpected { expected, .. } => {
            let wanted = match *expected {
                text if text.contains("sequence") => "a list is wanted here: [a, b]",
                text if text.contains("mapping") => "keys with values are wanted here",
                text if text.contains("scalar") => "a single value is wanted here",
                _ => "a value of another kind is wanted here",
            };
            (wanted.to_owned(), None, None)
        }
        Error::InvalidScalar { ty, .. } => {
            let wanted = match *ty {
                "bool" | "boolean" => "`true` or `false` is wanted here",
                text if text.starts_with(['u', 'i']) => "a whole number is wanted here",
                _ => "a value of another kind is wanted here",
            };
            (wanted.to_owned(), None, None)
        }
        Error::SerdeInvalidType { expected, .. } if expected == A_LINE => {
            (format!("{A_LINE} is wanted here"), None, None)
        }
        Error::Message { msg, .. } if msg == NO_SENTENCE || msg == TWO_LINES => {
            (msg.clone(), Some("each line of a list begins with `- `".into()), None)
        }
        Error::Eof { .. } => ("the file is empty".into(), None, None),
        other => lost(&other.to_string()),
    };
    let length = length.map_or(place.length, |word| word.chars().count());
    if let Some(tag) = message.strip_suffix("` is a YAML tag here").map(|tag| &tag[1..])
        && let Some(line) = place.line.checked_sub(1).and_then(|n| source.text.lines().nth(n))
        && let Some(at) = line.find(tag)
    {
        // The parser points at what follows the tag.
        place.column = line.get(..at).unwrap_or_default().chars().count() + 1;
    }
    let mut found = source.at(Severity::Error, Place { length, ..place }, message);
    // Advice for the very mistake comes first, general advice last.
    let general = help.as_deref() == Some(ABOVE);
    let odd = odd_punctuation(&found);
    found.help = if general { odd.or(help) } else { help.or(odd) };
    if place.line == 0 {
        found.source_line = None;
        found.column = 0;
        found.length = 0;
    }
    found
}

/// What the parser told in words alone.
fn lost(message: &str) -> (String, Option<String>, Option<&'static String>) {
    if let Some((_, tag)) = message.split_once("unsupported tag `") {
        let tag = tag.split('`').next().unwrap_or_default();
        let help = "a text that begins with `!` stands in quotes: \"!debtor.vulnerable\"";
        return (format!("`{}` is a YAML tag here", cut(tag)), Some(help.into()), None);
    }
    if message.contains("recursive references") {
        let help = "write repeated parts out instead of using `&` and `*`";
        return ("an alias stands inside of what it names".into(), Some(help.into()), None);
    }
    if message.contains("recursion limit exceeded") {
        let message =
            "the file grows too large here: too deep, too many values or too many aliases";
        return (message.into(), None, None);
    }
    if message.contains("invalid boolean") {
        return ("`true` or `false` is wanted here".into(), None, None);
    }
    (plain(message), Some(ABOVE.to_owned()), None)
}

/// A quote, dash or space in the line of `found` that only looks like one.
fn odd_punctuation(found: &Diagnostic) -> Option<String> {
    let line = found.source_line.as_deref()?;
    let code = line.split_once(" #").map_or(line, |(code, _)| code);
    let odd = code.chars().find(|c| resembles(*c) != *c && !c.is_alphabetic())?;
    look_alike(&odd.to_string())
}

fn first_key(source: &Source) -> Option<Place> {
    let mut lines = source.text.lines().zip(1..);
    let (text, line) = lines.find(|(text, _)| {
        !text.trim().is_empty() && !text.starts_with(['#', '%']) && !text.starts_with("---")
    })?;
    let length = text.chars().take_while(|c| *c != ':').count();
    Some(Place { line, column: 1, length })
}

/// The parser's message without the place it repeats.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = [" at line ", ": line ", " (line "]
        .iter()
        .filter_map(|mark| first.find(mark))
        .min()
        .and_then(|at| first.get(..at))
        .unwrap_or(first);
    format!("this cannot be read as YAML: {}", cut.trim_end_matches([',', ':', ' ']))
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
