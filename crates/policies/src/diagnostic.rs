//! What is wrong with a file, where, and what to do about it, shown as a good compiler shows it.

use std::{fmt::Write as _, path::Path, sync::Arc};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something to know.
    Note,
    /// Allowed, and probably not meant.
    Warning,
    /// The file cannot be used.
    Error,
}

impl Severity {
    /// The word shown: `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Note => "\u{1b}[1;36m",
            Self::Warning => "\u{1b}[1;33m",
            Self::Error => "\u{1b}[1;31m",
        }
    }
}

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The file (or folder), as it was named when it was opened.
    pub file: String,
    /// From 1; 0 where the finding has no place in the file.
    pub line: usize,
    /// In characters, from 1; 0 where the finding has no place in the file.
    pub column: usize,
    /// In characters, at least 1 where there is a place.
    pub length: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The text of the line.
    pub source_line: Option<String>,
}

/// The longest message, in characters.
const LONGEST: usize = 400;
/// The longest stretch of a line that is shown.
const SHOWN: usize = 110;

impl Diagnostic {
    /// A finding about a whole file or folder.
    pub(crate) fn about(severity: Severity, file: &Path, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: file.display().to_string(),
            line: 0,
            column: 0,
            length: 0,
            message: message.into(),
            help: None,
            source_line: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether it keeps the file from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding with the line it is about, a caret below, and the help, over several lines and
    /// with a line feed at the end. `colour` adds ANSI colours; the text of the file is shown
    /// without its control characters either way.
    pub fn render(&self, colour: bool) -> String {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (tone, bold) = (paint(self.severity.colour()), paint("\u{1b}[1m"));
        let (frame, plain) = (paint("\u{1b}[1;34m"), paint("\u{1b}[0m"));
        let severity = self.severity.name();
        let message = shown(&self.message);
        let mut out = format!("{tone}{severity}{plain}{bold}: {message}{plain}\n");
        let file = shown(&self.file);
        let number = self.line.to_string();
        let margin = if self.line == 0 { 1 } else { number.len() };
        let gap = " ".repeat(margin);
        // Writing to a String cannot fail.
        let _ = match self.line {
            0 => writeln!(out, "{gap}{frame}-->{plain} {file}"),
            line => writeln!(out, "{gap}{frame}-->{plain} {file}:{line}:{}", self.column),
        };
        if let Some(text) = &self.source_line {
            let (stretch, caret, width) = self.stretch(text);
            let (pad, carets) = (" ".repeat(caret), "^".repeat(width));
            let _ = writeln!(out, "{gap} {frame}|{plain}");
            let _ = writeln!(out, "{frame}{number} |{plain} {stretch}");
            let _ = writeln!(out, "{gap} {frame}|{plain} {pad}{tone}{carets}{plain}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{gap} {frame}={plain} {bold}help{plain}: {}", shown(help));
        }
        out
    }

    /// The part of a long line around the place, the caret's indent and its width.
    fn stretch(&self, text: &str) -> (String, usize, usize) {
        let line: Vec<char> = text.chars().map(harmless).collect();
        let at = self.column.saturating_sub(1).min(line.len());
        let from = if line.len() <= SHOWN { 0 } else { at.saturating_sub(SHOWN / 3) };
        let to = line.len().min(from + SHOWN);
        let (before, after) =
            (if from > 0 { "… " } else { "" }, if to < line.len() { " …" } else { "" });
        let middle: String = line.get(from..to).unwrap_or_default().iter().collect();
        let width = self.length.max(1).min(to.saturating_sub(at).max(1));
        let indent = before.chars().count() + at - from;
        (format!("{before}{middle}{after}"), indent, width)
    }
}

fn harmless(c: char) -> char {
    let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}');
    match c {
        '\t' => ' ',
        c if c.is_control() || invisible => '·',
        c => c,
    }
}

fn shown(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A message that repeats what stands in a file leaves out its middle where it is long.
fn brief(message: String) -> String {
    let length = message.chars().count();
    if length <= LONGEST {
        return message;
    }
    let first: String = message.chars().take(LONGEST / 2).collect();
    let last: String = message.chars().skip(length - LONGEST / 2).collect();
    format!("{first} … {last}")
}

/// A place in a file, in characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

/// A file's name and text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub name: String,
    pub text: Arc<str>,
}

impl Source {
    pub fn new(path: &Path, text: &str) -> Self {
        Self { name: path.display().to_string(), text: text.into() }
    }

    /// A finding at `place`.
    pub fn at(&self, severity: Severity, place: Place, message: impl Into<String>) -> Diagnostic {
        let source_line = place.line.checked_sub(1).and_then(|n| self.text.lines().nth(n));
        Diagnostic {
            severity,
            file: self.name.clone(),
            line: place.line,
            column: place.column,
            length: place.length.max(1),
            message: brief(message.into()),
            help: None,
            source_line: source_line.map(str::to_owned),
        }
    }

    /// The place of `length` characters from the byte at `offset`.
    pub fn place(&self, offset: usize, length: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = self.text.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: before.matches('\n').count() + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
            length,
        }
    }
}

/// The option that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 80 {
        return None;
    }
    let folded = |text: &str| text.chars().map(resembles).collect::<String>().to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    options
        .into_iter()
        .map(|option| (distance(&folded(word), &folded(option)), option))
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, option)| option)
}

/// `did you mean …?` where there is a near option.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    options: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, options).map(|option| format!("did you mean `{option}`?"))
}

/// Edits between two words: insertions, deletions, changes, swapped neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let above = rows.get(i).map_or(&[][..], Vec::as_slice);
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(above, j) + usize::from(x != y))
                .min(cell(above, j + 1) + 1)
                .min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped && let Some(earlier) = rows.get(i - 1) {
                best = best.min(cell(earlier, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

/// The ASCII character that a look-alike stands in for; any other character itself.
pub(crate) fn resembles(c: char) -> char {
    match c {
        'а' | 'ɑ' | 'α' => 'a',
        'с' | 'ϲ' => 'c',
        'е' | 'ҽ' => 'e',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'υ' | 'ս' => 'u',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        '“' | '”' | '„' | '‟' | '«' | '»' | '＂' => '"',
        '‘' | '’' | '‚' | '‛' | '＇' => '\'',
        '‐' | '‑' | '‒' | '–' | '—' | '−' | '－' => '-',
        '：' => ':',
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => ' ',
        // The full-width forms of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        other => other,
    }
}

/// What to say about the first character of `text` that only looks like an ASCII one.
pub(crate) fn look_alike(text: &str) -> Option<String> {
    let odd = text.chars().find(|c| resembles(*c) != *c)?;
    let code = odd as u32;
    Some(match resembles(odd) {
        ' ' => format!("it contains U+{code:04X}, which only looks like a space"),
        plain => format!("it contains `{odd}` (U+{code:04X}), which only looks like `{plain}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_its_line_with_a_caret_below() {
        let source = Source::new(Path::new("p.yaml"), "a: 1\nwhen: debtor.knd == 1\n");
        let found = source
            .at(Severity::Error, source.place(11, 10), "`debtor.knd` is no fact")
            .help("did you mean `debtor.kind`?");
        let expected = "error: `debtor.knd` is no fact\n --> p.yaml:2:7\n  |\n\
                        2 | when: debtor.knd == 1\n  |       ^^^^^^^^^^\n  \
                        = help: did you mean `debtor.kind`?\n";
        assert_eq!(found.render(false), expected);
        assert!(found.render(true).contains("\u{1b}[1;31merror"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place_and_control_characters_are_not_shown() {
        let text = format!("{}\u{1b}[31mX{}", "a".repeat(400), "b".repeat(400));
        let source = Source::new(Path::new("p.yaml"), &text);
        let shown = source.at(Severity::Error, source.place(405, 1), "x").render(false);
        assert!(shown.lines().all(|line| line.chars().count() < 130), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        let at = |c| shown.lines().find_map(|line| line.chars().position(|x| x == c));
        assert_eq!(at('X'), at('^'));
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let options = ["consumer", "business"];
        assert_eq!(nearest("costumer", options), Some("consumer"));
        assert_eq!(nearest("соnsumer", options), Some("consumer"), "Cyrillic letters");
        assert_eq!(nearest("shop", options), None);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
