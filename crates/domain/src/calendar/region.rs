//! Where a holiday holds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Why a text names no region.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no holiday calendar: use DE, DE-BW to DE-TH, AT, CH, IT, US or NONE")]
pub struct RegionError(pub String);

macro_rules! regions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A holiday calendar: a German state, or a country's national days. Written `DE-NW`,
        /// `AT`, `NONE`; a German state may be read without its `DE-`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub enum Region {
            $($(#[$doc])* $name,)*
        }

        impl Region {
            /// Every region, in the order in which they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text form: `DE-NW`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

regions! {
    /// No holidays at all; weekends remain.
    #[default]
    None = "NONE";
    /// Germany: the nine days of all states.
    De = "DE";
    /// Baden-Württemberg.
    DeBw = "DE-BW";
    /// Bayern, without 15 August, which only its Catholic communes keep.
    DeBy = "DE-BY";
    /// Berlin.
    DeBe = "DE-BE";
    /// Brandenburg.
    DeBb = "DE-BB";
    /// Bremen.
    DeHb = "DE-HB";
    /// Hamburg.
    DeHh = "DE-HH";
    /// Hessen.
    DeHe = "DE-HE";
    /// Mecklenburg-Vorpommern.
    DeMv = "DE-MV";
    /// Niedersachsen.
    DeNi = "DE-NI";
    /// Nordrhein-Westfalen.
    DeNw = "DE-NW";
    /// Rheinland-Pfalz.
    DeRp = "DE-RP";
    /// Saarland.
    DeSl = "DE-SL";
    /// Sachsen.
    DeSn = "DE-SN";
    /// Sachsen-Anhalt.
    DeSt = "DE-ST";
    /// Schleswig-Holstein.
    DeSh = "DE-SH";
    /// Thüringen.
    DeTh = "DE-TH";
    /// Austria.
    At = "AT";
    /// Switzerland: the four days that all cantons keep.
    Ch = "CH";
    /// Italy.
    It = "IT";
    /// United States: federal holidays and the weekdays on which they are observed.
    Us = "US";
}

impl Region {
    /// The calendar of an address: `country` as ISO 3166-1 alpha-2, `region` as the state
    /// (`NW` or `DE-NW`) where it is known. `None`: we have no calendar of that country. A German
    /// address without a known state has the national days.
    pub fn of(country: &str, region: Option<&str>) -> Option<Self> {
        match country {
            "DE" => Some(region.and_then(Self::state).unwrap_or(Self::De)),
            "AT" => Some(Self::At),
            "CH" => Some(Self::Ch),
            "IT" => Some(Self::It),
            "US" => Some(Self::Us),
            _ => None,
        }
    }

    /// A German state, `NW` or `DE-NW`. Each deadline asks for it: texts are not compared one by
    /// one.
    fn state(text: &str) -> Option<Self> {
        Some(match text.strip_prefix("DE-").unwrap_or(text).as_bytes() {
            b"BW" => Self::DeBw,
            b"BY" => Self::DeBy,
            b"BE" => Self::DeBe,
            b"BB" => Self::DeBb,
            b"HB" => Self::DeHb,
            b"HH" => Self::DeHh,
            b"HE" => Self::DeHe,
            b"MV" => Self::DeMv,
            b"NI" => Self::DeNi,
            b"NW" => Self::DeNw,
            b"RP" => Self::DeRp,
            b"SL" => Self::DeSl,
            b"SN" => Self::DeSn,
            b"ST" => Self::DeSt,
            b"SH" => Self::DeSh,
            b"TH" => Self::DeTh,
            _ => return None,
        })
    }

    /// Germany or one of its states.
    pub const fn is_german(self) -> bool {
        matches!(self.name().as_bytes(), [b'D', b'E', ..])
    }
}

impl FromStr for Region {
    type Err = RegionError;
    fn from_str(text: &str) -> Result<Self, RegionError> {
        Self::ALL
            .iter()
            .copied()
            .find(|region| {
                let name = region.name();
                name == text || name.strip_prefix("DE-") == Some(text)
            })
            .or_else(|| (text == "none").then_some(Self::None))
            .ok_or_else(|| RegionError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Region;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a holiday calendar such as DE-NW")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Region, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

/// Several regions at once, as small as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegionSet(u32);

impl RegionSet {
    /// No region.
    pub const EMPTY: Self = Self(0);

    /// Just `region`; [`Region::None`] gives the empty set.
    pub const fn only(region: Region) -> Self {
        match region {
            Region::None => Self::EMPTY,
            other => Self(1 << other as u32),
        }
    }

    /// What is in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `region` is in it.
    pub const fn contains(self, region: Region) -> bool {
        self.0 & (1 << region as u32) != 0
    }

    /// The regions in it.
    pub fn iter(self) -> impl Iterator<Item = Region> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let region = Region::ALL.get(left.trailing_zeros() as usize).copied()?;
            left &= left - 1;
            Some(region)
        })
    }
}
