#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::civil::date;
use kulanz_domain::money::{Currency, Money};

use super::*;

fn key(channel: Channel, language: &str) -> TextKey {
    TextKey {
        text: "mahnung".to_owned(),
        language: language.to_owned(),
        tone: "clear".to_owned(),
        channel,
    }
}

fn compile(key: &TextKey, source: &str) -> Result<Templates, Vec<TemplateProblem>> {
    let source = TextSource { file: "mahnung.hbs".to_owned(), source: source.to_owned() };
    Templates::compile([(key.clone(), source)])
}

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

fn creditor() -> Creditor {
    Creditor {
        name: "Lindenmoor".to_owned(),
        support_email: Some("hilfe@lindenmoor.example".to_owned()),
        support_phone: None,
        iban: Some("DE02120300000000202051".to_owned()),
        imprint: None,
        colour: "#2f5d50".parse().unwrap(),
    }
}

fn message() -> MessageContext {
    MessageContext {
        creditor: creditor(),
        debtor_name: Some("Jörg Müller".to_owned()),
        total: eur("1237.06"),
        principal: eur("1234.56"),
        fees: eur("2.50"),
        fee: eur("2.50"),
        lump_sum: eur("0.00"),
        interest: eur("0.00"),
        interest_to: date(2026, 3, 28),
        bears_interest: true,
        searched_on: None,
        went_back_on: None,
        reassigned: None,
        help_asked_on: None,
        deadline: Some(date(2026, 4, 12)),
        claims: vec![
            ClaimLine {
                invoice: "R-1".to_owned(),
                amount: eur("1200.00"),
                issued_on: date(2026, 3, 1),
                due_on: date(2026, 3, 15),
                description: Some("Gartenbank".to_owned()),
            },
            ClaimLine {
                invoice: "R-204".to_owned(),
                amount: eur("34.56"),
                issued_on: date(2026, 3, 2),
                due_on: date(2026, 3, 12),
                description: None,
            },
        ],
        plans: vec![PlanLine {
            rates: 3,
            rate: eur("412.35"),
            first: eur("412.36"),
            last: eur("412.37"),
            last_on: date(2026, 7, 1),
        }],
        link: "https://pay.example/p/AbC?x=1&y=2".to_owned(),
        reference: "KD-7".to_owned(),
        payment_reference: "RF76 KD7".to_owned(),
    }
}

const MAHNUNG: &str = "Subject: {{creditor.name}}: {{total}} sind offen\n\
\n\
Guten Tag {{debtor.name}},\n\
\n\
seit dem {{oldest_due}} sind {{count}} Rechnungen offen. Bitte zahlen Sie bis zum {{deadline}}.\n\
\n\
[[pay]]\n\
[[claims]]\n\
\n\
{{#if has_fee}}\nDarin ist eine Gebühr von {{fee}}.\n\n{{/if}}\
{{#each plans}}\n- {{rates}} Raten zu {{rate}}, die letzte von {{last}} am {{last_on}}\n{{/each}}\n\
\n\
IBAN {{creditor.iban}}, Zweck {{reference}}\n\
{{creditor.name}}\n";

fn document(source: &str, language: &str, message: &MessageContext) -> Document {
    let key = key(Channel::Email, language);
    match compile(&key, source).unwrap().render(&key, message).unwrap() {
        Content::Email(document) => document,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_email_has_subject_text_and_html_of_the_same_content() {
    let email = document(MAHNUNG, "de", &message());
    assert_eq!(email.subject, "Lindenmoor: 1.237,06 € sind offen");
    let text = "Guten Tag Jörg Müller,\n\
        \n\
        seit dem 12. März 2026 sind 2 Rechnungen offen. Bitte zahlen Sie bis zum 12. April 2026.\n\
        \n\
        https://pay.example/p/AbC?x=1&y=2\n\
        \n\
        Rechnung  Fällig am          Betrag\n\
        R-1       15. März 2026  1.200,00 €\n  Gartenbank\n\
        R-204     12. März 2026     34,56 €\n\
        \n\
        Darin ist eine Gebühr von 2,50 €.\n\
        \n\
        - 3 Raten zu 412,35 €, die letzte von 412,37 € am 1. Juli 2026\n\
        \n\
        IBAN DE02 1203 0000 0000 2020 51, Zweck KD-7\n\
        Lindenmoor\n";
    assert_eq!(email.text, text);
    for part in [
        "<html lang=\"de\"",
        "background-color:#2f5d50;color:#ffffff",
        "href=\"https://pay.example/p/AbC?x=1&amp;y=2\"",
        "<th scope=\"col\"",
        ">1.200,00 €</td>",
        "<li>3 Raten zu 412,35 €",
        "Zweck KD-7<br>\nLindenmoor</p>",
        "Ansehen und bezahlen",
    ] {
        assert!(email.html.contains(part), "{part}\n{}", email.html);
    }
}

#[test]
fn the_html_loads_nothing_and_runs_nothing() {
    let html = document(MAHNUNG, "de", &message()).html;
    for never in ["<img", "<script", "<link", "<style", "src=", "url(", "@import", "http://"] {
        assert!(!html.contains(never), "{never}");
    }
}

#[test]
fn a_very_long_list_of_claims_is_cut_and_says_so() {
    let mut many = message();
    many.claims = vec![many.claims[1].clone(); 1_000];
    let email = document("Subject: {{count}}\n\n[[claims]]\n", "de", &many);
    assert_eq!(email.subject, "1000");
    assert_eq!(email.text.matches("R-204").count(), 50);
    assert!(email.text.ends_with("\n… und 950 weitere\n"), "{}", email.text);
    assert_eq!(email.html.matches("R-204").count(), 50);
    assert!(email.html.contains("<td colspan=\"3\""), "{}", email.html);
}

#[test]
fn english_texts_write_amounts_and_days_in_english() {
    let source = "Subject: {{total}}\n\nDue {{oldest_due}}, {{#each claims}}{{amount}} {{/each}}";
    let email = document(source, "en-GB", &message());
    assert_eq!(email.subject, "€1,237.06");
    assert_eq!(email.text, "Due 12 March 2026, €1,200.00 €34.56\n");
}

#[test]
fn a_hostile_name_or_description_stays_text() {
    let mut hostile = message();
    hostile.debtor_name =
        Some("<script>alert(1)</script>\r\nBcc: victim@example.org {{total}}\n[[pay]]".to_owned());
    hostile.claims[0].description =
        Some("\"><img src=x onerror=alert(1)>{{#each claims}}\n\n[[claims]]".to_owned());
    hostile.creditor.name = "A & B\r\nX-Evil: yes".to_owned();
    let source = "Subject: {{creditor.name}} an {{debtor.name}}\n\n{{debtor.name}}\n\n\
                  {{#each claims}}\n{{description}}\n{{/each}}\n[[claims]]\n";
    let email = document(source, "de", &hostile);
    assert!(!email.subject.contains(['\r', '\n']), "{}", email.subject);
    assert!(email.subject.contains("{{total}}"), "{}", email.subject);
    assert!(!email.html.contains("<script") && !email.html.contains("<img"), "{}", email.html);
    assert!(!email.html.contains("href="), "a value posed as the marker: {}", email.html);
    assert_eq!(email.html.matches("<table").count(), 1);
    assert!(email.html.contains("&lt;script&gt;alert(1)&lt;/script&gt; Bcc: victim"));
}

#[test]
fn a_value_alone_on_its_line_cannot_be_a_marker() {
    let mut hostile = message();
    hostile.debtor_name = Some("\u{E000}pay\u{E000}".to_owned());
    let email = document("Subject: x\n\n{{debtor.name}}\n", "de", &hostile);
    assert_eq!(email.text, "pay\n");
    hostile.debtor_name = Some("[[pay]]".to_owned());
    let email = document("Subject: x\n\n{{debtor.name}}\n", "de", &hostile);
    assert_eq!(email.text, "[[pay]]\n");
}

#[test]
fn a_missing_value_fails_with_file_line_and_name() {
    let key = key(Channel::Email, "de");
    let source = "Subject: x\n\nBitte bis\n{{deadline}}.\n";
    let templates = compile(&key, source).unwrap();
    let mut late = message();
    late.deadline = None;
    let error = templates.render(&key, &late).unwrap_err();
    let RenderError::Failed(problem) = error else { panic!("{error}") };
    assert_eq!(problem.to_string(), "mahnung.hbs:4: `deadline` has no value in this message");
    assert!(templates.render(&key, &message()).is_ok());
}

#[test]
fn problems_of_all_texts_are_told_at_once_with_their_lines() {
    let source =
        |file: &str, source: &str| TextSource { file: file.to_owned(), source: source.to_owned() };
    let problems = Templates::compile([
        (key(Channel::Email, "de"), source("a.hbs", "Subject: x\n\n{{totl}}\n{{shout fee}}\n")),
        (key(Channel::Sms, "de"), source("b.hbs", "{{total}}\n[[pay]]")),
        (key(Channel::Sms, "en"), source("c.hbs", "one\n{{#if one}}\n")),
    ])
    .unwrap_err();
    let places: Vec<_> = problems.iter().map(|p| (p.file.as_str(), p.line)).collect();
    assert_eq!(places[..3], [("a.hbs", 3), ("a.hbs", 4), ("b.hbs", 2)], "{problems:?}");
    assert_eq!(places[3].0, "c.hbs");
    let twice = key(Channel::Letter, "de");
    let problems = Templates::compile([
        (twice.clone(), source("a.hbs", "Subject: x\n\ny")),
        (twice, source("b.hbs", "Subject: x\n\nz")),
    ])
    .unwrap_err();
    assert_eq!(problems[0].to_string(), "b.hbs:1: the same text is in a.hbs");
}

#[test]
fn a_text_that_does_not_exist_is_named() {
    let templates = Templates::compile([]).unwrap();
    let error = templates.render(&key(Channel::Letter, "it"), &message()).unwrap_err();
    assert_eq!(error.to_string(), "there is no text mahnung/it/clear/letter");
}

#[test]
fn an_sms_is_counted_and_too_long_ones_are_refused_with_their_length() {
    let key = key(Channel::Sms, "de");
    let templates =
        compile(&key, "{{creditor.name}}: {{total}} offen, Zweck {{reference}}.\n{{link}}\n")
            .unwrap();
    let Content::Sms(sms) = templates.render(&key, &message()).unwrap() else { panic!() };
    assert_eq!(
        sms.text,
        "Lindenmoor: 1.237,06 € offen, Zweck KD-7. https://pay.example/p/AbC?x=1&y=2"
    );
    assert_eq!((sms.coding, sms.segments), (Coding::Gsm7, 1));
    let mut long = message();
    long.creditor.name = "x".repeat(290);
    let problems = templates.check(&key, &[message(), long.clone(), long]);
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "the text message has a length of 356, which is 3 parts; two are sent at most, with room for 306"
    );
}

#[test]
fn samples_render_and_find_what_only_some_messages_lack() {
    let creditor = creditor();
    let occasion = |deadline| Occasion {
        creditor: &creditor,
        currency: Currency::JPY,
        deadline,
        plans: &[3, 6],
        base_url: "https://pay.example/",
    };
    let key = key(Channel::Email, "de");
    let templates = compile(&key, MAHNUNG).unwrap();
    assert_eq!(templates.check(&key, &samples(&occasion(true))), []);
    let problems = templates.check(&key, &samples(&occasion(false)));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.contains("`deadline`"));
    // The creditor's file names no phone.
    let templates = compile(&key, "Subject: x\n\n{{creditor.support_phone}}").unwrap();
    assert_eq!(templates.check(&key, &samples(&occasion(true))).len(), 1);
}

#[test]
fn debug_output_holds_no_personal_data() {
    let email = document(MAHNUNG, "de", &message());
    let shown = format!("{:?} {email:?}", message());
    for secret in ["Müller", "pay.example", "Gartenbank"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_email_says_at_its_foot_who_the_creditor_is_by_law() {
    let mut message = message();
    message.creditor.imprint = Some("Lindenmoor Versand GmbH, <Münster>".to_owned());
    let email = document(MAHNUNG, "de", &message);
    assert!(email.text.ends_with("\n-- \nLindenmoor Versand GmbH, <Münster>\n"), "{}", email.text);
    assert!(email.html.contains("Lindenmoor Versand GmbH, &lt;Münster&gt;"), "{}", email.html);
}
