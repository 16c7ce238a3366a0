//! A forecast as one page: charts with the same figures in tables beside them. It loads nothing,
//! has no script, and is read on a phone as well as on a screen, light and dark.

use jiff::civil::Date;
use kulanz_domain::money::Decimal;
use kulanz_engine::simulate::{Band, Calibration, Forecast, Held, Outlook, Part};

use super::{
    Simulation,
    words::{self, money, number, range},
};
use crate::plan::escaped;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2421;--soft:#4a5752;--paper:#fff;--line:#c9d1cd;--band:#b9dccd;--middle:#1f6f54;--actual:#a3441a}
@media(prefers-color-scheme:dark){:root{--ink:#e8eeeb;--soft:#b3c0ba;--paper:#141a17;--line:#3a4641;--band:#24483a;--middle:#5fc49d;--actual:#f0a070}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.4rem;line-height:1.25}h2{font-size:1.2rem;margin:2rem 0 .5rem}h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
p{margin:.3rem 0}.soft{color:var(--soft)}.loud{font-weight:700;color:var(--actual)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .4rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--soft)}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:400;white-space:nowrap}
svg{display:block;width:100%;max-width:44rem;height:auto;margin:.5rem 0}
svg text{font:9px system-ui,sans-serif;fill:var(--soft)}
.band{fill:var(--band)}.middle{fill:none;stroke:var(--middle);stroke-width:1.5}.actual{fill:none;stroke:var(--actual);stroke-width:1.5;stroke-dasharray:4 2}.axis{stroke:var(--line);stroke-width:.5}
.key span{display:inline-block;width:1.2em;height:.8em;margin:0 .3em 0 1em;vertical-align:-.05em}.key span:first-child{margin-left:0}
.key .b{background:var(--band)}.key .m{background:var(--middle);height:.2em;vertical-align:.25em}.key .a{background:var(--actual);height:.2em;vertical-align:.25em}
ul{padding-left:1.2rem}li{margin:.3rem 0}
@media(max-width:40rem){table,thead,tbody,tr{display:block}thead{display:none}tr{border-bottom:1px solid var(--line);padding:.4rem 0}
tbody th{display:block;font-weight:600;border:0;padding:.1rem 0;white-space:normal}td.n{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .8rem;border:0;padding:.1rem 0;text-align:right}
td.n::before{content:attr(data-of);color:var(--soft)}td small{flex-basis:100%}}
";

/// The whole document.
pub fn render(simulation: &Simulation) -> String {
    let (title, said) = words::head(simulation);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>",
        title = escaped(&title),
    );
    paragraphs(&said, &mut page);
    for (code, outlook) in &simulation.report.currencies {
        currency(code, outlook, simulation.report.first_day, &mut page);
    }
    page.push_str("<section><h2>What this cannot know</h2><ul>");
    for sentence in &simulation.cannot_know {
        page.push_str(&format!("<li>{}</li>", escaped(sentence)));
    }
    page.push_str("</ul></section></main></body></html>\n");
    page
}

fn paragraphs(said: &[String], page: &mut String) {
    for sentence in said {
        // What must not be overlooked begins in capitals.
        let loud = sentence.split(' ').take(2).all(|word| {
            word.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase) && word.len() > 1
        });
        let class = if loud { " class=\"loud\"" } else { "" };
        page.push_str(&format!("<p{class}>{}</p>", escaped(sentence)));
    }
}

fn currency(code: &str, outlook: &Outlook, first: Date, page: &mut String) {
    page.push_str(&format!("<section><h2>{}</h2>", escaped(code)));
    paragraphs(&words::standing(outlook), page);
    if let Some(why) = &outlook.too_little {
        page.push_str(&format!("<p class=\"loud\">No forecast. {}</p>", escaped(why)));
    }
    if let Some(forecast) = &outlook.forecast {
        self::forecast(forecast, first, page);
    }
    page.push_str("<h3>Compared with days that are over</h3>");
    paragraphs(&words::calibration(&outlook.calibration), page);
    if let Calibration::Done(held) = &outlook.calibration {
        self::held(held, page);
    }
    page.push_str("</section>");
}

fn forecast(forecast: &Forecast, first: Date, page: &mut String) {
    page.push_str("<h3>Money recovered</h3>");
    key(false, page);
    let points: Vec<Point> = forecast
        .weeks
        .iter()
        .map(|week| Point { days: week.days, band: week.recovered, actual: None })
        .collect();
    let last = forecast.weeks.last().map_or(first, |week| week.last_day);
    chart(&points, (first, last), "Money recovered by week; the figures are in the table", page);
    page.push_str(
        "<p class=\"soft\">Summed up from the first day on: the median, below it where nine of ten \
         futures lie.</p>",
    );
    let columns = ["recovered", "still open", "messages", "fees", "to agencies", "ended otherwise"];
    table("until", &columns, page, |page| {
        for week in &forecast.weeks {
            let cells = [
                cell(columns[0], &week.recovered, money),
                cell(columns[1], &week.open, money),
                cell(columns[2], &week.messages, number),
                cell(columns[3], &week.fees, money),
                cell(columns[4], &week.handed_over, money),
                cell(columns[5], &week.gone, money),
            ];
            row(&week.last_day.to_string(), &cells, page);
        }
    });
    parts("By last step", &forecast.steps, page);
    parts("By persona of the last message", &forecast.personas, page);
}

fn parts(heading: &str, parts: &[Part], page: &mut String) {
    let columns = ["messages", "recovered", "open at the end"];
    page.push_str(&format!("<h3>{heading}</h3>"));
    table("", &columns, page, |page| {
        for part in parts {
            let cells = [
                cell(columns[0], &part.messages, number),
                cell(columns[1], &part.recovered, money),
                cell(columns[2], &part.open, money),
            ];
            row(part.name.as_deref().unwrap_or("none yet"), &cells, page);
        }
    });
}

fn held(held: &Held, page: &mut String) {
    key(true, page);
    let points: Vec<Point> = held
        .weeks
        .iter()
        .map(|week| Point { days: week.days, band: week.predicted, actual: Some(week.actual) })
        .collect();
    let last = held.weeks.last().map_or(held.first_day, |week| week.last_day);
    let label = "Predicted and actual money by week; the figures are in the table";
    chart(&points, (held.first_day, last), label, page);
    let columns = ["predicted", "happened", ""];
    table("until", &columns, page, |page| {
        for week in &held.weeks {
            let cells = [
                cell(columns[0], &week.predicted, money),
                plain(columns[1], &money(week.actual)),
                plain("", if week.inside { "within" } else { "outside" }),
            ];
            row(&week.last_day.to_string(), &cells, page);
        }
    });
}

fn key(with_actual: bool, page: &mut String) {
    let actual = if with_actual { "<span class=\"a\"></span>what happened" } else { "" };
    page.push_str(&format!(
        "<p class=\"key soft\"><span class=\"m\"></span>median<span class=\"b\"></span>nine of ten \
         futures{actual}</p>"
    ));
}

/// A point of a curve.
struct Point {
    days: u16,
    band: Band<Decimal>,
    actual: Option<Decimal>,
}

/// Room of a chart, in units of the drawing: the plot and what stands around it.
const WIDE: i64 = 300;
const TALL: i64 = 140;
const LEFT: i64 = 56;
const TOP: i64 = 8;

/// A band, its median, and what happened, from the first day on.
fn chart(points: &[Point], (first, last): (Date, Date), label: &str, page: &mut String) {
    let highest = |point: &Point| point.band.high.max(point.actual.unwrap_or_default());
    let most = points.iter().map(highest).max().unwrap_or_default().max(Decimal::ONE);
    let days = points.last().map_or(1, |point| point.days.max(1));
    let (wide, tall) = (Decimal::from(WIDE), Decimal::from(TALL));
    let x = |on: u16| {
        Decimal::from(LEFT) + (wide * Decimal::from(on) / Decimal::from(days)).round_dp(1)
    };
    let y = |amount: Decimal| Decimal::from(TOP + TALL) - (tall * amount / most).round_dp(1);
    let line = |of: &dyn Fn(&Point) -> Decimal| -> String {
        let start = format!("{LEFT},{}", TOP + TALL);
        let rest = points.iter().map(|point| format!(" {},{}", x(point.days), y(of(point))));
        std::iter::once(start).chain(rest).collect()
    };
    let back: String = points
        .iter()
        .rev()
        .map(|point| format!(" {},{}", x(point.days), y(point.band.low)))
        .collect();
    let (bottom, right) = (TOP + TALL, LEFT + WIDE);
    page.push_str(&format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\
         <polygon class=\"band\" points=\"{}{back}\"/>\
         <polyline class=\"middle\" points=\"{}\"/>",
        right + 8,
        bottom + 16,
        escaped(label),
        line(&|point| point.band.high),
        line(&|point| point.band.middle),
    ));
    if points.iter().all(|point| point.actual.is_some()) {
        let actual = line(&|point| point.actual.unwrap_or_default());
        page.push_str(&format!("<polyline class=\"actual\" points=\"{actual}\"/>"));
    }
    for amount in [Decimal::ZERO, most / Decimal::TWO, most] {
        let at = y(amount);
        page.push_str(&format!(
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at}\" y2=\"{at}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 4,
            at + Decimal::from(3),
            money(amount.trunc())
        ));
    }
    page.push_str(&format!(
        "<text x=\"{LEFT}\" y=\"{0}\">{first}</text>\
         <text x=\"{right}\" y=\"{0}\" text-anchor=\"end\">{last}</text></svg>",
        bottom + 12
    ));
}

fn table(first: &str, columns: &[&str], page: &mut String, rows: impl FnOnce(&mut String)) {
    page.push_str(&format!("<table><thead><tr><th scope=\"col\">{}</th>", escaped(first)));
    for column in columns {
        page.push_str(&format!("<th class=\"n\" scope=\"col\">{}</th>", escaped(column)));
    }
    page.push_str("</tr></thead><tbody>");
    rows(page);
    page.push_str("</tbody></table>");
}

fn row(name: &str, cells: &[String], page: &mut String) {
    page.push_str(&format!("<tr><th scope=\"row\">{}</th>{}</tr>", escaped(name), cells.concat()));
}

fn cell<T: PartialEq + Copy>(column: &str, band: &Band<T>, shown: fn(T) -> String) -> String {
    let around = match band.low == band.high {
        true => String::new(),
        false => format!("<small>{}</small>", escaped(&range(band, shown))),
    };
    let middle = escaped(&shown(band.middle));
    format!("<td class=\"n\" data-of=\"{}\">{middle}{around}</td>", escaped(column))
}

fn plain(column: &str, text: &str) -> String {
    format!("<td class=\"n\" data-of=\"{}\">{}</td>", escaped(column), escaped(text))
}
