#![allow(clippy::unwrap_used)]

use super::*;

const WORKED: &str = include_str!("../../../../domain/testdata/law.json");

fn tables() -> Tables {
    Tables {
        germany: RateTable::Germany.shipped().unwrap(),
        austria: RateTable::Austria.shipped().unwrap(),
        fees: FeeTable::shipped().unwrap(),
    }
}

/// The differences of a file, a line each.
fn told(all: &Value) -> Vec<String> {
    let verdicts = verdicts(all, &tables()).map_err(|Malformed(reason)| reason).unwrap();
    let lines = verdicts.iter().flat_map(|verdict| {
        verdict.differences.iter().map(|difference| format!("{} {difference}", verdict.id))
    });
    lines.collect()
}

/// Checks one entry of a list.
#[track_caller]
fn passes(list: &str, entry: &Value) {
    assert_eq!(told(&json!({ list: [entry] })), Vec::<String>::new(), "{entry}");
}

#[track_caller]
fn fails(list: &str, entry: &Value, line: &str) {
    let lines = told(&json!({ list: [entry] }));
    assert!(lines.iter().any(|told| told == line), "{lines:#?}");
}

#[test]
fn the_worked_examples_pass() {
    let all = parse(WORKED).map_err(|Malformed(reason)| reason).unwrap();
    assert_eq!(told(&all), Vec::<String>::new());
    assert_eq!(verdicts(&all, &tables()).unwrap().len(), 130);
}

#[test]
fn every_value_of_the_worked_examples_is_compared() {
    let all: Value = serde_json::from_str(WORKED).unwrap();
    let mut changed = 0;
    for pointer in leaves("", &all).iter().filter(|pointer| is_expected(pointer)) {
        let list = pointer.split('/').nth(1).unwrap();
        let mut broken = json!({ list: all[list] });
        let value = broken.pointer_mut(pointer).unwrap();
        *value = match &*value {
            Value::Bool(told) => Value::Bool(!*told),
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            Value::Null => json!("2001-01-01"),
            Value::String(text) if text.ends_with('7') => json!(text.replace('7', "6")),
            Value::String(text) => json!(format!("{text}7")),
            other => panic!("{other}"),
        };
        assert!(!told(&broken).is_empty(), "{pointer}");
        changed += 1;
    }
    assert!(changed > 700, "{changed}");
}

/// Pointers to all plain values.
fn leaves(at: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(key, one)| leaves(&format!("{at}/{key}"), one)).collect()
        }
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(n, one)| leaves(&format!("{at}/{n}"), one)).collect()
        }
        _ => vec![at.to_owned()],
    }
}

/// What an example expects, as opposed to what it is given. Names of holidays are not asked for
/// where a day is only counted from.
fn is_expected(pointer: &str) -> bool {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    match parts[..] {
        ["meta", ..] => false,
        // Most texts are invalid, the changed ones too.
        ["references", "rf_invalid" | "iban_invalid", ..] => false,
        ["holidays" | "rvg_table" | "references", ..] => true,
        ["business_days", number, "holiday"] => matches!(number, "0" | "1" | "2" | "3"),
        [_, _, member, ..] => {
            member.starts_with("expected") && member != "expected_error"
                || matches!(member, "first_interest_day" | "reason" | "payload" | "bytes")
        }
        _ => false,
    }
}

#[test]
fn interest_in_other_forms_is_understood() {
    let base = json!({ "id": "X", "principal": "1000.00", "debtor_type": "business",
                       "interest_from": "2025-12-31", "interest_to": "2026-01-01" });
    let with = |members: Value| {
        let mut entry = base.clone();
        let all = members.as_object().unwrap().clone();
        entry.as_object_mut().unwrap().extend(all);
        entry
    };
    passes("interest", &with(json!({ "expected": { "interest": { "act_act": "0.56" } } })));
    fails(
        "interest",
        &with(json!({ "expected": { "interest": { "act_act": "0.57" } } })),
        "X interest.act_act: expected 0.57, found 0.56",
    );
    fails(
        "interest",
        &with(json!({ "expected": { "compound": "0.56" } })),
        "X compound: expected 0.56, found nothing",
    );
    for refused in [
        json!({ "interest_from": "2001-12-31", "expected_error": "no base rate before 2002" }),
        json!({ "interest_to": "2025-12-29", "expected_error": "ends before it begins" }),
        json!({ "interest_to": "2027-01-01",
                "expected_error": "rate for 2027-01-01 not published yet" }),
        json!({ "principal": "-1.00", "expected_error": "negative" }),
        json!({ "principal": "1.00 USD", "expected_error": "mixed currencies" }),
        json!({ "interest_from": "2025-02-30", "expected_error": "no such day" }),
    ] {
        passes("interest_errors", &with(refused));
    }
    let not_refused = with(json!({ "expected_error": "not published" }));
    assert_eq!(told(&json!({ "interest_errors": [not_refused] })).len(), 1);
    passes("interest_at", &with(json!({ "convention": "act_act", "expected": "0.59" })));
}

#[test]
fn default_in_other_forms_is_understood() {
    for (input, first) in [
        (json!({ "rule": "due on a Saturday", "due": "2026-03-14", "state": "NW" }), "2026-03-17"),
        (
            json!({ "rule": "due on 31 Oct, holiday", "due": "2025-10-31", "state": "BB" }),
            "2025-11-04",
        ),
        (
            json!({ "rule": "30-day rule, business", "due_and_invoice_received": "2026-04-01",
                 "state": "BY" }),
            "2026-05-05",
        ),
        (
            json!({ "rule": "30-day rule, consumer, no notice", "due_and_invoice_received":
                 "2026-04-01", "state": "BY" }),
            "",
        ),
        (
            json!({ "rule": "30-day rule", "due": "2026-04-01", "invoice_received": "2026-04-10",
                 "debtor_type": "business", "state": "NW" }),
            "2026-05-12",
        ),
        (
            json!({ "rule": "reminder before the due date", "reminder_received": "2025-06-02",
                 "due": "2025-06-10", "state": "SN" }),
            "",
        ),
        (
            json!({ "rule": "reminder before the due date", "reminder_received": "2025-06-02",
                 "state": "SN" }),
            "",
        ),
        (json!({ "rule": "friendly reminder", "reminder_received": "2025-06-02" }), ""),
        (
            json!({ "rule": "reminder with a deadline", "reminder_received": "2025-06-02",
                 "deadline": "2025-06-14", "state": "SN" }),
            "2025-06-17",
        ),
        (
            json!({ "rule": "reminder by letter", "letter_sent": "2025-06-05", "state": "NW" }),
            "2025-06-12",
        ),
        (
            json!({ "rule": "two weeks after delivery", "delivered": "2026-03-02", "days": 14,
                 "state": "NW" }),
            "2026-03-17",
        ),
        (
            json!({ "rule": "14 days after delivery", "shipped": "2026-03-02", "state": "NW" }),
            "2026-03-17",
        ),
        (
            json!({ "rule": "two weeks from receipt of the invoice, agreed",
                 "invoice_received": "2026-03-02", "state": "NW" }),
            "2026-03-17",
        ),
        (json!({ "rule": "no fault of the debtor", "due": "2026-03-02", "state": "NW" }), ""),
        (json!({ "rule": "payment order", "served_on": "2026-03-02" }), "2026-03-03"),
        (
            json!({ "rule": "reminder received before the debt was due",
                 "reminder_received": "2026-03-02" }),
            "",
        ),
        (
            json!({ "rule": "30-day rule, consumer, notice not on the invoice",
                 "due_and_invoice_received": "2026-04-01" }),
            "",
        ),
        (
            json!({ "rule": "date set by the creditor alone", "due": "2026-03-16", "state": "NW" }),
            "",
        ),
        (json!({ "rule": "refusal", "refused_on": "2025-12-31", "state": "NW" }), "2026-01-01"),
        (
            json!({ "rule": "either state's holiday", "due": "2025-10-31", "state": "NW",
                 "debtor_state": "BB" }),
            "2025-11-04",
        ),
    ] {
        let day = (!first.is_empty()).then_some(first);
        let reason = first.is_empty().then_some("in words");
        let entry = json!({ "id": "X", "input": input, "first_interest_day": day,
                            "reason": reason });
        passes("default_start", &entry);
    }
    let no_reason = json!({ "id": "X", "input": { "rule": "due", "due": "2026-03-16" },
                            "first_interest_day": "2026-03-17", "reason": "in words" });
    fails("default_start", &no_reason, "X reason: expected a reason, found none");
    let odd = json!({ "id": "X", "input": { "rule": "special reasons" },
                      "first_interest_day": "2026-03-17", "reason": null });
    fails(
        "default_start",
        &odd,
        "X is not understood: no day from which default could begin is known to us",
    );
    let unknown = json!({ "id": "X", "input": { "due": "2026-03-16", "state": "XX" },
                          "first_interest_day": "2026-03-17" });
    assert!(told(&json!({ "default_start": [unknown] }))[0].contains("`XX` is no state"));
}

#[test]
fn limitation_in_other_forms_is_understood() {
    let ends = |members: Value| {
        let mut entry = json!({ "id": "X", "claim_due": "2022-05-10", "state": "NW" });
        entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        entry
    };
    for members in [
        json!({ "suspensions": [["2025-11-03", null]], "expected_last_day": null,
                "expected_act_by_193": null }),
        json!({ "suspensions": [{ "from": "2025-12-01", "to": "2025-12-20", "kind": "negotiations" }],
                "expected_last_day": "2026-03-20" }),
        json!({ "suspensions": [["2025-12-01", "2025-12-20"]], "note": "negotiations, § 203",
                "expected_last_day": "2026-03-20" }),
        json!({ "negotiations": [["2025-12-01", "2025-12-20"]],
                "expected_last_day": "2026-03-20" }),
        json!({ "suspensions": ["2024-03-01", "2024-06-08"], "expected_last_day": "2026-04-10" }),
        json!({ "acknowledged": ["2024-05-20", "2025-02-01"], "expected_last_day": "2028-02-01" }),
        json!({ "expected": { "last_day": "2025-12-31", "act_by": "2025-12-31" } }),
        json!({ "suspensions": [["2024-06-08", "2024-03-01"]],
                "expected_error": "ends before it starts" }),
    ] {
        passes("limitation", &ends(members));
    }
    fails(
        "limitation",
        &ends(json!({ "expected_last_day": "2025-12-30" })),
        "X expected_last_day: expected 2025-12-30, found 2025-12-31",
    );
    fails("limitation", &ends(json!({})), "X is not understood: nothing is expected");
}

#[test]
fn allocation_in_other_forms_is_understood() {
    let debts = json!([
        { "id": "A", "due_date": "2025-01-15", "due": true, "security": 0, "rate": "6.27",
          "costs": "5.00", "interest": "10.00", "principal": "300.00" },
        { "id": "B", "due_date": "2025-03-15", "due": true, "security": 0, "rate": "6.27",
          "principal": "200.00" },
    ]);
    let entry = |payment: &str, designation: Option<&str>, expected: Value| {
        json!({ "id": "X", "mode": "366+367", "debts": debts, "payment": payment,
                "designation": designation, "expected": expected })
    };
    let by_word = json!({ "applied": { "B": { "principal": "200.00" }, "A": { "costs": "5.00",
                          "interest": "10.00", "principal": "35.00" } }, "overpaid": "0.00" });
    passes("allocation", &entry("250.00", Some("B"), by_word));
    let implied = json!({ "applied": { "B": { "principal": "200.00" } }, "overpaid": "0.00" });
    passes("allocation", &entry("200.00", None, implied));
    passes("allocation", &entry("600.00", None, json!({ "overpaid": "85.00" })));
    let unknown = entry("1.00", Some("C"), json!({ "overpaid": "0.00" }));
    fails("allocation", &unknown, "X is not understood: the designation \"C\"");
    let mut mixed = entry("1.00", None, json!({}));
    mixed["debts"][1]["currency"] = json!("USD");
    fails(
        "allocation",
        &mixed,
        "X result: expected one, found a refusal: USD and EUR cannot be added",
    );
}

#[test]
fn a_latin_1_payload_has_its_own_count_of_bytes() {
    let input = json!({ "name": "Bäckerei", "iban": "DE89370400440532013000", "amount": "1.00",
                        "text": "Brot", "charset": 2 });
    let payload = "BCD\n002\n2\nSCT\n\nBäckerei\nDE89370400440532013000\nEUR1.00\n\n\nBrot";
    let bytes = payload.chars().count();
    passes("epc_qr", &json!({ "id": "X", "input": input, "payload": payload, "bytes": bytes }));
    let both = json!({ "name": "Muster", "iban": "DE89370400440532013000", "text": "Brot",
                       "reference": "RF18539007547034" });
    passes("epc_qr", &json!({ "id": "X", "input": both, "payload": null }));
    let one = json!({ "name": "Muster", "iban": "DE89370400440532013000" });
    let line = "X expected_error: expected none, found {\"bytes\":";
    let lines = told(&json!({ "epc_qr": [{ "id": "X", "input": one, "payload": null }] }));
    assert!(lines[0].starts_with(line), "{lines:?}");
}

#[test]
fn what_is_not_understood_fails_and_says_so() {
    let lines = told(&json!({ "interest": [{ "id": "X" }], "wage_garnishment": [{}, {}] }));
    assert_eq!(
        lines,
        [
            "X is not understood: `debtor_type` is missing",
            "wage_garnishment[0] is not understood: the topic `wage_garnishment` is not understood",
            "wage_garnishment[1] is not understood: the topic `wage_garnishment` is not understood",
        ]
    );
    let entry = json!({ "op": "moon_phase", "date": "2026-06-04", "state": "NW", "expected": 1 });
    let line = "business_days[0] is not understood: the op `moon_phase`";
    fails("business_days", &entry, line);
}

#[test]
fn a_file_of_another_kind_is_malformed_with_its_place() {
    let place = |text: &str| {
        let read = parse(text).and_then(|all| verdicts(&all, &tables()).map(|_| ()));
        read.map_err(|Malformed(reason)| reason).unwrap_err()
    };
    assert!(place("{\n \"interest\": [}").contains("line 2 column 15"));
    assert_eq!(place("[]"), "not an object with a list of examples for each topic");
    assert_eq!(place("{\"interest\": 1}"), "interest: not a list of examples");
    assert_eq!(place("{\"interest\": [1]}"), "interest[0]: not an object");
    assert_eq!(place("{\"holidays\": {\"2025\": []}}"), "holidays.2025: not an object");
    assert_eq!(place("{\"meta\": {}}"), "no worked examples in it");
}
