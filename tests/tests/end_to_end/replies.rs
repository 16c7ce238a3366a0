//! What messages and pages say of what a debtor had told us, and what to write on a transfer: the
//! same in both, and to whoever asks over HTTP.

use std::fs;

use serde_json::{Value, json};

use super::{
    delivery::overdue,
    events::{day, event, moment},
    processes::MailServer,
    world::{Installation, eventually},
};

const TEXT: &str = "Subject: Reminder

Hello,

{{total}} is open.{{#if help_unanswered}} Asked for help on {{help_asked_on}}.{{/if}}
{{#if searched}} Paid on {{searched_on}}?{{/if}}
Reference: {{payment_reference}}{{#if payment_coded}} (invoice {{reference}}){{/if}}.

[[pay]]
";

fn hold(name: &str, account: &str, owner: &str, until: i32) -> Value {
    let data = json!({ "hold": name, "owner": owner, "reason": "said so", "until": day(until) });
    event(
        "hold.placed",
        &format!("{account}-{name}"),
        account,
        &moment(i64::from(until) - 30),
        data,
    )
}

#[test]
fn a_request_for_help_that_nobody_answered_is_owned_up_to_in_the_message_and_on_the_page() {
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let text =
        house.config().join("policies/atelier-private/templates/reminder.en.clear.email.hbs");
    fs::write(text, TEXT).unwrap();
    let server = house.serve();
    let account = |name: &str, hold: Option<Value>| {
        let id = format!("atelier/{name}");
        let address = format!("{}@example.org", name.to_lowercase());
        let mut events = overdue(&id, "email", &address, "+447700900001");
        events.extend(hold);
        server.accept(&events);
        let message = eventually("the reminder arrives", || mail.messages_to(&address).pop());
        let text = message["parts"][0][1].as_str().unwrap().to_owned();
        let link = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let page = server.get(link.split_once(&server.address.to_string()).unwrap().1);
        (text, page.body)
    };
    let (text, page) = account("HELP", Some(hold("page-1", "atelier/HELP", "hardship", -2)));
    assert!(text.contains("Asked for help on "), "{text}");
    assert!(page.contains("id=\"unanswered\"") && !page.contains("id=\"not-found\""), "{page}");
    let paid = hold("page-2", "atelier/PAID", "payment-search", -2);
    let (text, page) = account("PAID", Some(paid));
    assert!(text.contains("Paid on ") && !text.contains("Asked for help"), "{text}");
    assert!(page.contains("id=\"not-found\"") && !page.contains("id=\"unanswered\""), "{page}");

    // Who said nothing is told nothing; and the reference is one.
    let (text, page) = account("QUIET", None);
    assert!(!text.contains("Asked for help") && !text.contains("Paid on"), "{text}");
    assert!(!page.contains("id=\"unanswered\"") && !page.contains("id=\"not-found\""), "{page}");
    let (_, shown) = text.split_once("Reference: ").unwrap();
    let (shown, beside) = shown.split_once(" (").unwrap();
    assert!(shown.starts_with("RF") && beside.starts_with("invoice R-QUIET)."), "{text}");
    assert!(page.contains(&format!("<dd class=\"copy\">{shown}</dd>")), "{shown}: {page}");
    let told = house.json(&["work"]);
    let rows = told.as_array().unwrap().iter().filter(|row| row["list"] == "help_unanswered");
    let rows: Vec<&str> = rows.map(|row| row["account"].as_str().unwrap()).collect();
    assert_eq!(rows, ["atelier/HELP"]);
    let kinds = house.kinds("atelier/HELP");
    assert!(kinds.contains(&"HelpUnanswered".to_owned()), "{kinds:?}");
    server.stop();
}
