//! `due + 4d`, `due - 3d`, `reminder + 10d`, `default`.

use kulanz_domain::{
    calendar::Span,
    policy::{Anchor, Moment},
};

use crate::diagnostic::{did_you_mean, look_alike};

/// Why a text is no moment, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MomentError {
    pub message: String,
    pub help: Option<String>,
}

/// Reads a step's `at`. `ladder` holds the names of all steps, `place` is that of the step itself:
/// it can count from the steps before it alone. The error is one sentence.
pub fn parse_moment(text: &str, ladder: &[&str], place: usize) -> Result<Moment, String> {
    moment(text, ladder, place).map_err(|error| error.message)
}

pub(crate) fn moment(text: &str, ladder: &[&str], place: usize) -> Result<Moment, MomentError> {
    let text = text.trim();
    let (name, before, span) = split(text, ladder);
    let wrong = |message: String, help: Option<String>| MomentError { message, help };
    let shown = crate::context::short(text);
    let span = match span {
        None => Span::Days(0),
        Some(span) => span.parse::<Span>().map_err(|e| {
            let help = look_alike(text).or_else(|| {
                Some("a moment is written `due + 4d`, `due - 3d` or `reminder + 10d`".into())
            });
            wrong(e.to_string(), help)
        })?,
    };
    let anchor = match name {
        "due" => Anchor::Due,
        "issued" => Anchor::Issued,
        "default" => Anchor::Default,
        step => match ladder.iter().position(|other| *other == step) {
            Some(at) if at < place => Anchor::Step(at),
            Some(at) if at == place => {
                let help = "count it from `due` or from an earlier step".to_owned();
                return Err(wrong(format!("`{step}` counts from itself"), Some(help)));
            }
            Some(_) => {
                let help = "a step counts from the steps above it: move it up, or count from \
                            another one";
                let message = format!("`{step}` comes later on the ladder");
                return Err(wrong(message, Some(help.into())));
            }
            None => {
                let known = ["due", "issued", "default"];
                let earlier = ladder.get(..place).unwrap_or_default();
                let help = look_alike(text)
                    .or_else(|| {
                        did_you_mean(step, known.into_iter().chain(earlier.iter().copied()))
                    })
                    .or_else(|| {
                        let help = "a step counts from `due`, `issued`, `default` or an earlier \
                                    step: `due + 4d`";
                        Some(help.into())
                    });
                let step = crate::context::short(step);
                return Err(wrong(format!("there is no step `{step}` to count from"), help));
            }
        },
    };
    if before && !matches!(anchor, Anchor::Due | Anchor::Issued) {
        let help = "only `due` and `issued` are known ahead".to_owned();
        return Err(wrong(format!("`{shown}` lies before something not yet known"), Some(help)));
    }
    Ok(Moment { anchor, before, span })
}

/// The anchor, whether the span is subtracted, and the span. Names may hold `-` themselves.
fn split<'t>(text: &'t str, ladder: &[&str]) -> (&'t str, bool, Option<&'t str>) {
    if ladder.contains(&text) {
        return (text, false, None);
    }
    if let Some((name, span)) = text.split_once('+') {
        return (name.trim_end(), false, Some(span.trim_start()));
    }
    match text.rsplit_once('-') {
        Some((name, span))
            if name.ends_with(' ')
                || span.trim_start().starts_with(|c: char| c.is_ascii_digit()) =>
        {
            (name.trim_end(), true, Some(span.trim_start()))
        }
        _ => (text, false, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LADDER: [&str; 3] = ["reminder", "last-call", "inkasso"];

    #[test]
    fn a_moment_counts_from_a_date_or_an_earlier_step() {
        let read = |text| parse_moment(text, &LADDER, 2).unwrap();
        let days = |anchor, n| Moment { anchor, before: false, span: Span::Days(n) };
        assert_eq!(read("due + 4d"), days(Anchor::Due, 4));
        assert_eq!(read("due+4d"), days(Anchor::Due, 4));
        assert_eq!(read("last-call + 14d"), days(Anchor::Step(1), 14));
        assert_eq!(read("last-call"), days(Anchor::Step(1), 0));
        assert_eq!(read("issued"), days(Anchor::Issued, 0));
        let early = Moment { anchor: Anchor::Due, before: true, span: Span::BusinessDays(3) };
        assert_eq!(read("due - 3bd"), early);
        assert_eq!(read("due-3bd"), early);
    }

    #[test]
    fn a_moment_cannot_count_from_a_later_step_itself_or_nothing() {
        let refused = |text| parse_moment(text, &LADDER, 1).unwrap_err();
        assert_eq!(refused("inkasso + 1d"), "`inkasso` comes later on the ladder");
        assert_eq!(refused("last-call + 1d"), "`last-call` counts from itself");
        assert_eq!(refused("remindr + 1d"), "there is no step `remindr` to count from");
        assert!(refused("reminder - 1d").contains("not yet known"));
        assert!(refused("due + 4 days").contains("is not a span"));
        assert_eq!(refused("due 4d"), "there is no step `due 4d` to count from");
        let dash = moment("due – 3d", &LADDER, 1).unwrap_err();
        assert!(dash.help.unwrap().contains("only looks like `-`"));
        assert!(refused("").contains("no step"));
    }
}
