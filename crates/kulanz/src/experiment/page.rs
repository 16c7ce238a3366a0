//! Reports as one page: charts with the same figures in tables beside them. It loads nothing, has no
//! script, and is read on a phone as well as on a screen, light and dark.

use kulanz_engine::trial::{Estimate, Report};

use super::{Told, figures};
use crate::plan::page::{STYLE, escaped};

const MORE: &str = "
.line{fill:none;stroke-width:2}.line.new{stroke:var(--new);fill:none}.line.old{stroke:var(--old);fill:none;stroke-dasharray:5 3}
.grid{stroke:var(--line);stroke-width:1}text{fill:var(--soft);font:12px system-ui,sans-serif}
.span.new{stroke:var(--new)}.span.old{stroke:var(--old)}.span{stroke-width:3}
table.i tbody tr.r th,table.i tbody tr.r td{color:var(--soft)}
@media(max-width:34rem){text{font-size:22px}.line,.span{stroke-width:4}table.i thead th:first-child{display:none}table.i td.n{white-space:normal}}
";

/// Size of the drawing of the curves, and its margins.
const WIDE: f64 = 640.0;
const TALL: f64 = 240.0;
const LEFT: f64 = 72.0;
const TOP: f64 = 20.0;
const BELOW: f64 = 30.0;

/// The whole document.
pub fn render(told: &[Told]) -> String {
    let title = match told {
        [one] => figures::head(one).0,
        _ => "Experiments".to_owned(),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>{title}</title><style>{STYLE}{MORE}</style></head>\
         <body><main>",
        title = escaped(&title),
    );
    if told.is_empty() {
        page.push_str(
            "<h1>Experiments</h1><p>No account has met a policy that runs an experiment.</p>",
        );
    }
    told.iter().for_each(|one| experiment(one, &mut page));
    page.push_str("</main></body></html>\n");
    page
}

fn experiment(told: &Told, page: &mut String) {
    let (title, said) = figures::head(told);
    page.push_str(&format!("<article><h1>{}</h1>", escaped(&title)));
    for sentence in said.iter().chain(&told.notes) {
        page.push_str(&format!("<p>{}</p>", escaped(sentence)));
    }
    page.push_str(
        "<p class=\"key soft\"><span class=\"w\" style=\"margin-left:0\"></span>treated\
         <span class=\"o\" style=\"margin-left:1em\"></span>control</p>",
    );
    if told.report.enrolled.is_some() {
        shares(&told.report, page);
        curves(&told.report, page);
    }
    table(&told.report, page);
    page.push_str("</article>");
}

/// The recovered shares with their intervals, from 0 to 100 %.
fn shares(report: &Report, page: &mut String) {
    let arms = [("new", report.treated.share), ("old", report.control.share)];
    if arms.iter().all(|(_, share)| share.is_none()) {
        return;
    }
    page.push_str(
        "<section><h2>Recovered share, with its 95 % interval</h2><svg viewBox=\"0 0 640 84\" \
         role=\"img\" aria-label=\"Recovered shares; the figures are in the table below\">",
    );
    let at = |share: f64| LEFT + share * (WIDE - 2.0 * LEFT);
    for tenth in [0, 25, 50, 75, 100] {
        let x = at(f64::from(tenth) / 100.0);
        page.push_str(&format!(
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"60\"/>\
             <text x=\"{x:.1}\" y=\"80\" text-anchor=\"middle\">{tenth} %</text>"
        ));
    }
    for ((class, share), y) in arms.iter().zip([22.0, 44.0]) {
        let Some(Estimate { value, interval }) = share else { continue };
        if let Some((from, to)) = interval {
            page.push_str(&format!(
                "<line class=\"span {class}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>",
                at(*from),
                at(*to)
            ));
        }
        page.push_str(&format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y}\" r=\"6\"/>",
            at(*value)
        ));
    }
    page.push_str("</svg></section>");
}

/// Who has not paid yet, day by day.
fn curves(report: &Report, page: &mut String) {
    let days = f64::from(report.days);
    let x = |day: f64| LEFT + day / days * (WIDE - LEFT - 12.0);
    let y = |share: f64| TOP + (1.0 - share) * (TALL - BELOW - TOP);
    page.push_str(&format!(
        "<section><h2>Accounts that have not paid, by days since the enrolment</h2><svg \
         viewBox=\"0 0 {WIDE} {TALL}\" role=\"img\" aria-label=\"Share of accounts that have not \
         paid, by day; the figures are in the table below\">"
    ));
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        page.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{h:.1}\" y2=\"{h:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            x(days),
            LEFT - 6.0,
            y(share) + 4.0,
            share * 100.0,
            h = y(share),
        ));
    }
    for part in 0..=3u16 {
        let day = report.days * part / 3;
        page.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{day}</text>",
            x(f64::from(day)).min(WIDE - 12.0),
            TALL - 4.0
        ));
    }
    for (class, arm) in [("old", &report.control), ("new", &report.treated)] {
        if arm.accounts == 0 {
            continue;
        }
        let mut line = format!("M{:.1} {:.1}", x(0.0), y(1.0));
        for (day, left) in arm.unpaid.iter().enumerate() {
            // Of a day it is told what is left at its end.
            let end = (day as f64 + 1.0).min(days);
            line.push_str(&format!("V{:.1}H{:.1}", y(*left), x(end)));
        }
        page.push_str(&format!("<path class=\"line {class}\" d=\"{line}\"/>"));
    }
    page.push_str(
        "</svg><details><summary>The same as a table</summary><table class=\"i\"><thead><tr>\
         <th scope=\"col\">day</th><th class=\"n\" scope=\"col\">treated</th>\
         <th class=\"n\" scope=\"col\">control</th></tr></thead><tbody>",
    );
    for (day, (treated, control)) in
        report.treated.unpaid.iter().zip(&report.control.unpaid).enumerate()
    {
        page.push_str(&format!(
            "<tr><th scope=\"row\">{day}</th><td class=\"n\">{:.1} %</td><td class=\"n\">{:.1} \
             %</td></tr>",
            treated * 100.0,
            control * 100.0
        ));
    }
    page.push_str("</tbody></table></details></section>");
}

fn table(report: &Report, page: &mut String) {
    page.push_str(
        "<section><h2>Figures</h2><table class=\"i\"><thead><tr><th scope=\"col\"></th>\
         <th class=\"n\" scope=\"col\">treated</th><th class=\"n\" scope=\"col\">control</th>\
         <th class=\"n\" scope=\"col\">difference</th></tr></thead><tbody>",
    );
    for one in figures::rows(report) {
        let class = if one.label.starts_with(' ') { " class=\"r\"" } else { "" };
        page.push_str(&format!(
            "<tr{class}><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            escaped(one.label.trim_start()),
            escaped(&one.treated),
            escaped(&one.control),
            escaped(&one.difference)
        ));
    }
    page.push_str("</tbody></table></section>");
}
