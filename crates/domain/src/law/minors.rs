//! Minors: what is needed of a day of birth.

use jiff::{ToSpan, civil::Date};

/// For so long after somebody has come of age a claim can be left that they made before: longer than
/// it takes to be barred (§§ 195, 199 (1) BGB).
const MINORS_CLAIMS_YEARS: i32 = 4;

/// What is needed of the day of birth where others can read it, and no more: the first of a month by
/// which the debtor is of age (§§ 2, 187 (2) BGB), unless that was long before `told_on`, the day on
/// which the day of birth was told.
pub fn minor_until(birth: Date, told_on: Date) -> Option<Date> {
    let of_age = birth.checked_add(18.years()).ok()?;
    let month = match of_age.day() {
        1 => of_age,
        _ => of_age.last_of_month().tomorrow().ok()?,
    };
    let no_claim_left = month.checked_add(MINORS_CLAIMS_YEARS.years()).ok()?;
    (told_on < no_claim_left).then_some(month)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What is kept of a day of birth that is told on a day.
    fn kept(birth: &str, told_on: &str) -> Option<String> {
        minor_until(birth.parse().unwrap(), told_on.parse().unwrap()).map(|day| day.to_string())
    }

    #[test]
    fn a_month_is_kept_of_the_day_of_birth_of_a_minor_and_nothing_of_others() {
        let until = |day: &str| Some(day.to_owned());
        assert_eq!(kept("2009-05-14", "2026-03-01"), until("2027-06-01"));
        assert_eq!(kept("2009-05-31", "2026-03-01"), until("2027-06-01"));
        assert_eq!(kept("2009-05-01", "2026-03-01"), until("2027-05-01"));
        assert_eq!(kept("2009-12-02", "2026-03-01"), until("2028-01-01"));
        // Nobody has a birthday on a 29 February that there is not: of age on the day after.
        assert_eq!(kept("2008-02-29", "2026-01-01"), until("2026-03-01"));
        // Of age, and may owe what was bought before.
        assert_eq!(kept("2008-02-10", "2030-02-28"), until("2026-03-01"));
        assert_eq!(kept("2008-02-10", "2030-03-01"), None);
        assert_eq!(kept("1988-02-29", "2026-03-01"), None);
    }
}
