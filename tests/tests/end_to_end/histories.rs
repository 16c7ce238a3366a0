use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{Installation, Said, repository};

/// Time and id of the latest adjustment, where there was one.
type Adjusted = Option<(String, String)>;

/// Sums over a file that is nothing but JSON to it.
#[derive(Debug, Default)]
struct Sums {
    events: u64,
    accounts: BTreeSet<String>,
    /// By account and invoice.
    principal: BTreeMap<(String, String), (Adjusted, Decimal)>,
    paid: BTreeMap<String, Decimal>,
}

impl Sums {
    fn of(file: &Path) -> Self {
        let mut sums = Self::default();
        let packed = fs::File::open(file).unwrap();
        let plain: Box<dyn std::io::Read> = match file.extension().is_some_and(|e| e == "gz") {
            true => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            false => Box::new(packed),
        };
        for line in BufReader::new(plain).lines() {
            sums.add(&serde_json::from_str(&line.unwrap()).unwrap());
        }
        sums
    }

    fn add(&mut self, event: &Value) {
        let text = |pointer: &str| event.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let amount = || -> Decimal { text("/data/amount").parse().unwrap() };
        self.events += 1;
        let account = text("/subject");
        self.accounts.insert(account.clone());
        match text("/type").as_str() {
            "kulanz.invoice.issued.v1" => {
                let claim = (account, text("/data/invoice"));
                self.principal.entry(claim).or_insert((None, amount()));
            }
            "kulanz.invoice.adjusted.v1" => {
                let claim = (account, text("/data/invoice"));
                let stamp = Some((text("/time"), text("/id")));
                let entry = self.principal.entry(claim).or_insert((None, Decimal::ZERO));
                if stamp >= entry.0 {
                    *entry = (stamp, amount());
                }
            }
            "kulanz.payment.received.v1" => *self.paid.entry(account).or_default() += amount(),
            _ => {}
        }
    }

    /// What the summary of a book or a back-test has to say of the only currency.
    fn agree(&self, summary: &Value, currency: &str) {
        let total: Decimal = self.principal.values().map(|(_, amount)| amount).sum();
        let paid: Decimal = self.paid.values().sum();
        let mut owed: BTreeMap<&str, Decimal> = BTreeMap::new();
        for ((account, _), (_, amount)) in &self.principal {
            *owed.entry(account).or_default() += amount;
        }
        // Money beyond what an account owes stays there; it never pays for another one.
        let rest = |account: &&str| {
            owed.get(*account).copied().unwrap_or_default()
                - self.paid.get(*account).copied().unwrap_or_default()
        };
        let accounts: Vec<&str> = self.accounts.iter().map(String::as_str).collect();
        let outstanding: Decimal = accounts.iter().map(rest).filter(|r| r.is_sign_positive()).sum();
        let beyond: Decimal = accounts.iter().map(rest).filter(|r| r.is_sign_negative()).sum();
        let totals = &summary["currencies"][currency];
        let told = |name: &str| -> Decimal { totals[name].as_str().unwrap().parse().unwrap() };
        assert_eq!(summary["events"], self.events);
        assert_eq!(summary["accounts"], self.accounts.len());
        assert_eq!(summary["claims"], self.principal.len());
        assert_eq!(told("principal"), total);
        assert_eq!(told("paid"), paid);
        assert_eq!(told("unallocated"), -beyond);
        assert_eq!(told("outstanding"), outstanding);
        assert_eq!(told("credited"), Decimal::ZERO);
    }
}

fn backtest(house: &Installation, events: &Path, policy: &Path, out: &Path) -> Said {
    let [events, policy, out] = [events, policy, out].map(|path| path.display().to_string());
    house.run(&["backtest", "--json", "--events", &events, "--policy", &policy, "--out", &out])
}

/// Plays a history twice; the summary, after it was compared with the sums.
fn plays_well(file: &Path, policy: &Path, currency: &str) -> Value {
    let house = Installation::new();
    let outs = [house.path("first"), house.path("second")];
    let said = outs.each_ref().map(|out| backtest(&house, file, policy, out).well().json());
    Sums::of(file).agree(&said[0], currency);
    for name in ["summary.json", "timeline.csv"] {
        let [first, second] = outs.each_ref().map(|out| fs::read(out.join(name)).unwrap());
        assert!(first == second, "{name} differs between two runs");
    }
    let summary: Value =
        serde_json::from_slice(&fs::read(outs[0].join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary, said[0]);
    assert!(!house.data().exists(), "a back-test leaves no data");
    summary
}

/// The folder with the real histories, which are too large to lie here.
pub fn real(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("KULANZ_HISTORIES") else {
        println!("SKIPPED: KULANZ_HISTORIES names no folder with {name}");
        return None;
    };
    let file = PathBuf::from(folder).join(name);
    assert!(file.is_file(), "KULANZ_HISTORIES is set, but there is no {}", file.display());
    Some(file)
}

#[test]
fn the_real_road_fines_add_up_to_the_cent() {
    let Some(file) = real("road-fines-dev.ndjson.gz") else { return };
    let summary = plays_well(&file, &repository().join("policies/road-fines"), "EUR");
    let totals = &summary["currencies"]["EUR"];
    assert_eq!(summary["events"], 154_448);
    assert_eq!(totals["principal"], "3576946.48");
    assert_eq!(totals["paid"], "1196030.51");
}

#[test]
fn the_real_receivables_add_up_to_the_cent() {
    let Some(file) = real("ibm-receivables.ndjson.gz") else { return };
    let summary = plays_well(&file, &repository().join("policies/wholesale"), "USD");
    let totals = &summary["currencies"]["USD"];
    assert_eq!(summary["events"], 6_154);
    assert_eq!(totals["principal"], "147703.18");
    assert_eq!(totals["paid"], "147703.18");
    assert_eq!(totals["outstanding"], "0.00");

    // The live book of the same events says the same.
    let house = Installation::new();
    std::fs::remove_dir_all(house.config().join("policies")).unwrap();
    super::world::copy(&repository().join("policies"), &house.config().join("policies"));
    house.import(&file).well();
    let book = house.json(&["book"]);
    for member in ["events", "accounts", "claims"] {
        assert_eq!(book[member], summary[member], "{member}");
    }
    for member in ["principal", "paid", "credited", "unallocated", "outstanding"] {
        assert_eq!(book["currencies"]["USD"][member], totals[member], "{member}");
    }
}

/// Invented fines of ten years: some paid, some in parts, too much or before they were known.
pub fn fines() -> Vec<Value> {
    let mut dice = super::world::Dice::new("fines");
    let mut events: Vec<Value> = (0..1_200)
        .map(|number| {
            let account = format!("comune/F-{number}");
            let mut person = super::events::debtor(&account, "", "x@example.org", "+447700900001");
            person["time"] = json!("2004-01-01T00:00:00Z");
            person
        })
        .collect();
    for number in 0..2_000 {
        let account = format!("comune/F-{}", dice.below(1_200));
        let year = 2005 + number / 200;
        let (fine, amount) =
            (format!("M-{number}"), format!("{}.{:02}", 20 + dice.below(80), dice.below(100)));
        events.push(super::events::invoice(&account, &fine, &amount, &format!("{year}-03-15")));
        if dice.below(2) == 0 {
            let data = json!({ "invoice": fine, "on": format!("{year}-05-20"), "reason": "law",
                               "amount": format!("{}.50", 60 + dice.below(90)),
                               "currency": "EUR" });
            let id = format!("adjusted-{fine}");
            events.push(super::events::event(
                "invoice.adjusted",
                &id,
                &account,
                &format!("{year}-05-20T10:00:00Z"),
                data,
            ));
        }
        for part in 0..dice.below(3) {
            let paid = format!("{}.{:02}", 1 + dice.below(90), dice.below(100));
            let on = format!("{year}-0{}-10", 2 + dice.below(8));
            events.push(super::events::payment(
                &account,
                &format!("Z-{number}-{part}"),
                &paid,
                &on,
                &fine,
            ));
        }
    }
    events.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
    events
}

#[test]
fn an_invented_history_adds_up_and_plays_the_same_twice() {
    let house = Installation::new();
    let file = house.events("fines.ndjson", &fines());
    let summary = plays_well(&file, &repository().join("policies/road-fines"), "EUR");
    assert!(summary["steps"]["reminder"].as_u64().unwrap() > 500, "{summary}");
}

#[test]
fn a_history_with_faults_is_played_and_what_is_missing_is_told() {
    let house = Installation::new();
    let mut events = fines();
    events[1_300]["time"] = json!("yesterday");
    let file = house.events("fines.ndjson", &events);
    let policy = repository().join("policies/road-fines");
    let said = backtest(&house, &file, &policy, &house.path("out"));
    said.refused(&["1 events break the contract", "the totals lack them"]);
    backtest(&house, &file, &house.path("nowhere"), &house.path("out"))
        .refused(&["no policy.yaml"]);
}
