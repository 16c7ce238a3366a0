//! A preview as one page for a browser: it loads nothing and has no script. E-mails are shown as
//! they are, each in a frame that may do nothing, so that neither changes the other's looks.

use super::{Card, Preview, words};
use crate::{house::count, plan::escaped};

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2421;--soft:#4a5752;--paper:#fff;--wash:#f2f5f3;--line:#c9d1cd;--new:#1f6f54;--bubble:#e2efe9;--loud:#7a4a00}
@media(prefers-color-scheme:dark){:root{--ink:#e8eeeb;--soft:#b3c0ba;--paper:#141a17;--wash:#1d2521;--line:#3a4641;--new:#5fc49d;--bubble:#24483a;--loud:#7a4a00}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:76rem;margin:0 auto;padding:1rem}
.banner{margin:0;background:var(--loud);color:#fff;padding:.6rem 1rem;text-align:center;font-weight:600}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.3rem;margin:3rem 0 .5rem;padding-top:.75rem;border-top:2px solid var(--new)}
h3{font-size:1.05rem;margin:0;display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .6rem}a{color:var(--new)}p{margin:.4rem 0}.soft{color:var(--soft)}
nav h2{border:0;margin:1.25rem 0 0;padding:0;font-size:1.1rem}
nav ul{list-style:none;margin:.25rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.35rem}
nav li a{display:inline-flex;align-items:center;min-height:2.75rem;padding:0 .6rem;border:1px solid var(--line);border-radius:.5rem;text-decoration:none;font-size:.9rem}
nav .step{flex-basis:100%}nav .step a{border:0;padding:0;font-weight:600;font-size:1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.5rem 0;font-size:.9rem}
dt{color:var(--soft)}dd{margin:0;min-width:0}
article{border:1px solid var(--line);border-radius:.75rem;margin:1.25rem 0;padding:1rem;background:var(--wash);scroll-margin-top:.5rem}
.tag{padding:0 .6rem;border-radius:1rem;background:var(--loud);color:#fff;font-size:.8rem;font-weight:600}
.subject{margin:.75rem 0 .5rem;font-weight:600}.subject span{font-weight:400;color:var(--soft)}
.both{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1rem;align-items:start}
.both h4,.sms h4{margin:0 0 .35rem;font-size:.85rem;font-weight:600;color:var(--soft)}
iframe{display:block;width:100%;height:var(--wide);border:1px solid var(--line);border-radius:.5rem;background:Canvas}
pre{margin:0;padding:1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--paper);white-space:pre-wrap;overflow-wrap:anywhere;font:.85rem/1.5 ui-monospace,Consolas,monospace}
.phone{max-width:24rem;border:1px solid var(--line);border-radius:1.5rem;padding:1rem;background:var(--paper);margin-top:.75rem}
.phone h4{text-align:center}.bubble{margin:0;padding:.7rem .9rem;border-radius:1.1rem 1.1rem 1.1rem .25rem;background:var(--bubble)}
@media(max-width:52rem){.both{grid-template-columns:minmax(0,1fr)}iframe{height:var(--narrow)}article{padding:.75rem}main{padding:.75rem}dl{column-gap:.6rem}}
@media(max-width:22rem){iframe{height:calc(var(--narrow)*1.3)}}
@media print{iframe{height:var(--wide)}article{break-inside:avoid}}
";

/// The whole document.
pub fn render(preview: &Preview) -> String {
    let title = escaped(&words::title(preview));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>{title}</title><style>{STYLE}</style></head>\
         <body>"
    );
    let notes = words::notes(preview);
    for note in &notes {
        page.push_str(&format!("<p class=\"banner\" role=\"note\">{}</p>", escaped(note)));
    }
    page.push_str(&format!("<main><h1 id=\"top\">{title}</h1>"));
    let number = count(preview.cards.len(), "message");
    page.push_str(&format!("<p class=\"soft\">{number}, sample: {}.</p>", preview.sample.name()));
    contents(preview, &mut page);
    let mut step = None;
    for (at, card) in preview.cards.iter().enumerate() {
        let this = (card.made.place, &card.tried);
        if step != Some(this) {
            if step.is_some() {
                page.push_str("</section>");
            }
            step = Some(this);
            let name = escaped(card.step.name.as_str());
            page.push_str(&format!("<section><h2 id=\"s{at}\">{name}</h2>"));
            facts(&words::step(card, preview), &mut page);
        }
        self::card(at, card, preview, &mut page);
    }
    page.push_str("</section></main></body></html>\n");
    page
}

fn contents(preview: &Preview, page: &mut String) {
    page.push_str("<nav aria-label=\"Messages\"><h2>Contents</h2><ul>");
    let mut step = None;
    for (at, card) in preview.cards.iter().enumerate() {
        let this = (card.made.place, &card.tried);
        if step != Some(this) {
            step = Some(this);
            let name = escaped(card.step.name.as_str());
            page.push_str(&format!("<li class=\"step\"><a href=\"#s{at}\">{name}</a></li>"));
        }
        page.push_str(&format!("<li><a href=\"#m{at}\">{}</a></li>", kind(card)));
    }
    page.push_str("</ul></nav>");
}

/// Language, tone and channel.
fn kind(card: &Card) -> String {
    let [_, language, tone, _] = card.names();
    let channel = words::channel(card.made.key.channel);
    escaped(&format!("{language} · {tone} · {channel}"))
}

fn facts(facts: &[(&str, String)], page: &mut String) {
    page.push_str("<dl>");
    for (name, said) in facts {
        page.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", escaped(said)));
    }
    page.push_str("</dl>");
}

fn card(at: usize, card: &Card, preview: &Preview, page: &mut String) {
    let kind = kind(card);
    let language = escaped(&card.made.key.language);
    page.push_str(&format!(
        "<article id=\"m{at}\"><h3>{} · {kind}<span class=\"tag\">sample</span></h3>",
        escaped(card.step.name.as_str())
    ));
    facts(&words::card(card), page);
    let (subject, text, html) = card.parts();
    match (subject, html) {
        (Some(subject), Some(html)) => page.push_str(&format!(
            "<p class=\"subject\" lang=\"{language}\"><span lang=\"en\">Subject:</span> {subject}</p>\
             <div class=\"both\"><div><h4>As most programs show it (links lead nowhere here)</h4>\
             <iframe sandbox title=\"{kind}: {subject}\" \
             style=\"--wide:{wide}px;--narrow:{narrow}px\" srcdoc=\"{html}\"></iframe></div>\
             <div><h4>The same as plain text</h4><pre lang=\"{language}\">{text}</pre></div></div>",
            subject = escaped(subject),
            wide = height(text, 62),
            narrow = height(text, 34),
            html = escaped(html),
            text = escaped(text.trim_end()),
        )),
        _ => {
            let size = words::size(&card.made.content).unwrap_or_default();
            let sender = preview.creditor.sms_sender.as_deref();
            let sender = sender.unwrap_or(&preview.creditor.trading_name);
            page.push_str(&format!(
                "<div class=\"sms\"><div class=\"phone\"><h4>{}</h4>\
                 <p class=\"bubble\" lang=\"{language}\">{}</p></div>\
                 <p class=\"soft\">{}</p></div>",
                escaped(sender),
                escaped(text),
                escaped(&size)
            ));
        }
    }
    page.push_str("<p><a href=\"#top\">Back to the contents</a></p></article>");
}

/// Pixels that an e-mail takes when so many characters fit on a line: without a script a frame
/// cannot grow with what is in it. Rather too much than too little.
fn height(text: &str, columns: usize) -> usize {
    let lines = text.lines().map(|line| match line.chars().count() {
        0 => 16,
        // What a claim is for stands in a narrow column of the table.
        length if line.starts_with("  ") => 24 * length.div_ceil(columns / 2),
        length => 24 * length.div_ceil(columns),
    });
    // Header, button and margins.
    180 + lines.sum::<usize>()
}
