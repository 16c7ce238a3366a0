//! The moment of `--at`.

use anyhow::{Result, bail};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use kulanz_domain::ids::{NoticeId, PlacementId};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A moment.
    At(Timestamp),
    /// Just before this message was decided.
    Notice(NoticeId),
    /// Just before this placement was decided.
    Placement(PlacementId),
}

/// Reads a moment; days and times without an offset are those of `zone`, the creditor's.
pub fn read(text: &str, zone: &TimeZone) -> Result<Moment> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at));
    }
    if text.starts_with("N-")
        && let Ok(notice) = NoticeId::new(text)
    {
        return Ok(Moment::Notice(notice));
    }
    if text.starts_with("P-")
        && let Ok(placement) = PlacementId::new(text)
    {
        return Ok(Moment::Placement(placement));
    }
    let bracketed = text.contains('[') || text.contains('Z') || text.contains('+');
    // A day alone is read as its midnight.
    let local = text.parse::<DateTime>().ok().filter(|_| !bracketed);
    if let Some(at) = local.and_then(|local| local.to_zoned(zone.clone()).ok()) {
        return Ok(Moment::At(at.timestamp()));
    }
    bail!(
        "`{text}` is no moment: write an RFC 3339 one (2026-03-30T09:00:00+02:00), a time in {} \
         (2026-03-30 09:00), a day (2026-03-30), or the id of a message (N-…) or placement (P-…)",
        zone.iana_name().unwrap_or("UTC")
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_creditors_zone_where_they_name_none() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| match read(text, &berlin).unwrap() {
            Moment::At(at) => at.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(at("2026-03-30T09:00:00Z"), "2026-03-30T09:00:00Z");
        assert_eq!(at("2026-03-30T09:00:00+02:00"), "2026-03-30T07:00:00Z");
        assert_eq!(at("2026-03-30 09:00"), "2026-03-30T07:00:00Z");
        assert_eq!(at("2026-03-30T09:00:30"), "2026-03-30T07:00:30Z");
        assert_eq!(at("2026-03-30"), "2026-03-29T22:00:00Z");
        assert_eq!(at("20260330"), "2026-03-29T22:00:00Z");
        assert_eq!(at("2026-01-30"), "2026-01-29T23:00:00Z");
        assert_eq!(at("N-0123456789abcdef-7-0"), "Notice(N-0123456789abcdef-7-0)");
        for wrong in ["", "yesterday", "30.3.2026", "2026-13-01", "2026-03-30 25:00", "9:00"] {
            let told = read(wrong, &berlin).unwrap_err().to_string();
            assert!(told.contains("Europe/Berlin") && told.contains("RFC 3339"), "{told}");
        }
    }
}
