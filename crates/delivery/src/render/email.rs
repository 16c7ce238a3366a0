//! From the rendered lines of an e-mail or letter to its text part and its HTML part.
//!
//! The HTML is a layout of our own: style attributes only, nothing loaded from anywhere, no
//! images, colours left to the reader's light or dark mode except for the header. Whatever came
//! from a template or a value is escaped.

use std::{borrow::Cow, fmt::Write};

use super::{
    context::{ClaimVariables, Colour, Variables},
    locale::Style,
};

/// Begin and end of a marker in a prepared source; values never contain it.
pub(super) const MARK: char = '\u{E000}';
const CLAIMS: &str = "\u{E000}claims\u{E000}";
const PAY: &str = "\u{E000}pay\u{E000}";

/// Subject and both parts.
pub(super) struct Parts {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What of the frame is not in the text.
pub(super) struct Frame<'a> {
    pub(super) language: &'a str,
    pub(super) creditor: String,
    pub(super) imprint: Option<String>,
    pub(super) colour: Colour,
}

/// Makes the markers of a source unmistakable, so that no value can pose as one; line by line,
/// so that line numbers stay. Problems as (line, sentence).
pub(super) fn prepare(source: &str) -> (String, Vec<(usize, String)>) {
    let mut found = Vec::new();
    let mut lines = source.lines();
    match lines.next().map(|first| first.strip_prefix("Subject:").map(str::trim)) {
        Some(Some("")) => found.push((1, "the subject is empty".to_owned())),
        Some(Some(_)) => {}
        _ => found.push((1, "the first line must read `Subject: …`".to_owned())),
    }
    if lines.next().is_some_and(|second| !second.trim().is_empty()) {
        found.push((2, "a blank line must follow the subject".to_owned()));
    }
    if lines.all(|line| line.trim().is_empty()) {
        found.push((1, "there is no text below the subject".to_owned()));
    }
    let mut prepared = String::with_capacity(source.len());
    for (at, line) in source.lines().enumerate() {
        match line.trim() {
            "[[claims]]" => prepared.push_str(CLAIMS),
            "[[pay]]" => prepared.push_str(PAY),
            other if other.contains("[[") => {
                found.push((
                    at + 1,
                    "`[[claims]]` and `[[pay]]` are the only markers, each on a line of its own"
                        .to_owned(),
                ));
            }
            _ if line.contains(MARK) => {
                found.push((at + 1, "a character of the private use area".to_owned()));
            }
            _ => prepared.push_str(line),
        }
        prepared.push('\n');
    }
    (prepared, found)
}

/// A piece of a message, as its lines.
#[derive(Debug, PartialEq)]
enum Block<'a> {
    Paragraph(Vec<&'a str>),
    Bullets(Vec<&'a str>),
    Claims,
    Pay,
}

fn blocks(body: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut fresh = true;
    for line in body.lines().map(str::trim) {
        let bullet = line.strip_prefix("- ").map(str::trim);
        match (line, bullet) {
            ("", _) => {}
            (CLAIMS, _) => blocks.push(Block::Claims),
            (PAY, _) => blocks.push(Block::Pay),
            (_, Some(item)) => match blocks.last_mut() {
                Some(Block::Bullets(items)) if !fresh => items.push(item),
                _ => blocks.push(Block::Bullets(vec![item])),
            },
            (_, None) => match blocks.last_mut() {
                Some(Block::Paragraph(lines)) if !fresh => lines.push(line),
                _ => blocks.push(Block::Paragraph(vec![line])),
            },
        }
        fresh = line.is_empty();
    }
    blocks
}

/// Both parts of a message from its rendered source.
pub(super) fn parts(rendered: &str, values: &Variables, frame: &Frame<'_>) -> Parts {
    let (first, body) = rendered.split_once('\n').unwrap_or((rendered, ""));
    let subject = first.strip_prefix("Subject:").unwrap_or(first);
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let blocks = blocks(body);
    let style = Style::of(frame.language);
    let mut text = text(&blocks, values, style);
    if let Some(imprint) = &frame.imprint {
        // The customary mark of what is no part of the letter itself.
        text.push_str(&format!("\n-- \n{imprint}\n"));
    }
    let html = html(&blocks, values, style, frame, &subject);
    Parts { subject, text, html }
}

fn text(blocks: &[Block<'_>], values: &Variables, style: Style) -> String {
    let mut shown: Vec<String> = Vec::with_capacity(blocks.len());
    for block in blocks {
        shown.push(match block {
            Block::Paragraph(lines) => lines.join("\n"),
            Block::Bullets(items) => {
                items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n")
            }
            Block::Claims => claims_text(values, style),
            Block::Pay => values.link.clone(),
        });
    }
    let mut text = shown.join("\n\n");
    text.push('\n');
    text
}

/// Most claims that a message lists: the debtor's page has them all.
const LISTED: usize = 50;

/// The claims that are listed, and the sentence about those that are not.
fn listed(values: &Variables, style: Style) -> (&[ClaimVariables], Option<String>) {
    let claims = values.claims.get(..LISTED).unwrap_or(&values.claims);
    let rest = values.claims.len() - claims.len();
    let [before, after] = style.words().more;
    (claims, (rest > 0).then(|| format!("{before} {rest} {after}")))
}

/// The claims in columns: number, day due, amount to the right; the description below.
fn claims_text(values: &Variables, style: Style) -> String {
    let words = style.words();
    let (claims, more) = listed(values, style);
    let mut rows = vec![[words.invoice, words.due, words.amount]];
    rows.extend(claims.iter().map(|c| [&*c.invoice, &*c.due_on, &*c.amount]));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let [first, second, third] = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut lines = Vec::with_capacity(rows.len() * 2);
    for (at, [invoice, due, amount]) in rows.iter().enumerate() {
        lines.push(format!("{invoice:<first$}  {due:<second$}  {amount:>third$}"));
        let described = at.checked_sub(1).and_then(|at| claims.get(at));
        if let Some(claim) = described.filter(|claim| !claim.description.is_empty()) {
            lines.push(format!("  {}", claim.description));
        }
    }
    lines.extend(more);
    lines.join("\n")
}

const FONT: &str = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif";

fn html(
    blocks: &[Block<'_>],
    values: &Variables,
    style: Style,
    frame: &Frame<'_>,
    subject: &str,
) -> String {
    let link = escape(&values.link);
    // Writing to a String cannot fail.
    let mut html = String::with_capacity(4096);
    let (colour, on_colour) = (frame.colour, frame.colour.text());
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"{language}\" style=\"color-scheme:light dark\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
         <title>{subject}</title>\n</head>\n\
         <body style=\"margin:0;padding:0;{FONT};font-size:16px;line-height:1.5\">\n\
         <div style=\"max-width:600px;margin:0 auto\">\n\
         <div style=\"background-color:{colour};color:{on_colour};padding:16px;font-size:18px;\
         font-weight:600;overflow-wrap:anywhere\">{creditor}</div>\n\
         <div style=\"padding:20px 16px;overflow-wrap:anywhere\">\n",
        language = escape(frame.language),
        subject = escape(subject),
        creditor = escape(&frame.creditor),
    );
    for block in blocks {
        match block {
            Block::Paragraph(lines) => {
                html.push_str("<p style=\"margin:0 0 16px\">");
                for (at, line) in lines.iter().enumerate() {
                    html.push_str(if at > 0 { "<br>\n" } else { "" });
                    html.push_str(&linked(line, &link));
                }
                html.push_str("</p>\n");
            }
            Block::Bullets(items) => {
                html.push_str("<ul style=\"margin:0 0 16px;padding-left:20px\">\n");
                for item in items {
                    let _ = writeln!(html, "<li>{}</li>", linked(item, &link));
                }
                html.push_str("</ul>\n");
            }
            Block::Claims => html.push_str(&claims_html(values, style)),
            Block::Pay => html.push_str(&pay_html(&link, style, frame.colour)),
        }
    }
    if let Some(imprint) = &frame.imprint {
        let _ = writeln!(
            html,
            "<p style=\"margin:24px 0 0;padding-top:12px;border-top:1px solid #888;\
             font-size:13px\">{}</p>",
            escape(imprint)
        );
    }
    html.push_str("</div>\n</div>\n</body>\n</html>\n");
    html
}

fn claims_html(values: &Variables, style: Style) -> String {
    let words = style.words();
    let head = "padding:6px 8px 6px 0;text-align:left;border-bottom:1px solid #888";
    let cell = "padding:6px 8px 6px 0;text-align:left;vertical-align:top;\
                border-bottom:1px solid #888";
    let sum = "padding:6px 0;text-align:right;vertical-align:top;white-space:nowrap;\
               border-bottom:1px solid #888";
    let mut rows = String::new();
    let (claims, more) = listed(values, style);
    for claim in claims {
        let mut what = escape(&claim.invoice).into_owned();
        if !claim.description.is_empty() {
            what.push_str("<br><span style=\"font-size:14px\">");
            what.push_str(&escape(&claim.description));
            what.push_str("</span>");
        }
        let (due, amount) = (escape(&claim.due_on), escape(&claim.amount));
        let _ = writeln!(
            rows,
            "<tr><td style=\"{cell}\">{what}</td><td style=\"{cell}\">{due}</td>\
             <td style=\"{sum}\">{amount}</td></tr>"
        );
    }
    if let Some(more) = more {
        let _ = writeln!(rows, "<tr><td colspan=\"3\" style=\"{cell}\">{more}</td></tr>");
    }
    format!(
        "<table style=\"width:100%;border-collapse:collapse;margin:0 0 16px;font-size:15px\">\n\
         <thead><tr><th scope=\"col\" style=\"{head}\">{}</th>\
         <th scope=\"col\" style=\"{head}\">{}</th>\
         <th scope=\"col\" style=\"{sum}\">{}</th></tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table>\n",
        words.invoice, words.due, words.amount
    )
}

fn pay_html(link: &str, style: Style, colour: Colour) -> String {
    format!(
        "<p style=\"margin:8px 0 24px\"><a href=\"{link}\" style=\"display:inline-block;\
         background-color:{colour};color:{};padding:12px 24px;border-radius:6px;\
         text-decoration:none;font-weight:600\">{}</a></p>\n",
        colour.text(),
        style.words().pay
    )
}

/// An escaped line in which the debtor's own link can be followed. Only that one: nothing else in
/// a value becomes a link.
fn linked<'l>(line: &'l str, link: &str) -> Cow<'l, str> {
    let escaped = escape(line);
    match !link.is_empty() && escaped.contains("://") {
        true => escaped.replace(link, &format!("<a href=\"{link}\">{link}</a>")).into(),
        false => escaped,
    }
}

/// For element content and quoted attributes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let syntax = |byte: u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
    if !text.bytes().any(syntax) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(syntax) {
        safe.push_str(&rest[..at]);
        safe.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &rest[at + 1..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_begins_with_a_subject_and_a_blank_line() {
        let lines = |source| prepare(source).1.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(lines("Subject: a\n\nb\n[[pay]]\n"), [0_usize; 0]);
        assert_eq!(lines("Betreff: a\n\nb"), [1]);
        assert_eq!(lines("Subject: a\nb\nc"), [2]);
        assert_eq!(lines("Subject: \n\n"), [1, 1]);
        assert_eq!(lines("Subject: a\n\nx [[pay]]\n[[chart]]"), [3, 4]);
    }

    #[test]
    fn lines_become_paragraphs_bullets_and_markers() {
        let (body, found) = prepare("Subject: s\n\na\nb\n- x\n- y\n\n- z\n[[pay]]\nc\n");
        assert_eq!(found, []);
        let body = body.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
        assert_eq!(
            blocks(body),
            [
                Block::Paragraph(vec!["a", "b"]),
                Block::Bullets(vec!["x", "y"]),
                Block::Bullets(vec!["z"]),
                Block::Pay,
                Block::Paragraph(vec!["c"]),
            ]
        );
    }
}
