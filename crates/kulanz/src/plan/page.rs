//! A plan as one page: charts with the same figures in tables beside them. It loads nothing, has no
//! script, and is read on a phone as well as on a screen, light and dark.

use std::collections::BTreeSet;

use jiff::civil::Date;
use kulanz_engine::plan::Listed;

use super::{
    Plan,
    figures::{self, Figure},
};

/// Room for a bar, in units of the drawing.
const WIDE: u64 = 100;

/// Of all pages of reports.
pub const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2421;--soft:#4a5752;--paper:#fff;--line:#c9d1cd;--old:#68756f;--new:#1f6f54}
@media(prefers-color-scheme:dark){:root{--ink:#e8eeeb;--soft:#b3c0ba;--paper:#141a17;--line:#3a4641;--old:#8d9a94;--new:#5fc49d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.4rem;line-height:1.25}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .4rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:400}
svg{display:block;width:100%;height:auto;margin:.3rem 0}
.old{fill:var(--old)}.new{fill:var(--new)}.axis{stroke:var(--line);stroke-width:.3}
.key span{display:inline-block;width:.8em;height:.8em;margin-right:.3em;vertical-align:-.05em}
.key .o{background:var(--old)}.key .w{background:var(--new);margin-left:1em}
ul{list-style:none;padding:0}li{padding:.25rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
@media(max-width:34rem){table,thead,tbody{display:block}tr{display:grid;grid-template-columns:repeat(3,1fr);border-bottom:1px solid var(--line);padding:.2rem 0}
th,td{border:0;padding:.1rem .2rem;min-width:0;overflow-wrap:anywhere}tbody th,thead th:first-child,td.w{grid-column:1/-1}tbody th{font-weight:600}td.b{grid-column:1/-1}.s thead{display:none}}
";

/// The whole document.
pub fn render(plan: &Plan) -> String {
    let (title, said) = figures::head(plan);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>Plan {id}: {title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>",
        id = escaped(&plan.id),
        title = escaped(&title),
    );
    for sentence in said {
        page.push_str(&format!("<p>{}</p>", escaped(&sentence)));
    }
    page.push_str(
        "<p class=\"key soft\"><span class=\"o\"></span>in force\
         <span class=\"w\"></span>with this version</p>",
    );
    steps(plan, &mut page);
    days(plan, &mut page);
    for group in figures::groups(plan) {
        page.push_str(&format!("<section><h2>{}</h2>", escaped(group.heading)));
        table(&group.figures, &mut page);
        page.push_str("</section>");
    }
    let report = &plan.report;
    list("New", '+', &report.new, &mut page);
    list("Gone", '\u{2212}', &report.gone, &mut page);
    list("Changed", '~', &report.changed, &mut page);
    page.push_str(&format!(
        "<p class=\"soft\">Plan {}, made over the events up to position {}.</p></main></body></html>\n",
        escaped(&plan.id),
        plan.position
    ));
    page
}

/// What happens to each step, with bars of the claims that take it.
fn steps(plan: &Plan, page: &mut String) {
    let order = figures::in_order(plan);
    if order.is_empty() {
        return;
    }
    let of = |side: &kulanz_engine::plan::Side, step| side.claims.get(step).copied().unwrap_or(0);
    let (old, new) = (&plan.report.in_force, &plan.report.candidate);
    let most = order.iter().map(|step| of(old, step).max(of(new, step))).max().unwrap_or(0);
    page.push_str(
        "<section><h2>Steps</h2><table class=\"s\"><thead><tr><th scope=\"col\">step</th>\
         <th scope=\"col\">claims</th><th scope=\"col\">what changes</th></tr></thead><tbody>",
    );
    for step in order {
        let (before, after) = (of(old, step), of(new, step));
        let changes = plan.report.steps.get(step);
        let signs = changes.map(figures::step_signs).unwrap_or_default();
        let said: Vec<String> = signs.iter().map(|(sign, what)| format!("{sign} {what}")).collect();
        page.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td class=\"b\">{before} → {after}{}</td>\
             <td class=\"w\">{}</td></tr>",
            escaped(step.as_str()),
            bars(before, after, most),
            said.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br>"),
        ));
    }
    page.push_str("</tbody></table></section>");
}

/// Two bars, one above the other. Read aloud they say nothing: the figures stand beside them.
fn bars(before: u64, after: u64, most: u64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDE} 9\" aria-hidden=\"true\">\
         <rect class=\"old\" y=\"0\" width=\"{}\" height=\"4\"/>\
         <rect class=\"new\" y=\"5\" width=\"{}\" height=\"4\"/></svg>",
        share(before, most, WIDE),
        share(after, most, WIDE)
    )
}

/// `of` in proportion to `most`, as hundredths of a unit.
fn share(of: u64, most: u64, room: u64) -> String {
    let hundredths = of.saturating_mul(room * 100).checked_div(most).unwrap_or(0);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Messages by day.
fn days(plan: &Plan, page: &mut String) {
    let (old, new) = (&plan.report.in_force.days, &plan.report.candidate.days);
    let all: BTreeSet<Date> = old.keys().chain(new.keys()).copied().collect();
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return };
    let most = old.values().chain(new.values()).max().copied().unwrap_or(0);
    let count = u64::from((*last - *first).get_days().unsigned_abs()) + 1;
    let (step, tall) = (8, 60);
    page.push_str(&format!(
        "<section><h2>Messages by day</h2><svg viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"Messages by day; the figures are in the table below\">",
        count * step,
        tall + 1
    ));
    for day in &all {
        let at = u64::from((*day - *first).get_days().unsigned_abs()) * step;
        for (side, class, shift) in [(old, "old", 1), (new, "new", 4)] {
            let height = share(side.get(day).copied().unwrap_or(0), most, tall);
            page.push_str(&format!(
                "<rect class=\"{class}\" x=\"{}\" width=\"3\" height=\"{height}\" \
                 transform=\"translate(0 {tall}) scale(1 -1)\"/>",
                at + shift
            ));
        }
    }
    page.push_str(&format!(
        "<line class=\"axis\" x1=\"0\" x2=\"{}\" y1=\"{tall}\" y2=\"{tall}\"/></svg>",
        count * step
    ));
    let rows: Vec<Figure> = all.iter().map(|day| figures::day(*day, old, new)).collect();
    page.push_str("<details><summary>The same as a table</summary>");
    table(&rows, page);
    page.push_str("</details></section>");
}

fn table(figures: &[Figure], page: &mut String) {
    page.push_str(
        "<table><thead><tr><th scope=\"col\"></th><th class=\"n\" scope=\"col\">in force</th>\
         <th class=\"n\" scope=\"col\">then</th><th class=\"n\" scope=\"col\">difference</th></tr>\
         </thead><tbody>",
    );
    for one in figures {
        page.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            escaped(&one.label),
            escaped(&one.before),
            escaped(&one.after),
            escaped(&one.difference)
        ));
    }
    page.push_str("</tbody></table>");
}

fn list(heading: &str, sign: char, listed: &Listed, page: &mut String) {
    if listed.count == 0 {
        return;
    }
    page.push_str(&format!("<section><h2>{heading}: {}</h2><ul>", listed.count));
    for line in &listed.named {
        page.push_str(&format!(
            "<li>{sign} <strong>{}</strong> {} {}: {}</li>",
            escaped(&line.account.to_string()),
            escaped(line.claim.as_str()),
            escaped(line.step.as_str()),
            escaped(&figures::line_words(line))
        ));
    }
    let rest = listed.count - listed.named.len() as u64;
    if rest > 0 {
        page.push_str(&format!("<li class=\"soft\">and {rest} more</li>"));
    }
    page.push_str("</ul></section>");
}

/// Text as it may stand in a document or an attribute.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_markup_of_ours_is_escaped() {
        assert_eq!(
            escaped("<b title='x'>&\"</b>"),
            "&lt;b title=&#39;x&#39;&gt;&amp;&quot;&lt;/b&gt;"
        );
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!((share(1, 3, 100).as_str(), share(3, 3, 100).as_str()), ("33.33", "100.00"));
        assert_eq!(share(0, 0, 100), "0.00");
    }
}
