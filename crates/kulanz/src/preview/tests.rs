use std::collections::BTreeSet;

use kulanz_delivery::render::Document;

use super::*;

fn options(more: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options {
        policy: PathBuf::new(),
        step: None,
        language: None,
        tone: None,
        channel: None,
        sample: None,
        creditor: None,
        html: None,
        json: false,
    };
    more(&mut options);
    options
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name)
}

fn seen(name: &str, more: impl FnOnce(&mut Options)) -> Preview {
    let folder = shipped(name);
    let looked = kulanz_policies::look(&folder).unwrap();
    gather(looked, &folder, &options(more)).unwrap()
}

fn only<'a>(preview: &'a Preview, step: &str, tone: &str, channel: &str) -> &'a Card {
    let wanted = [step, "de", tone, channel];
    preview.cards.iter().find(|card| card.names() == wanted).unwrap()
}

fn people(card: &Card) -> Vec<&str> {
    card.to.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn costs_and_days_are_those_that_policy_and_law_make_of_a_step() {
    let preview = seen("shop-b2c", |_| {});
    let mahnung = only(&preview, "mahnung", "clear", "email");
    // 11 September and 4 and 10 days; the deadline's last day is a Monday.
    let made = &mahnung.made;
    assert_eq!((made.days_after_due, made.sent_on.to_string().as_str()), (14, "2026-09-25"));
    assert_eq!(made.deadline.unwrap().to_string(), "2026-10-05");
    // It brings default about, so that it costs nothing, and no interest runs yet.
    assert_eq!(made.fee.plain(), "0.00");
    let text = mahnung.parts().1;
    assert!(text.contains("138,00") && text.contains("kostet Sie nichts"), "{text}");
    assert!(text.contains("05.10.2026") || text.contains("5. Oktober 2026"), "{text}");
    // The last call asks for interest too; the sums are those of the lines.
    let last = only(&preview, "last-call", "clear", "email").parts().1;
    assert!(last.contains("141,00") && last.contains("3,00"), "{last}");
}

#[test]
fn a_step_for_businesses_asks_for_the_lump_sum_once_for_each_claim() {
    let preview = seen("shop-b2b", |_| {});
    let last = only(&preview, "last-call", "formal", "email");
    assert_eq!(last.made.lump_sum.plain(), "80.00");
    assert!(last.parts().1.contains("221,00"), "{}", last.parts().1);
    let one = seen("shop-b2b", |asked| asked.sample = Some(Sample::Short));
    assert_eq!(only(&one, "last-call", "formal", "email").made.lump_sum.plain(), "40.00");
    // Amounts are such that both plans can be had: no rate is below 100.00.
    let offer = only(&preview, "instalments", "formal", "email").parts().1;
    assert!(offer.contains("4 Raten") && offer.contains("12 Raten"), "{offer}");
}

#[test]
fn a_message_names_the_personas_that_may_get_it() {
    let preview = seen("shop-b2c", |_| {});
    let to = |step, tone, channel| people(only(&preview, step, tone, channel));
    assert_eq!(to("heads-up", "warm", "email"), ["regular"]);
    assert_eq!(to("heads-up", "clear", "email"), [""; 0]);
    assert_eq!(to("reminder", "warm", "sms"), ["careful", "regular"]);
    assert_eq!(to("reminder", "clear", "email"), ["first-order", "business", "everyone"]);
    assert_eq!(to("reminder", "clear", "sms"), ["first-order", "everyone"]);
    // The condition of the last call leaves out those who need care.
    assert_eq!(to("last-call", "warm", "email"), ["regular"]);
}

#[test]
fn steps_come_in_the_order_of_the_ladder_and_languages_in_that_of_the_policy() {
    let preview = seen("shop-b2c", |_| {});
    let mut steps: Vec<&str> = preview.cards.iter().map(|card| card.step.name.as_str()).collect();
    steps.dedup();
    assert_eq!(steps, ["heads-up", "reminder", "mahnung", "instalments", "last-call"]);
    let first: Vec<[&str; 4]> = preview.cards.iter().take(5).map(Card::names).collect();
    assert_eq!(first[0], ["heads-up", "de", "warm", "email"]);
    assert_eq!(first[1], ["heads-up", "de", "warm", "sms"]);
    assert_eq!(first[4], ["heads-up", "en", "warm", "email"]);
}

#[test]
fn every_shipped_text_is_seen_with_every_sample() {
    for name in ["shop-b2c", "shop-b2b", "wholesale", "road-fines"] {
        let files: BTreeSet<String> = std::fs::read_dir(shipped(name).join("templates"))
            .unwrap()
            .map(|entry| format!("templates/{}", entry.unwrap().file_name().display()))
            .collect();
        for sample in Sample::ALL {
            let preview = seen(name, |asked| asked.sample = Some(sample));
            let seen: BTreeSet<String> =
                preview.cards.iter().map(|card| card.file.clone()).collect();
            assert_eq!(seen, files, "{name} {sample:?}");
        }
    }
}

#[test]
fn what_comes_from_a_file_cannot_leave_its_place_on_the_page() {
    let mut preview = seen("shop-b2c", |asked| asked.channel = Some("email".to_owned()));
    preview.cards.truncate(1);
    let evil = "\"></iframe><script>x</script>";
    preview.creditor.trading_name = evil.to_owned();
    preview.cards[0].made.content = Content::Email(Document {
        subject: evil.to_owned(),
        text: evil.to_owned(),
        html: evil.to_owned(),
    });
    let page = page::render(&preview);
    assert!(!page.contains("<script") && page.matches("</iframe>").count() == 1, "{page}");
}

#[test]
fn names_are_listed_as_people_do() {
    assert_eq!(listed(["a"]), "a");
    assert_eq!(listed(["a", "b"]), "a and b");
    assert_eq!(listed(["a", "b", "c"]), "a, b and c");
    assert_eq!(words::day(-3), "3 days before the due date");
    assert_eq!(words::day(1), "1 day after the due date");
}
