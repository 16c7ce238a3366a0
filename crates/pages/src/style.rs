//! The style sheet, and a creditor's colour made readable.
//!
//! The colour lies in a sheet of its own, named by the colour, because the content security policy
//! allows no style in the page.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::guard::hex;

const SHEET: &str = include_str!("kulanz.css");
static NAME: LazyLock<String> =
    LazyLock::new(|| format!("kulanz.{}.css", hex(&Sha256::digest(SHEET.as_bytes())[..8])));

/// Path of the sheet; it changes with the content.
pub(crate) fn sheet_path() -> String {
    format!("/assets/{}", *NAME)
}

/// Path of the sheet for a creditor's colour (`#rrggbb`); `None` for anything else.
pub(crate) fn colour_path(colour: &str) -> Option<String> {
    let colour = Colour::parse(colour.strip_prefix('#')?)?;
    Some(format!("/assets/colour.{}.css", colour.hex()))
}

/// The sheet that goes by `name` below `/assets/`.
pub(crate) fn sheet(name: &str) -> Option<String> {
    if name == *NAME {
        return Some(SHEET.to_owned());
    }
    let colour = name.strip_prefix("colour.")?.strip_suffix(".css")?;
    Some(colour_sheet(Colour::parse(colour)?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colour([u8; 3]);

const WHITE: Colour = Colour([0xff, 0xff, 0xff]);
const INK: Colour = Colour([0x0d, 0x10, 0x13]);
/// `--paper` and `--card` of the sheet, light and dark: a test holds them together.
const LIGHT: [Colour; 2] = [WHITE, Colour([0xf4, 0xf5, 0xf7])];
const DARK: [Colour; 2] = [Colour([0x14, 0x17, 0x1a]), Colour([0x1f, 0x24, 0x28])];

impl Colour {
    fn parse(digits: &str) -> Option<Self> {
        let plain = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    fn hex(self) -> String {
        hex(&self.0)
    }

    /// Relative luminance as WCAG 2 defines it. A ratio of light, not money: a float will do.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let share = f64::from(part) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// What to write on it: white or near black, whichever can be read better.
    fn text(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(INK) { WHITE } else { INK }
    }

    /// Whether buttons in this colour stand out (3:1) and their text can be read (4.5:1).
    fn usable_on(self, papers: [Self; 2]) -> bool {
        papers.iter().all(|paper| self.contrast(*paper) >= 3.0) && self.contrast(self.text()) >= 4.5
    }
}

/// Where the colour cannot be used in a scheme, the sheet's own stays.
fn colour_sheet(colour: Colour) -> String {
    let rule = format!(
        ":root {{ --accent: #{}; --on-accent: #{}; }}\n",
        colour.hex(),
        colour.text().hex()
    );
    let mut sheet = String::new();
    for (scheme, papers) in [("light", LIGHT), ("dark", DARK)] {
        if colour.usable_on(papers) {
            sheet += &format!("@media (prefers-color-scheme: {scheme}) {{ {rule}}}\n");
        }
    }
    sheet
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn colour(digits: &str) -> Colour {
        Colour::parse(digits).unwrap()
    }

    /// The variables of the sheet, light and dark.
    fn variables() -> [Vec<(String, Colour)>; 2] {
        let (light, dark) = SHEET.split_once("prefers-color-scheme: dark").unwrap();
        [light, &dark[..dark.find("*,").unwrap()]].map(|part| {
            let pairs = part.split("--").skip(1).filter_map(|one| one.split_once(": #"));
            pairs.map(|(name, rest)| (name.to_owned(), colour(&rest[..6]))).collect()
        })
    }

    #[test]
    fn every_text_can_be_read_in_light_and_dark() {
        for (variables, papers) in variables().iter().zip([LIGHT, DARK]) {
            let of = |name: &str| variables.iter().find(|(one, _)| one == name).unwrap().1;
            assert_eq!([of("paper"), of("card")], papers);
            for text in ["ink", "soft", "link", "bad", "good"] {
                for paper in papers {
                    assert!(of(text).contrast(paper) >= 4.5, "{text}");
                }
            }
            for paper in papers {
                assert!(of("line").contrast(paper) >= 3.0, "line");
            }
            assert!(of("warn-ink").contrast(of("warn")) >= 4.5);
            assert!(of("on-accent").contrast(of("accent")) >= 4.5);
            assert!(of("accent").usable_on(papers));
        }
    }

    #[test]
    fn a_colour_that_cannot_be_read_gives_way() {
        let sheet = |digits: &str| super::sheet(&format!("colour.{digits}.css")).unwrap();
        assert!(sheet("2f6b3a").contains("scheme: light"), "a dark green stands out on white");
        assert!(!sheet("ffee00").contains("scheme: light"), "yellow on white does not");
        assert!(sheet("ffee00").contains("--on-accent: #0d1013"));
        assert!(!sheet("101010").contains("scheme: dark"));
        for red in (0..=255u8).step_by(51) {
            for green in (0..=255u8).step_by(51) {
                for blue in (0..=255u8).step_by(51) {
                    let brand = Colour([red, green, blue]);
                    for papers in [LIGHT, DARK] {
                        let usable = brand.usable_on(papers);
                        assert!(!usable || brand.contrast(brand.text()) >= 4.5);
                    }
                }
            }
        }
    }

    #[test]
    fn only_sheets_of_ours_are_served() {
        assert!(sheet(&NAME).is_some());
        assert_eq!(colour_path("#2F6B3A").as_deref(), Some("/assets/colour.2f6b3a.css"));
        for wrong in
            ["kulanz.css", "colour.12345.css", "colour.12345g.css", "../x", "colour.+12345.css"]
        {
            assert_eq!(sheet(wrong), None, "{wrong}");
        }
        assert_eq!(colour_path("red;}"), None);
    }
}
