//! Every text that is shipped renders, also for the longest message that is to be expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use kulanz_delivery::render::{
    Content, Creditor, MessageContext, Occasion, Templates, TextKey, TextSource, samples,
};
use kulanz_domain::{
    fact::Channel,
    ids::{DebtorId, InvoiceId},
    money::Currency,
    reference::PaymentReference,
    went_back::Reassigned,
};

/// `mahnung.de.clear.email.hbs`.
fn key(file: &str) -> TextKey {
    let parts: Vec<&str> = file.split('.').collect();
    let [text, language, tone, channel, "hbs"] = parts[..] else { panic!("file name {file}") };
    let known = Channel::ALL.into_iter().find(|known| known.name() == channel);
    TextKey {
        text: text.to_owned(),
        language: language.to_owned(),
        tone: tone.to_owned(),
        channel: known.unwrap_or_else(|| panic!("channel of {file}")),
    }
}

fn texts(folder: &Path) -> Vec<(TextKey, TextSource)> {
    let mut texts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let source = fs::read_to_string(&path).unwrap();
            (key(&name), TextSource { file: path.display().to_string(), source })
        })
        .collect();
    texts.sort_by(|(a, _), (b, _)| a.cmp(b));
    texts
}

const POLICIES: [&str; 4] = ["shop-b2c", "shop-b2b", "wholesale", "road-fines"];

fn folder(policy: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(policy).join("templates")
}

fn creditor() -> Creditor {
    Creditor {
        name: "Stadtwerke Lindenmoor".to_owned(),
        support_email: Some("forderungen@lindenmoor.example".to_owned()),
        support_phone: Some("+49 221 1234567".to_owned()),
        iban: Some("DE02120300000000202051".to_owned()),
        imprint: Some("Lindenmoor Versand GmbH, Münster".to_owned()),
        colour: Default::default(),
    }
}

fn occasion<'a>(policy: &str, creditor: &'a Creditor) -> Occasion<'a> {
    Occasion {
        creditor,
        currency: if policy == "wholesale" { Currency::USD } else { Currency::EUR },
        deadline: true,
        plans: &[3, 6],
        base_url: "https://zahlen.lindenmoor.example",
    }
}

#[test]
fn every_shipped_text_renders_and_holds_the_link() {
    let creditor = creditor();
    let mut problems = Vec::new();
    let mut checked = 0;
    for policy in POLICIES {
        let templates = match Templates::compile(texts(&folder(policy))) {
            Ok(templates) => templates,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        let samples = samples(&occasion(policy, &creditor));
        for key in templates.keys() {
            problems.extend(templates.check(key, &samples));
            for sample in &samples {
                match templates.render(key, sample) {
                    Ok(Content::Email(document) | Content::Letter(document)) => {
                        assert!(document.text.contains(&sample.link), "{policy} {key}");
                        assert!(document.html.contains(&sample.link), "{policy} {key}");
                    }
                    Ok(Content::Sms(sms)) => {
                        assert!(sms.text.contains(&sample.link), "{policy} {key}");
                    }
                    Err(_) => {} // among the problems
                }
            }
            checked += 1;
        }
    }
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", shown.join("\n"));
    assert!(checked >= 40, "only {checked} texts found");
}

#[test]
fn no_mahnung_speaks_of_interest_that_is_not_claimed() {
    let creditor = creditor();
    let mut checked = 0;
    for policy in ["shop-b2c", "shop-b2b"] {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let mut message = samples(&occasion(policy, &creditor)).swap_remove(0);
        for key in templates.keys().filter(|key| key.text == "mahnung") {
            for bears in [true, false] {
                message.bears_interest = bears;
                let Content::Email(document) = templates.render(key, &message).unwrap() else {
                    continue;
                };
                let told = ["Zinsen", "interest"].iter().any(|word| document.text.contains(word));
                assert_eq!(told, bears, "{policy} {key}: {}", document.text);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 16);
}

/// Changes a message so that it has to say something.
type Occasioned = fn(&mut MessageContext, Option<jiff::civil::Date>);

/// What every e-mail says in German and in English, where it has to and nowhere else.
fn every_email_says(german: &str, english: &str, change: Occasioned) {
    let creditor = creditor();
    let mut checked = 0;
    for policy in POLICIES {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let mut message = samples(&occasion(policy, &creditor)).swap_remove(0);
        for key in templates.keys() {
            for on in [None, Some(jiff::civil::date(2026, 8, 12))] {
                change(&mut message, on);
                let Content::Email(document) = templates.render(key, &message).unwrap() else {
                    continue;
                };
                let words = if key.language == "de" { german } else { english };
                let told = document.text.contains(words);
                assert_eq!(told, on.is_some(), "{policy} {key}: {}", document.text);
                assert!(!document.text.contains("\n\n\n"), "{policy} {key}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 120);
}

#[test]
fn every_email_tells_of_a_search_that_was_in_vain_and_of_no_other() {
    let change: Occasioned = |message, on| message.searched_on = on;
    every_email_says("keine Zahlung gefunden", "did not find it", change);
}

#[test]
fn every_email_owns_up_to_a_request_for_help_that_nobody_answered() {
    let change: Occasioned = |message, on| message.help_asked_on = on;
    let german = "Sie haben uns am 12. August 2026 gesagt, dass Sie nicht zahlen können.";
    every_email_says(german, "On 12 August 2026 you told us that you cannot pay.", change);
}

#[test]
fn every_email_says_that_a_payment_counts_elsewhere_and_no_more_of_one_of_somebody_else() {
    let own: Occasioned = |message, on| {
        let own = Some((jiff::civil::date(2026, 8, 3), message.total));
        message.reassigned = on.map(|on| Reassigned { on, own });
    };
    let english = "from 3 August 2026 here. On 12 August 2026 we assigned it to another";
    every_email_says("Ihre Zahlung vom 3. August 2026 über", english, own);
    let elsewhere: Occasioned =
        |message, on| message.reassigned = on.map(|on| Reassigned { on, own: None });
    let german = "Eine Zahlung hatten wir hier schon angerechnet. Am 12. August 2026 haben wir sie \
                  anders zugeordnet.";
    let english =
        "We had already counted a payment here. On 12 August 2026 we assigned it elsewhere.";
    every_email_says(german, english, elsewhere);
}

/// They are too short to say what became of it: the page behind their link does.
#[test]
fn every_text_message_says_that_the_page_tells_what_became_of_what_the_debtor_said() {
    let creditor = creditor();
    let mut checked = 0;
    for policy in POLICIES {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let mut message = samples(&occasion(policy, &creditor)).swap_remove(0);
        let on = Some(jiff::civil::date(2026, 8, 12));
        for key in templates.keys().filter(|key| key.channel == Channel::Sms) {
            for (searched_on, help_asked_on) in [(None, None), (on, None), (None, on), (on, on)] {
                (message.searched_on, message.help_asked_on) = (searched_on, help_asked_on);
                let Content::Sms(sms) = templates.render(key, &message).unwrap() else {
                    panic!("{key} is no text message");
                };
                let words = if key.language == "de" { "hrer Meldung" } else { "your message" };
                let told = sms.text.contains(words);
                let due = searched_on.or(help_asked_on).is_some();
                assert_eq!(told, due, "{policy} {key}: {}", sms.text);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 240);
}

/// Also the longest message has room for it; but for nine texts, where the page tells it if they
/// have something else to tell.
#[test]
fn every_text_message_says_that_a_payment_went_back() {
    let creditor = creditor();
    let (mut told, mut left_to_the_page) = (0, Vec::new());
    for policy in POLICIES {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let mut message = samples(&occasion(policy, &creditor)).swap_remove(2);
        let on = Some(jiff::civil::date(2026, 8, 12));
        for key in templates.keys().filter(|key| key.channel == Channel::Sms) {
            for (went_back_on, searched_on) in [(None, None), (on, None), (None, on), (on, on)] {
                (message.went_back_on, message.searched_on) = (went_back_on, searched_on);
                message.help_asked_on = None;
                let sms = match templates.render(key, &message) {
                    Ok(Content::Sms(sms)) => sms,
                    other => panic!("{policy} {key}: {other:?}"),
                };
                let words =
                    if key.language == "de" { "ahlung ging zurück" } else { "payment went back" };
                let says = sms.text.contains(words);
                told += usize::from(says);
                if went_back_on.is_some() && searched_on.is_some() && !says {
                    left_to_the_page.push(format!("{policy} {key}"));
                    continue;
                }
                assert_eq!(says, went_back_on.is_some(), "{policy} {key}: {}", sms.text);
            }
        }
    }
    assert_eq!((told, left_to_the_page.len()), (111, 9), "{left_to_the_page:#?}");
}

#[test]
fn every_email_asks_for_the_reference_of_the_page_and_names_the_matter_beside_it() {
    let creditor = creditor();
    let mut checked = 0;
    for policy in POLICIES {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let mut message = samples(&occasion(policy, &creditor)).swap_remove(0);
        let invoice = InvoiceId::new("R-2026-104").unwrap();
        let reference = PaymentReference::of(&DebtorId::new("K-1").unwrap(), Some(&invoice));
        assert!(matches!(reference, PaymentReference::Rf(_)));
        message.reference = invoice.to_string();
        message.payment_reference = reference.shown();
        for key in templates.keys().filter(|key| key.channel == Channel::Email) {
            let mut text = |message: &MessageContext| {
                let Content::Email(document) = templates.render(key, message).unwrap() else {
                    panic!("{key} is no e-mail");
                };
                checked += 1;
                document.text
            };
            let shown = text(&message);
            let asked = format!("{} (", reference.shown());
            let (_, beside) = shown.split_once(&asked).unwrap_or_else(|| panic!("{key}: {shown}"));
            assert!(beside.split_once(')').unwrap().0.ends_with("R-2026-104"), "{key}: {shown}");
            // Where it is the ids as they are, they are not said twice.
            let plain = MessageContext {
                reference: "rechnung-7".to_owned(),
                payment_reference: "rechnung-7 K-1".to_owned(),
                ..message.clone()
            };
            let shown = text(&plain);
            assert!(shown.contains("rechnung-7 K-1") && !shown.contains("K-1 ("), "{key}: {shown}");
        }
    }
    assert_eq!(checked, 120);
}

/// Paragraphs and points of lists, without tables, links, greeting and signature.
fn prose(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start_matches("- ").trim_end());
    let lines = lines.filter(|line| line.ends_with(['.', '!', '?', ':']));
    lines.collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || c == '/');
    let bare = parts.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    bare.filter(|word| !word.is_empty()).collect()
}

fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, end) in text.match_indices(['.', '!', '?', ':']) {
        // "12. März" ends no sentence, "2026." may.
        let digits = text[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let number = end == "." && (1..=2).contains(&digits);
        let last = text.len() == at + 1;
        if last || (text[at + 1..].starts_with(' ') && !number) {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    found.push(&text[start..]);
    found.retain(|sentence| !words(sentence).is_empty());
    found
}

/// Vowels with those that belong to them.
fn syllables(word: &str) -> usize {
    const ONE: [&str; 11] = ["ie", "ei", "eu", "au", "äu", "ai", "ee", "aa", "oo", "ui", "ou"];
    let word = word.to_lowercase();
    let mut rest = word.as_str();
    let mut count = 0;
    while let Some(first) = rest.chars().next() {
        let pair = ONE.iter().find(|pair| rest.starts_with(**pair));
        count += usize::from("aeiouyäöü".contains(first));
        rest = &rest[pair.map_or(first.len_utf8(), |pair| pair.len())..];
    }
    count.max(1)
}

/// The first Wiener Sachtextformel: years of school that a reader needs.
fn wiener(text: &str) -> f64 {
    let words = words(text);
    let number = |count: usize| f64::from(u32::try_from(count).unwrap());
    let share = |is: fn(&&&str) -> bool| {
        100.0 * number(words.iter().filter(is).count()) / number(words.len())
    };
    0.1935 * share(|word| syllables(word) >= 3)
        + 0.1672 * number(words.len()) / number(sentences(text).len())
        + 0.1297 * share(|word| word.chars().count() > 6)
        - 0.0327 * share(|word| syllables(word) == 1)
        - 0.875
}

#[test]
fn shipped_texts_are_plain() {
    let creditor = creditor();
    let (mut hard, mut measured) = (Vec::new(), 0);
    for policy in POLICIES {
        let templates = Templates::compile(texts(&folder(policy))).unwrap();
        let samples = samples(&occasion(policy, &creditor));
        for key in templates.keys() {
            // The third one is long for length's sake.
            for sample in &samples[..2] {
                let text = match templates.render(key, sample).unwrap() {
                    Content::Email(document) | Content::Letter(document) => prose(&document.text),
                    Content::Sms(_) => continue,
                };
                measured += 1;
                let long = sentences(&text).into_iter().filter(|one| words(one).len() > 20);
                hard.extend(long.map(|sentence| format!("{policy} {key}: {sentence}")));
                if key.language == "de" && wiener(&text) > 9.0 {
                    hard.push(format!("{policy} {key}: {:.1}", wiener(&text)));
                }
            }
        }
    }
    assert!(hard.is_empty(), "{}", hard.join("\n"));
    assert!(measured >= 80, "only {measured} texts measured");
}

#[test]
fn plainness_is_measured_as_its_authors_do() {
    assert_eq!(["Rechnung", "bezahlen", "heute", "Gebühren"].map(syllables), [2, 3, 2, 3]);
    // Ten words in two sentences, one of three syllables, two longer than six letters, six of one.
    let text = "Der Hund ist da. Die Katze will nicht heute bezahlen.";
    assert_eq!((words(text).len(), sentences(text).len()), (10, 2));
    let exact = 0.1935 * 10.0 + 0.1672 * 5.0 + 0.1297 * 10.0 - 0.0327 * 70.0 - 0.875;
    assert!((wiener(text) - exact).abs() < 1e-9, "{}", wiener(text));
    assert_eq!(sentences("Bis zum 12. März 2026. Dann nicht.").len(), 2);
    assert_eq!(prose("Guten Tag,\n\n- Ja.\nR-1  2 €\nhttps://x.example/p\n"), "Ja.");
}
