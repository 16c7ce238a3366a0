//! Plain language: sentences of at most 20 words, and for every German text the first Wiener
//! Sachtextformel (Bamberger and Vanecek 1984) at most 9: readable after nine years of school.

use super::*;

/// Texts with their gaps filled by what stands there on an ordinary day.
fn ordinary(text: Text, lang: Lang) -> String {
    let gaps = [
        ("shop", "Lindenmoor"),
        ("amount", "89 Euro"),
        ("date", "12. März"),
        ("moment", "12. März, 17 Uhr"),
        ("count", "3"),
        ("from", "12.3.2026"),
        ("to", "30.6.2026"),
        ("days", "81 Tage"),
        ("percent", "6,27 %"),
        ("base", "1,27 %"),
        ("points", "5"),
        ("invoice", "R-1"),
        ("id", "R-1"),
        ("right", "20 Euro"),
    ];
    text.filled(lang, &gaps)
}

fn words(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || c == '/');
    parts
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|w| !w.is_empty())
        .collect()
}

fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, end) in text.match_indices(['.', '!', '?', ':']) {
        // "12. März" and "31.12.2026" end no sentence.
        let number = text[..at].ends_with(|c: char| c.is_ascii_digit()) && end == ".";
        let over = text[at + 1..].starts_with(' ') || text.len() == at + 1;
        if over && !(number && text.len() > at + 1) {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    if !words(&text[start..]).is_empty() {
        found.push(&text[start..]);
    }
    found
}

/// Vowel groups; `ie`, `ei`, `eu`, `au`, `äu` and doubled vowels are one, other neighbours two.
fn syllables(word: &str) -> usize {
    let word = word.to_lowercase();
    if word.chars().all(|c| c.is_ascii_digit()) {
        return 2;
    }
    let letters: Vec<char> = word.chars().collect();
    let vowel = |c: char| "aeiouyäöü".contains(c);
    let mut count = 0;
    let mut at = 0;
    while at < letters.len() {
        if !vowel(letters[at]) {
            at += 1;
            continue;
        }
        count += 1;
        let pair: String = letters[at..].iter().take(2).collect();
        let one = ["ie", "ei", "eu", "au", "äu", "ai", "ee", "aa", "oo", "ui", "ou"];
        at += if one.contains(&pair.as_str()) { 2 } else { 1 };
    }
    count.max(1)
}

fn share(part: usize, whole: usize) -> f64 {
    100.0 * f64::from(u32::try_from(part).unwrap_or(0))
        / f64::from(u32::try_from(whole).unwrap_or(1))
}

fn wiener(text: &str) -> f64 {
    let words = words(text);
    let count = |is: fn(&str) -> bool| words.iter().filter(|word| is(word)).count();
    let long_words = share(count(|word| syllables(word) >= 3), words.len());
    let long_letters = share(count(|word| word.chars().count() > 6), words.len());
    let short_words = share(count(|word| syllables(word) == 1), words.len());
    let sentence_length = share(words.len(), sentences(text).len()) / 100.0;
    0.1935 * long_words + 0.1672 * sentence_length + 0.1297 * long_letters
        - 0.0327 * short_words
        - 0.875
}

/// Labels and titles of up to five words are no text that a formula for prose can measure alone:
/// one word of three syllables would count as a page of nothing else. They are measured together.
fn is_prose(text: &str) -> bool {
    text.contains(['.', '!', '?']) && words(text).len() > 5
}

#[test]
fn every_german_text_is_plain() {
    let mut hard = Vec::new();
    for text in Text::ALL {
        let german = ordinary(*text, Lang::De);
        if is_prose(&german) && wiener(&german) > 9.0 {
            hard.push(format!("{text:?} {:.1}: {german}", wiener(&german)));
        }
    }
    assert!(hard.is_empty(), "\n{}", hard.join("\n"));
}

#[test]
fn labels_and_titles_together_are_plain_too() {
    let labels: Vec<String> =
        Text::ALL.iter().map(|text| ordinary(*text, Lang::De)).filter(|t| !is_prose(t)).collect();
    for label in &labels {
        assert!(words(label).len() <= 9, "{label}");
    }
    let together =
        labels.iter().map(|label| format!("{}. ", label.trim_end_matches(['.', '?', '!', ':'])));
    let score = wiener(&together.collect::<String>());
    assert!(score <= 9.0, "{score}");
}

#[test]
fn no_sentence_has_more_than_twenty_words() {
    for text in Text::ALL {
        for lang in [Lang::De, Lang::En] {
            let shown = ordinary(*text, lang);
            for sentence in sentences(&shown) {
                assert!(words(sentence).len() <= 20, "{text:?}: {sentence}");
            }
        }
    }
}

#[test]
fn both_languages_have_every_text_with_the_same_gaps() {
    let gaps = |text: &str| {
        let mut found: Vec<String> = text
            .split('{')
            .skip(1)
            .map(|one| one.split('}').next().unwrap_or("").to_owned())
            .collect();
        found.sort();
        found.dedup();
        found
    };
    for text in Text::ALL {
        let (german, english) = (text.in_lang(Lang::De), text.in_lang(Lang::En));
        assert!(!german.trim().is_empty() && !english.trim().is_empty(), "{text:?}");
        assert_eq!(gaps(german), gaps(english), "{text:?}");
        assert!(!ordinary(*text, Lang::De).contains(['{', '}', '<', '&']), "{text:?}");
        assert!(!ordinary(*text, Lang::En).contains(['{', '}', '<', '&']), "{text:?}");
    }
}

#[test]
fn the_formula_gives_what_its_authors_counted() {
    assert_eq!(
        ["Rechnung", "bezahlen", "Inkasso", "Idee", "heute", "Gebühren"].map(syllables),
        [2, 3, 3, 2, 2, 3]
    );
    // Ten words in two sentences, one of three syllables, two longer than six letters, six of one.
    let text = "Der Hund ist da. Die Katze will nicht heute bezahlen.";
    assert_eq!((words(text).len(), sentences(text).len()), (10, 2));
    let exact = 0.1935 * 10.0 + 0.1672 * 5.0 + 0.1297 * 10.0 - 0.0327 * 70.0 - 0.875;
    assert!((wiener(text) - exact).abs() < 1e-9, "{}", wiener(text));
}
