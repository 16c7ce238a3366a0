//! Plain language, measured: sentences of at most [`WORDS`] words, and for German the first Wiener
//! Sachtextformel (Bamberger and Vanecek 1984) at most [`HARDEST`]: readable after nine years of
//! school.

use rust_decimal::Decimal;

/// Words of a sentence at most.
pub const WORDS: usize = 20;
/// The first Wiener Sachtextformel at most.
pub const HARDEST: Decimal = Decimal::from_parts(9, 0, 0, false, 0);
/// With fewer words the formula measures chance.
const FEWEST: usize = 20;

/// Begin and end of the number of a line in a source that is rendered to be measured. Values lose
/// characters of the private use area, so none poses as one.
const BEGIN: char = '\u{E010}';
const END: char = '\u{E011}';

/// A sentence and the line of the source that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    pub line: usize,
    pub text: String,
}

/// `source` with the number of each line that prints something at its start.
pub(super) fn numbered(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 200);
    for (at, line) in source.lines().enumerate() {
        let content = line.trim_start();
        let content = content.strip_prefix("- ").unwrap_or(content);
        let start = line.len() - content.len();
        out.push_str(line.get(..start).unwrap_or_default());
        if prints(content) {
            out.push_str(&format!("{BEGIN}{}{END}", at + 1));
        }
        out.push_str(content);
        out.push('\n');
    }
    out
}

/// A line of nothing but blocks and remarks vanishes when it is rendered, and so must its number.
fn prints(line: &str) -> bool {
    if line.starts_with("Subject:") || line.starts_with(super::email::MARK) {
        return false;
    }
    let mut rest = line;
    let mut printed = String::new();
    while let Some((before, tag)) = rest.split_once("{{") {
        printed.push_str(before);
        let silent = tag.trim_start_matches('~').starts_with(['#', '/', '!', '^'])
            || tag.trim_start_matches('~').starts_with("else");
        if !silent {
            return true;
        }
        rest = tag.split_once("}}").map_or("", |(_, after)| after);
    }
    printed.push_str(rest);
    !printed.trim().is_empty()
}

/// The sentences of a text that was rendered from a [`numbered`] source: of its paragraphs and
/// points, not of greetings, lists and signatures.
pub(super) fn sentences(rendered: &str) -> Vec<Sentence> {
    let mut all = Vec::new();
    let mut paragraph: Vec<(usize, String)> = Vec::new();
    let mut line = 1;
    for row in rendered.lines() {
        let row = row.trim();
        let (point, row) = match row.strip_prefix("- ") {
            Some(rest) => (true, rest),
            None => (false, row),
        };
        let ends = row.is_empty() || row.starts_with("Subject:");
        let ends = ends || row.starts_with(super::email::MARK);
        if point || ends {
            split(&std::mem::take(&mut paragraph), &mut all);
        }
        if ends {
            continue;
        }
        let mut pieces = row.split(BEGIN);
        paragraph.extend(pieces.next().map(|first| (line, first.to_owned())));
        for piece in pieces {
            let (number, text) = piece.split_once(END).unwrap_or(("", piece));
            line = number.parse().unwrap_or(line);
            paragraph.push((line, text.to_owned()));
        }
    }
    split(&paragraph, &mut all);
    all
}

/// Splits the lines of a paragraph into sentences, where there is one that ends.
fn split(lines: &[(usize, String)], all: &mut Vec<Sentence>) {
    let mut text = String::new();
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for (line, row) in lines.iter().filter(|(_, row)| !row.trim().is_empty()) {
        if !text.is_empty() {
            text.push(' ');
        }
        starts.push((text.len(), *line));
        text.push_str(row.trim());
    }
    let mut start = 0;
    let mut push = |from: usize, to: usize| {
        let part = text.get(from..to).unwrap_or_default();
        let from = from + part.len() - part.trim_start().len();
        let line = starts.iter().take_while(|(at, _)| *at <= from).last();
        let text = part.trim().to_owned();
        if let Some((_, line)) = line.filter(|_| !words(&text).is_empty()) {
            all.push(Sentence { line: *line, text });
        }
    };
    let mut ended = false;
    for (at, end) in text.match_indices(['.', '!', '?', ':']) {
        // "12. März" and "am 31.12. ist" end no sentence, "2026." and "49.00." do.
        let before = text.get(..at).unwrap_or_default();
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let dated = word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let day = word.rsplit('.').next().is_some_and(|part| (1..=2).contains(&part.len()));
        let number = end == "." && dated && day;
        let last = text.len() == at + 1;
        let over = last || text.get(at + 1..).is_some_and(|rest| rest.starts_with(' '));
        if over && (last || !number) {
            push(start, at + 1);
            start = at + 1;
            ended = true;
        }
    }
    if ended {
        push(start, text.len());
    }
}

/// Words as people read them: links, addresses and numbers of accounts are none.
fn words(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace()).filter(|part| {
        let code = part.chars().any(|c| c.is_ascii_digit())
            && part.chars().filter(|c| c.is_alphabetic()).count() > 1;
        !(code || part.contains('@') || part.contains("://"))
    });
    parts
        .flat_map(|part| part.split('/'))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect()
}

/// How many words a sentence has.
pub(super) fn length(sentence: &str) -> usize {
    words(sentence).len()
}

/// Vowel groups; `ie`, `ei`, `eu`, `au`, `äu` and doubled vowels are one, other neighbours two.
fn syllables(word: &str) -> usize {
    let word = word.to_lowercase();
    if word.chars().all(|c| c.is_ascii_digit()) {
        return 2;
    }
    let one = ["ie", "ei", "eu", "au", "äu", "ai", "ee", "aa", "oo", "ui", "ou"];
    let mut letters = word.chars().peekable();
    let mut count = 0;
    while let Some(letter) = letters.next() {
        if !"aeiouyäöü".contains(letter) {
            continue;
        }
        count += 1;
        let pair = letters.peek().map(|next| format!("{letter}{next}"));
        if pair.is_some_and(|pair| one.contains(&pair.as_str())) {
            letters.next();
        }
    }
    count.max(1)
}

/// The first Wiener Sachtextformel, rounded to one decimal; `None` for texts that are too short to
/// be measured.
pub(super) fn wiener<'t>(sentences: impl IntoIterator<Item = &'t str>) -> Option<Decimal> {
    let (mut count, mut all) = (0usize, Vec::new());
    for sentence in sentences {
        count += 1;
        all.extend(words(sentence));
    }
    if all.len() < FEWEST {
        return None;
    }
    let of = |part: usize, whole: usize| {
        Decimal::from(part).checked_div(Decimal::from(whole)).unwrap_or_default()
    };
    let percent =
        |is: fn(&str) -> bool| of(all.iter().filter(|word| is(word)).count() * 100, all.len());
    let long_words = percent(|word| syllables(word) >= 3);
    let long_letters = percent(|word| word.chars().count() > 6);
    let short_words = percent(|word| syllables(word) == 1);
    let factor = |digits: i64| Decimal::new(digits, 4);
    let score = factor(1935) * long_words
        + factor(1672) * of(all.len(), count)
        + factor(1297) * long_letters
        - factor(327) * short_words
        - factor(8750);
    Some(score.round_dp(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_what_its_authors_counted() {
        let counted = ["Rechnung", "bezahlen", "Inkasso", "Idee", "heute", "Gebühren"];
        assert_eq!(counted.map(syllables), [2, 3, 3, 2, 2, 3]);
        // Twice ten words in two sentences, one of three syllables, two of more than six letters.
        let text = ["Der Hund ist da.", "Die Katze will nicht heute bezahlen."];
        let exact = Decimal::new(1935, 3) + Decimal::new(836, 3) + Decimal::new(1297, 3)
            - Decimal::new(2289, 3)
            - Decimal::new(875, 3);
        assert_eq!(wiener(text.into_iter().chain(text)), Some(exact.round_dp(1)));
        assert_eq!(wiener(text), None, "too short");
    }

    #[test]
    fn a_sentence_keeps_the_line_it_begins_in() {
        let source = "Subject: Neu. Da.\n\nGuten Tag {{name}},\n\n{{#if one}}\nErster Satz am 12. März.\n\
                      Zweiter geht\nweiter.\n{{/if}}\n\n- Ein Punkt! Ja.\n- {{x}} ohne Ende\n\nGruß\nWir\n";
        let marked = numbered(source);
        let rendered = marked.replace("{{#if one}}\n", "").replace("{{/if}}\n", "");
        let found: Vec<(usize, String)> =
            sentences(&rendered).into_iter().map(|one| (one.line, one.text)).collect();
        let expected = [
            (6, "Erster Satz am 12. März."),
            (7, "Zweiter geht weiter."),
            (11, "Ein Punkt!"),
            (11, "Ja."),
        ];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn links_and_numbers_are_no_words() {
        assert_eq!(length("Zahlen Sie: https://pay.example/p/x an DE02120300000000202051."), 3);
        assert_eq!(length("Ihr Sie/Du am 31.12.2026"), 5);
    }
}
