//! Text messages: the alphabet of GSM 03.38, what is written in its place, and how many parts a
//! text is sent in.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text message that is ready to send.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsText {
    /// What the phone shows.
    pub text: String,
    /// How it is coded on the air.
    pub coding: Coding,
    /// Parts that it is sent and charged in, 1 or 2.
    pub segments: usize,
}

/// How a text message is coded, which decides its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coding {
    /// GSM 03.38: 160 septets, or 153 in each of several parts.
    Gsm7,
    /// UCS-2: 70 units, or 67 in each of several parts.
    Ucs2,
}

/// A text needs more parts than a debtor should get at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the text message has a length of {length}, which is {segments} parts; two are sent at most, \
     with room for {room}{}",
    forced(foreign)
)]
pub struct SmsTooLong {
    /// Parts that it would take.
    pub segments: usize,
    /// Characters that leave room for less than half, at most five.
    pub foreign: Vec<char>,
    /// Septets or UCS-2 units.
    pub length: usize,
    /// What fits.
    pub room: usize,
}

/// Most parts of a message.
const MOST: usize = 2;

/// The basic alphabet, each one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table, each two septets.
const EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// What is written for characters that the alphabet lacks: typography, and Latin letters without
/// their accent, which any reader of the language understands.
fn replacement(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\t' => " ",
        '‐' | '‑' | '‒' | '–' | '—' | '−' => "-",
        '„' | '“' | '”' | '«' | '»' => "\"",
        '‚' | '‘' | '’' | '‹' | '›' | '`' | '´' => "'",
        '…' => "...",
        '·' | '•' => "-",
        '×' => "x",
        'ẞ' => "SS",
        'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'Á' | 'À' | 'Â' | 'Ã' | 'Ā' | 'Ă' | 'Ą' => "A",
        'ç' | 'ć' | 'č' => "c",
        'Ć' | 'Č' => "C",
        'ď' | 'đ' => "d",
        'Ď' | 'Đ' => "D",
        'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'È' | 'Ê' | 'Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ğ' | 'ģ' => "g",
        'Ğ' | 'Ģ' => "G",
        'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'Í' | 'Ì' | 'Î' | 'Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ķ' => "k",
        'Ķ' => "K",
        'ł' | 'ļ' | 'ľ' | 'ĺ' => "l",
        'Ł' | 'Ļ' | 'Ľ' | 'Ĺ' => "L",
        'ń' | 'ň' | 'ņ' => "n",
        'Ń' | 'Ň' | 'Ņ' => "N",
        'ó' | 'ô' | 'õ' | 'ő' | 'ō' => "o",
        'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ő' | 'Ō' => "O",
        'œ' => "oe",
        'Œ' => "OE",
        'ŕ' | 'ř' => "r",
        'Ŕ' | 'Ř' => "R",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ť' | 'ţ' | 'ț' => "t",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'ú' | 'û' | 'ů' | 'ű' | 'ū' | 'ų' => "u",
        'Ú' | 'Ù' | 'Û' | 'Ů' | 'Ű' | 'Ū' | 'Ų' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' | 'Ÿ' => "Y",
        'ź' | 'ž' | 'ż' => "z",
        'Ź' | 'Ž' | 'Ż' => "Z",
        _ => return None,
    })
}

/// Septets of a character, `None` where the alphabet lacks it.
fn septets(character: char) -> Option<usize> {
    if BASIC.contains(character) { Some(1) } else { EXTENSION.contains(character).then_some(2) }
}

/// Makes a text message of rendered lines: they become one, parted by single spaces.
pub fn sms(rendered: &str) -> Result<SmsText, SmsTooLong> {
    let line = rendered.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut plain = String::with_capacity(line.len());
    for character in line.chars() {
        match replacement(character).filter(|_| septets(character).is_none()) {
            Some(instead) => plain.push_str(instead),
            None => plain.push(character),
        }
    }
    // Where one character has no replacement all is sent in UCS-2, so as it was written.
    let (text, coding, sizes) = match plain.chars().map(septets).collect::<Option<Vec<_>>>() {
        Some(sizes) => (plain, Coding::Gsm7, sizes),
        None => {
            let sizes = line.chars().map(char::len_utf16).collect();
            (line, Coding::Ucs2, sizes)
        }
    };
    let (alone, part) = match coding {
        Coding::Gsm7 => (160, 153),
        Coding::Ucs2 => (70, 67),
    };
    let segments = segments(&sizes, alone, part);
    if segments > MOST {
        let mut foreign = foreign(&text);
        foreign.truncate(5);
        let length = sizes.iter().sum();
        return Err(SmsTooLong { segments, foreign, length, room: MOST * part });
    }
    Ok(SmsText { text, coding, segments })
}

/// The characters for which all of a text is sent in UCS-2: those that the alphabet lacks and that
/// nothing stands in for.
pub(super) fn foreign(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    for character in text.chars() {
        let plain = septets(character).is_some() || replacement(character).is_some();
        if !plain && !found.contains(&character) {
            found.push(character);
        }
    }
    found
}

/// What makes the room so small.
fn forced(foreign: &[char]) -> String {
    let shown: Vec<String> = foreign.iter().map(|c| format!("`{c}`")).collect();
    match shown.as_slice() {
        [] => String::new(),
        _ => format!(" because of {}", shown.join(", ")),
    }
}

/// Parts needed: an escaped character or a surrogate pair is never torn between two.
fn segments(sizes: &[usize], alone: usize, part: usize) -> usize {
    if sizes.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut segments, mut used) = (1, 0);
    for size in sizes {
        if used + size > part {
            segments += 1;
            used = 0;
        }
        used += size;
    }
    segments
}

impl std::fmt::Debug for SmsText {
    /// Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmsText")
            .field("coding", &self.coding)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shape(text: &str) -> (Coding, usize) {
        let sms = sms(text).unwrap();
        (sms.coding, sms.segments)
    }

    #[test]
    fn gsm_text_has_room_for_160_or_twice_153() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(shape(&"ä".repeat(160)), (Coding::Gsm7, 1));
        assert_eq!(shape(&"ä".repeat(161)), (Coding::Gsm7, 2));
        assert_eq!(shape(&"x".repeat(306)), (Coding::Gsm7, 2));
        let long = sms(&"x".repeat(307)).unwrap_err();
        let told = "the text message has a length of 307, which is 3 parts; two are sent at most, \
                    with room for 306";
        assert_eq!(long.to_string(), told);
    }

    #[test]
    fn the_euro_sign_counts_twice_and_is_never_torn() {
        assert_eq!(shape(&"€".repeat(80)), (Coding::Gsm7, 1));
        assert_eq!(shape(&"€".repeat(81)), (Coding::Gsm7, 2));
        // 76 pairs fill 152 of 153 septets: the next pair opens a new part.
        assert_eq!(shape(&"€".repeat(152)), (Coding::Gsm7, 2));
        assert!(sms(&"€".repeat(153)).is_err());
    }

    #[test]
    fn typography_and_accents_are_written_plainly() {
        let plain = sms("„Łódź“ – 3\u{a0}× …\n  Grüße, François").unwrap();
        assert_eq!(plain.text, "\"Lodz\" - 3 x ... Grüße, Francois");
        assert_eq!(plain.coding, Coding::Gsm7);
    }

    #[test]
    fn other_scripts_are_sent_as_written_with_less_room() {
        let mixed = sms("Привет – Łódź").unwrap();
        assert_eq!((mixed.text.as_str(), mixed.coding), ("Привет – Łódź", Coding::Ucs2));
        assert_eq!(shape(&"я".repeat(70)), (Coding::Ucs2, 1));
        assert_eq!(shape(&"я".repeat(71)), (Coding::Ucs2, 2));
        assert_eq!(shape(&"😀".repeat(35)), (Coding::Ucs2, 1));
        assert_eq!(shape(&"😀".repeat(66)), (Coding::Ucs2, 2));
        let long = sms(&"😀".repeat(67)).unwrap_err();
        let told = "the text message has a length of 134, which is 3 parts; two are sent at most, \
                    with room for 134 because of `😀`";
        assert_eq!(long.to_string(), told);
        assert_eq!(foreign("Łódź – яx\u{a0}я"), ['я']);
    }
}
