#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kulanz_domain::{
    fact::{BirthTold, DebtorKind, DebtorProfile},
    money::{Currency, Decimal},
    policy::{AccountFacts, ClaimFacts, Facts, History},
};
use proptest::prelude::*;

use super::{world::World, *};

const STEP: Scope<'_> = Scope::Step { personas: &["regular", "everyone"] };

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn debtor() -> DebtorProfile {
    DebtorProfile {
        kind: DebtorKind::Consumer,
        language: "de".into(),
        country: "DE".into(),
        region: None,
        timezone: None,
        reachable: Vec::new(),
        prefers: Vec::new(),
        pays_with: Vec::new(),
        hours: None,
        sms_consent: None,
        vulnerable: false,
        address_researched: false,
        represented: false,
        minor_until: None,
        birth_told: BirthTold::Never,
        attributes: [("segment".to_owned(), "gold-Ü".to_owned())].into(),
    }
}

fn with_facts<T>(claim: bool, see: impl FnOnce(&Facts<'_>) -> T) -> T {
    let debtor = debtor();
    let facts = Facts {
        debtor: &debtor,
        history: History {
            invoices_paid: 3,
            late_share: decimal("0.3333333333333333333333333333"),
            average_days_late: decimal("1.5"),
            promises_kept: 0,
            disputes: 1,
        },
        account: AccountFacts {
            outstanding: decimal("120.10"),
            open_claims: 2,
            oldest_days_overdue: -4,
        },
        claim: claim.then(|| ClaimFacts {
            outstanding: decimal("50.00"),
            principal: decimal("47.50"),
            fees: decimal("2.50"),
            interest: decimal("0.31"),
            days_overdue: 12,
            in_default: true,
            currency: Currency::EUR,
        }),
        persona: claim.then_some("regular"),
        today: "2026-03-01".parse().unwrap(),
    };
    see(&facts)
}

fn holds(source: &str) -> bool {
    let condition = compile_condition(source, STEP).unwrap_or_else(|e| panic!("{source}: {e:?}"));
    with_facts(true, |facts| condition.holds(facts))
}

fn refused(source: &str, scope: Scope<'_>) -> ConditionError {
    match compile_condition(source, scope) {
        Ok(condition) => panic!("{condition:?} was taken"),
        Err(errors) => errors.into_iter().next().unwrap(),
    }
}

#[test]
fn conditions_say_what_they_say() {
    for source in [
        r#"debtor.kind == "consumer" && history.invoices_paid >= 3 && history.late_share < 0.34"#,
        "claim.outstanding >= 50 && !debtor.vulnerable",
        "claim.principal + claim.fees == claim.outstanding",
        "claim.outstanding - 2.5 == 47.5 && claim.fees * 20 == 50",
        "-account.oldest_days_overdue == 4 && account.oldest_days_overdue < -3.9",
        r#"debtor.country in ["AT", "DE"] && !(debtor.country in ["CH"])"#,
        "history.disputes in [1, 2.0] && claim.days_overdue in [12]",
        r#"debtor.attributes["segment"].startsWith("gold") && "segment" in debtor.attributes"#,
        r#"debtor.attributes.segment == "gold-Ü" && account.outstanding > 120.09"#,
        "has(debtor.attributes.segment) && !has(debtor.attributes.other)",
        r#"(persona == "regular" ? claim.fees : claim.principal) == 2.50"#,
        r#"today >= date("2026-03-01") && today < date("2026-03-02")"#,
        r#"claim.currency == "EUR" && claim.in_default == true"#,
        "claim.outstanding >= 50 // whole euros",
        r#"debtor.language.contains("d") && debtor.language.endsWith("e")"#,
        "true || claim.fees > 1",
    ] {
        assert!(holds(source), "{source}");
    }
    for source in [
        "history.late_share >= 0.34",
        r#"debtor.vulnerable || debtor.kind != "consumer""#,
        r#"debtor.attributes["other"] == "x" || debtor.attributes["other"] != "x""#,
        "claim.outstanding * 7922816251426433759354395033.0 > 0",
        "[] == [] ? true : false",
    ] {
        match compile_condition(source, STEP) {
            Ok(condition) => {
                assert!(!with_facts(true, |facts| condition.holds(facts)), "{source}");
            }
            Err(errors) => assert!(source.starts_with("[]"), "{source}: {errors:?}"),
        }
    }
}

#[test]
fn numbers_are_exact_to_the_last_digit() {
    // As floats both would be equal.
    assert!(holds("0.1 + 0.2 == 0.3"));
    assert!(holds("claim.outstanding > 49.99999999999999999999999"));
    assert!(holds("0.3000000000000000000000000001 > 0.3"));
    assert!(holds(r#""ü" != "u" && 0.34 == 0.340 && -1.5 < -1.49"#), "after a wide character");
    assert!(holds("history.late_share < 0.3333333333333333333333333334"));
    assert!(refused("claim.fees > 1e2", STEP).message.contains("not exact"));
}

#[test]
fn a_fact_that_is_absent_makes_its_comparison_false() {
    let check = |source: &str| {
        let condition = compile_condition(source, STEP).unwrap();
        with_facts(false, |facts| condition.holds(facts))
    };
    for absent in [
        "claim.outstanding >= 0",
        "claim.outstanding < 0",
        "claim.in_default",
        "claim.in_default == false",
        r#"persona != "regular""#,
        r#"claim.currency != "EUR""#,
        "claim.days_overdue in [12]",
    ] {
        assert!(!check(absent), "{absent}");
    }
    assert!(check("!(claim.outstanding >= 0)"));
}

#[test]
fn a_condition_knows_whether_days_and_claims_matter_to_it() {
    let reads = |source: &str| {
        let condition = compile_condition(source, STEP).unwrap();
        assert_eq!(condition.reads_interest, source.contains("claim.interest"));
        (condition.depends_on_day, condition.reads_claim)
    };
    assert_eq!(reads("claim.outstanding > 1"), (false, true));
    assert_eq!(reads("claim.days_overdue > 1"), (true, true));
    assert_eq!(reads("claim.in_default"), (true, true));
    assert_eq!(reads("claim.interest > 1"), (true, true));
    assert_eq!(reads("account.oldest_days_overdue > 1"), (true, false));
    assert_eq!(reads(r#"today > date("2026-01-01")"#), (true, false));
    assert_eq!(reads("history.disputes == 0"), (false, false));
}

#[test]
fn a_condition_that_no_day_makes_true_says_so_and_no_other_does() {
    let parts = [
        "claim.outstanding >= 60",
        "claim.outstanding >= 50",
        "claim.in_default",
        "!claim.in_default",
        "claim.days_overdue >= 35",
        "account.oldest_days_overdue in [3, claim.days_overdue]",
        "claim.interest > 1",
        r#"today >= date("2026-03-11")"#,
        r#"today in [date("2026-03-21")]"#,
        r#"persona == (claim.in_default ? "everyone" : "regular")"#,
        "debtor.vulnerable",
        "claim.in_default == debtor.vulnerable",
        "(claim.days_overdue > 20 ? claim.fees : claim.principal) == 2.5",
        "false",
    ];
    let (mut never, mut sometimes) = (0, 0);
    let mut look = |source: &str| {
        let condition = compile_condition(source, STEP).unwrap();
        let holds_ever = with_facts(true, |facts| {
            (0..60).any(|later| {
                let mut then = *facts;
                then.today = facts.today.checked_add(jiff::Span::new().days(later)).unwrap();
                then.account.oldest_days_overdue += i32::try_from(later).unwrap();
                let claim = then.claim.as_mut().unwrap();
                claim.days_overdue += i32::try_from(later).unwrap();
                claim.in_default = later > 5;
                claim.interest += Decimal::new(later, 1);
                condition.holds(&then)
            })
        });
        let can_hold = with_facts(true, |facts| condition.can_hold(facts));
        assert!(can_hold || !holds_ever, "{source} holds on some day");
        if can_hold { sometimes += 1 } else { never += 1 }
    };
    for a in parts {
        look(a);
        for b in parts {
            look(&format!("{a} && {b}"));
            look(&format!("!({a} && {b}) || {b}"));
            look(&format!("{a} ? {b} : !({a})"));
            look(&format!("!({a} || !({b}))"));
        }
    }
    assert!(never > 100 && sometimes > 100, "{never} {sometimes}");
    let no_day = |source: &str| {
        !with_facts(true, |facts| compile_condition(source, STEP).unwrap().can_hold(facts))
    };
    assert!(no_day("claim.outstanding >= 60 && claim.in_default"));
    assert!(no_day(r#"persona == "everyone" && claim.days_overdue > 100"#));
    assert!(!no_day("claim.outstanding >= 50 && claim.days_overdue > 100"));
}

#[test]
fn mistakes_are_named_with_their_place_and_advice() {
    let cases = [
        (r#"debtor.knd == "consumer""#, "debtor.knd", "is not a fact", "`debtor.kind`"),
        ("outstanding > 5", "outstanding", "is not a fact", "`account.outstanding`"),
        (r#"debtor.kind == "costumer""#, "\"costumer\"", "never", "`consumer`"),
        (r#"persona == "regulr""#, "\"regulr\"", "no persona", "`regular`"),
        (r#"claim.fees > "5""#, "claim.fees > \"5\"", "compared with a text", "without quotes"),
        ("claim.fees", "claim.fees", "yes or no", "compare"),
        ("claim.fees / 2 > 1", "claim.fees / 2", "do not divide", "multiply"),
        ("claim.fees > 1 && 5", "5", "a yes or no is wanted", ""),
        (r#"today > "2026-01-01""#, "today > \"2026-01-01\"", "compared", "date("),
        (r#"today > date("2026-02-30")"#, "\"2026-02-30\"", "no date", ""),
        (r#"debtor.country == "Germany""#, "\"Germany\"", "never", "capitals"),
        (r#"debtor.language < "de""#, "debtor.language < \"de\"", "neither more", "=="),
        (r#"size(debtor.country) > 1"#, "size(debtor.country)", "no function `size`", ""),
        ("[1].exists(x, x > 0)", "", "loops", ""),
        ("claim.fees > 5u", "5u", "no place", ""),
        ("claim.fees == null", "null", "no null", ""),
        (r#"debtor.kind = "consumer""#, "=", "no comparison", "`==`"),
        (r#"debtor.kind == “consumer”"#, "“", "no place", "looks like"),
        ("dеbtor.vulnerable", "е", "no place", "looks like `e`"),
        ("claim.fees >", "", "ends too early", ""),
        ("   ", "   ", "empty", ""),
        (r#"debtor.country in "DE""#, "\"DE\"", "looks into a list", "[\"DE\", \"AT\"]"),
        (r#"debtor.country in ["DE", 5]"#, "5", "stands in a list", ""),
        ("debtor.vulnerable.x", "debtor.vulnerable.x", "is not a fact", "`debtor.vulnerable`"),
    ];
    for (source, at, message, help) in cases {
        let error = refused(source, STEP);
        let text = &source[error.start..error.end];
        assert!(text.contains(at), "{source}: {text:?} for {error:?}");
        assert!(error.message.contains(message), "{source}: {error:?}");
        assert!(error.help.clone().unwrap_or_default().contains(help), "{source}: {error:?}");
    }
}

#[test]
fn a_persona_belongs_to_the_account() {
    let error = refused("claim.outstanding > 5", Scope::Persona);
    assert_eq!(error.message, "the choice of a persona cannot read `claim.outstanding`");
    assert!(refused(r#"persona == "x""#, Scope::Persona).message.contains("`persona`"));
    assert!(compile_condition("account.outstanding > 5", Scope::Persona).is_ok());
}

#[test]
fn hostile_conditions_are_refused_and_not_run() {
    for source in [
        format!("{}true{}", "(".repeat(900), ")".repeat(900)),
        format!("{}true", "!(".repeat(40)),
        format!("{}true", "!".repeat(1_990)),
        format!("claim.fees > {}1", "-".repeat(1_900)),
        format!("claim.fees > {}", vec!["1"; 600].join("+")),
        format!("a{}", ".a".repeat(990)),
        // As deep as the parser is ever let: refused after it, not before.
        format!("a{}", ".a".repeat(740)),
        format!("claim.fees > {}", vec!["1"; 740].join("+")),
        format!("a{}", "[0]".repeat(32)),
        format!("{}1{}", "(-".repeat(31), ")".repeat(31)),
        "true ? ".repeat(250),
        format!("{}true", "true ? true : ".repeat(100)),
        "[".repeat(1_000),
        "a(".repeat(900),
        format!("claim.fees in [{}]", "1,".repeat(900)),
        "x".repeat(2_001),
        "\"".repeat(1_999),
        "\\".repeat(100),
        "[1,2].all(x, [1,2].all(y, true))".into(),
        "\u{0}".into(),
    ] {
        let result = compile_condition(&source, STEP);
        let fine = source.starts_with('!') && result.is_ok();
        assert!(result.is_err() || fine, "{:.40} was taken", source);
    }
}

/// No value is looked at twice, there are no loops, and lists are written out: what a condition
/// costs is its size, which is limited.
#[test]
fn the_largest_conditions_cost_no_more_than_their_size() {
    let many = |part: &str, n: usize| vec![part; n].join(" || ");
    let list: Vec<String> = (0..LARGEST - 10).map(|n| n.to_string()).collect();
    for source in [
        many("claim.fees>1", 90),
        format!("claim.fees in [{}]", list.join(",")),
        format!("{}claim.in_default{}", "!(".repeat(14), ")".repeat(14)),
        format!("{} > 1", vec!["claim.fees"; 20].join(" * ")),
    ] {
        let compiled = compile(&source, STEP).unwrap_or_else(|e| panic!("{source:.60}: {e:?}"));
        let size = domain::Domain::of([&*compiled.tree]).size;
        assert!(size <= 2 * LARGEST as u64, "{size}: {source:.60}");
        with_facts(true, |facts| compiled.condition.holds(facts));
    }
    // One more, and it is not taken.
    assert!(compile(&many("claim.fees>1", 124), STEP).is_err());
}

#[test]
fn constants_and_personas_are_known_ahead() {
    let known = |source: &str, persona: Option<&str>| {
        let mut world = World::default();
        if let Some(persona) = persona {
            world.push(world::Known::Word(Word::Persona, Some(persona.into())));
        }
        world.decides(&compile(source, STEP).unwrap().tree)
    };
    assert_eq!(known("1 > 2", None), Some(false));
    assert_eq!(known(r#"persona == "regular""#, None), None);
    assert_eq!(known(r#"persona == "regular""#, Some("everyone")), Some(false));
    assert_eq!(known(r#"persona == "regular" && claim.fees > 1"#, Some("regular")), None);
    assert_eq!(known(r#"persona in ["regular"]"#, Some("regular")), Some(true));
    assert_eq!(known("claim.fees > 1 || 2 * 2 == 4.0", None), Some(true));
}

fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "debtor.kind",
        "claim.fees",
        "history.late_share",
        "today",
        "persona",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"DE\"",
        "'x",
        "0.34",
        "12",
        "-",
        "+",
        "*",
        "/",
        "%",
        "?",
        ":",
        ",",
        ".",
        "in",
        "has(",
        "date(\"2026-01-01\")",
        ".exists(x,",
        "1e999",
        "0x",
        "ü",
        "\\",
        "null",
        "b''",
        "5u",
        "//",
        "true",
        "\n",
        "`a`",
        "if",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..25).prop_map(|w| w.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_compiler_panic(text in prop_oneof![".{0,120}", fragment()]) {
        let result = compile_condition(&text, STEP);
        let _ = compile_condition(&text, Scope::Persona);
        match result {
            Ok(condition) => {
                let _ = with_facts(true, |facts| condition.holds(facts));
            }
            Err(errors) => for error in errors {
                prop_assert!(text.get(error.start..error.end).is_some(), "{error:?}");
                prop_assert!(!error.message.contains("condition is no"), "{error:?}");
            }
        }
    }
}

/// The parts that decide a condition, as `part: holds, fact = value …`.
fn decisive(source: &str) -> Vec<String> {
    let condition = compile_condition(source, STEP).unwrap();
    with_facts(true, |facts| {
        let parts = condition.decisive(facts).into_iter().map(|part| {
            let reads = part.reads.iter().map(|fact| match &fact.value {
                Some(value) => format!("{} = {value}", fact.fact),
                None => format!("{} absent", fact.fact),
            });
            format!("{}: {}, {}", part.part, part.holds, reads.collect::<Vec<_>>().join(", "))
        });
        parts.collect()
    })
}

#[test]
fn a_condition_says_which_of_its_parts_decide_it_and_on_what_values() {
    assert_eq!(
        decisive("claim.outstanding >= 60 && !debtor.vulnerable"),
        ["claim.outstanding >= 60: false, claim.outstanding = 50.00"]
    );
    assert_eq!(
        decisive("claim.outstanding >= 25 && !debtor.vulnerable"),
        [
            "claim.outstanding >= 25: true, claim.outstanding = 50.00",
            "!debtor.vulnerable: true, debtor.vulnerable = false"
        ]
    );
    // Of a choice the one that holds; where none does, all of them.
    assert_eq!(
        decisive("debtor.kind == \"business\" || history.disputes > 0"),
        ["history.disputes > 0: true, history.disputes = 1"]
    );
    assert_eq!(
        decisive("debtor.kind == \"business\" || history.disputes > 1"),
        [
            "debtor.kind == \"business\": false, debtor.kind = \"consumer\"",
            "history.disputes > 1: false, history.disputes = 1"
        ]
    );
    assert_eq!(
        decisive(
            "(claim.principal + claim.fees) * 2 > 99 && (persona == \"regular\" || claim.in_default)"
        ),
        [
            "(claim.principal + claim.fees) * 2 > 99: true, claim.principal = 47.50, claim.fees = 2.50",
            "persona == \"regular\": true, persona = \"regular\"",
            "claim.in_default: true, claim.in_default = true"
        ]
    );
    assert_eq!(
        decisive(
            "debtor.attributes[\"segment\"] in [\"silver\"] || debtor.attributes.none == \"x\""
        ),
        [
            "debtor.attributes[\"segment\"] in [\"silver\"]: false, debtor.attributes[\"segment\"] = \"gold-Ü\"",
            "debtor.attributes.none == \"x\": false, debtor.attributes[\"none\"] absent"
        ]
    );
    assert_eq!(
        decisive("!(claim.in_default && today < date(\"2026-01-01\"))")[0].split(':').next(),
        Some("!(claim.in_default && today < date(\"2026-01-01\"))")
    );
}

#[test]
fn every_fact_that_a_condition_reads_can_be_shown() {
    for fact in kulanz_domain::policy::FACTS {
        assert!(check::is_fact(fact), "{fact} cannot be read");
        let shown = with_facts(true, |facts| facts.named(fact).value);
        assert!(shown.is_some(), "{fact} has no value");
    }
    let shown =
        kulanz_domain::policy::FACTS.len() + usize::from(check::is_fact("debtor.attributes"));
    assert_eq!(shown, check::number_of_facts());
}
