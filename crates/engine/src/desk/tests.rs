#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use kulanz_domain::AccountEvent;

use super::{BARE, Desk, Inner};
use crate::vault::Vault;

fn taken(desk: &Inner) -> usize {
    desk.hot.values().map(|hot| hot.bytes()).sum()
}

/// Of no account that is given up anything was used in the last three turns; what the bytes come to is
/// what they would come to if they were counted anew.
#[test]
fn accounts_are_given_up_by_what_they_take_and_those_of_the_last_turns_never() {
    let desk = Desk::new(Arc::new(Vault::new([7; 32])));
    let mut desk = desk.lock();
    let on = "2026-01-26".parse().unwrap();
    let event = AccountEvent::HoldPlaced {
        hold: "H-1".parse().unwrap(),
        invoice: None,
        owner: "word ".repeat(100),
        until: None,
        on,
        at: None,
    };
    let event = std::slice::from_ref(&event);
    let name = |turn: usize, nth: usize| format!("shop/D-{turn}-{nth}").parse().unwrap();
    for turn in 0..12 {
        for nth in 0..20 {
            let id = name(turn, nth);
            desk.warm(&id, None).unwrap();
            desk.put(&id, event).unwrap();
        }
        assert_eq!(desk.bytes, taken(&desk));
        let of_one = desk.bytes / desk.hot.len();
        assert!(of_one > BARE + 1000, "{of_one}");
        desk.close().unwrap();
        assert_eq!(desk.bytes, taken(&desk));
        desk.cool(70 * of_one);
        assert_eq!(desk.bytes, taken(&desk));
        for earlier in turn.saturating_sub(2)..=turn {
            assert!((0..20).all(|nth| desk.is_hot(&name(earlier, nth))), "{earlier} at {turn}");
        }
    }
    assert!(!desk.is_hot(&name(5, 0)) && desk.hot.len() <= 80, "{}", desk.hot.len());
    let id = name(11, 0);
    desk.forget(Some(&id));
    assert_eq!(desk.bytes, taken(&desk));
    desk.forget(None);
    assert_eq!(desk.bytes, 0);
}
