//! What keeps an account or a claim from being dunned now, by what was told or agreed.

use jiff::civil::Date;
use kulanz_domain::{Account, account::Standing};
use serde_json::{Value, json};

/// Holds, promises, instalments and disputes that run on `today`, as `account show` tells them: a
/// line for people, an object for programs.
pub fn running(account: &Account, today: Date) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (hold, known) in account.holds.iter().filter(|(_, hold)| !hold.released) {
        let Some(placed) = &known.placed else { continue };
        if placed.until.is_some_and(|until| until < today) {
            continue;
        }
        let of = placed.invoice.as_ref().map_or_else(String::new, |id| format!(" on {id}"));
        let until = placed.until.map_or_else(String::new, |day| format!(" until {day}"));
        let object = json!({ "hold": hold, "owner": placed.owner, "invoice": placed.invoice,
                             "until": placed.until });
        found.push((format!("hold {hold}{of}{until}, by {}", placed.owner), object));
    }
    for (promise, known) in &account.promises {
        if known.standing == Standing::Open {
            let object = json!({ "promise": promise, "until": known.until });
            found.push((format!("promise {promise} until {}", known.until), object));
        }
    }
    for (plan, known) in account.plans.iter().filter(|(_, one)| one.standing == Standing::Open) {
        let (count, last) = (known.rates.len(), known.rates.last().map(|rate| rate.due_on));
        let to = last.map_or_else(String::new, |day| format!(" to {day}"));
        let object = json!({ "plan": plan, "rates": count, "until": last });
        found.push((format!("plan {plan} of {count} rates{to}"), object));
    }
    for (invoice, claim) in &account.claims {
        for (dispute, known) in &claim.disputes {
            if known.is_open() {
                let object = json!({ "dispute": dispute, "invoice": invoice });
                found.push((format!("dispute {dispute} about {invoice}"), object));
            }
        }
    }
    found
}
