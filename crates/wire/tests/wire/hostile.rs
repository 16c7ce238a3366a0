use std::{fs, sync::OnceLock};

use jiff::Timestamp;
use kulanz_domain::{
    fact::Fact,
    ids::{AccountId, InvoiceId, PaymentId},
    money::{Currency, Decimal, Money},
};
use kulanz_wire::{
    EventType, MAX_EVENT_BYTES, Reason, Transport, cloud_event, decode, decode_binary, split_batch,
};
use proptest::prelude::*;
use serde_json::json;

use crate::{OPTIONS, files, published};

/// All examples that are taken.
fn examples() -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| {
        EventType::ALL
            .iter()
            .flat_map(|kind| files(&published().join(format!("examples/{}.v1", kind.word()))))
            .map(|path| fs::read(path).unwrap())
            .collect()
    })
}

fn account() -> impl Strategy<Value = AccountId> {
    "[A-Za-z0-9_-]{1,64}/[A-Za-z0-9-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0i64..4_133_980_800).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn day() -> impl Strategy<Value = jiff::civil::Date> {
    (1970i16..=2100, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| jiff::civil::date(y, m, d))
}

fn cents() -> impl Strategy<Value = Money> {
    (0i64..100_000_000_000).prop_map(|cents| Money::new(Decimal::new(cents, 2), Currency::EUR))
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes, &OPTIONS);
        let _ = split_batch(&bytes);
        let headers = [("ce-id", &*bytes), ("ce-type", &*bytes), ("ce-time", &*bytes)];
        let _ = decode_binary(Transport::Http, headers, &bytes, &OPTIONS);
    }

    #[test]
    fn a_changed_byte_never_panics(
        pick in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = pick.get(examples()).clone();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, &OPTIONS);
    }

    #[test]
    fn a_cut_event_is_malformed(
        pick in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let bytes = pick.get(examples()).trim_ascii();
        let rejection = decode(&bytes[..place.index(bytes.len())], &OPTIONS).unwrap_err();
        prop_assert_eq!(rejection.reason, Reason::Malformed);
    }

    #[test]
    fn an_encoded_payment_is_decoded_as_it_was(
        account in account(),
        at in moment(),
        booked_on in day(),
        amount in cents(),
        payment in "[A-Za-z0-9_-]{1,64}",
        remittance in "[^\\p{Cc}]{1,140}",
    ) {
        let data = json!({
            "payment": payment, "booked_on": booked_on, "amount": amount.plain(),
            "currency": "EUR", "method": "transfer", "remittance": remittance,
        });
        let line = cloud_event(EventType::PaymentReceived, "1", "/test", &account, at, data);
        let inbound = decode(line.as_bytes(), &OPTIONS).unwrap();
        prop_assert_eq!(inbound.account, account);
        prop_assert_eq!(inbound.at, at);
        prop_assert_eq!(inbound.fact, Fact::PaymentReceived {
            payment: PaymentId::new(&payment).unwrap(),
            booked_on,
            amount,
            method: "transfer".to_owned(),
            invoice: None,
        });
        prop_assert_eq!(inbound.secrets[0].1["remittance"].as_str(), Some(&*remittance));
    }

    #[test]
    fn an_encoded_adjustment_is_decoded_as_it_was(
        account in account(),
        at in moment(),
        on in day(),
        amount in cents(),
        invoice in "[A-Za-z0-9_-]{1,64}",
    ) {
        let data = json!({
            "invoice": invoice, "on": on, "amount": amount.plain(), "currency": "EUR",
            "reason": "",
        });
        let line = cloud_event(EventType::InvoiceAdjusted, "1", "/test", &account, at, data);
        let inbound = decode(line.as_bytes(), &OPTIONS).unwrap();
        let invoice = InvoiceId::new(&invoice).unwrap();
        prop_assert_eq!(inbound.fact, Fact::InvoiceAdjusted { invoice, on, amount });
        prop_assert!(inbound.secrets.is_empty());
    }
}

#[test]
fn an_event_of_ten_megabytes_is_refused_by_its_length_alone() {
    let rejection = decode(&vec![b'['; 10 << 20], &OPTIONS).unwrap_err();
    assert_eq!(rejection.reason, Reason::TooLarge);
    assert_eq!(rejection.pointer, "");
}

#[test]
fn a_mebibyte_of_brackets_is_refused_without_exhausting_the_stack() {
    for open in ["[", "{\"a\":"] {
        let text = open.repeat(MAX_EVENT_BYTES / open.len());
        assert_eq!(decode(text.as_bytes(), &OPTIONS).unwrap_err().reason, Reason::Malformed);
    }
}

#[test]
fn many_unknown_members_are_left_out_but_not_all_listed() {
    let account: AccountId = "lindenmoor/D-1".parse().unwrap();
    let mut data = json!({ "hold": "H-1" });
    for index in 0..5_000 {
        data[format!("new/{index}~")] = json!([{ "deep": index }]);
    }
    let line =
        cloud_event(EventType::HoldReleased, "1", "/test", &account, Timestamp::UNIX_EPOCH, data);
    let inbound = decode(line.as_bytes(), &OPTIONS).unwrap();
    assert_eq!(inbound.ignored.len(), 32);
    assert!(inbound.ignored[0].starts_with("/data/new~10~0"), "{}", inbound.ignored[0]);
}
