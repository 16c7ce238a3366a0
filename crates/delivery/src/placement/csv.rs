//! `claims.csv`: a line a claim, for people and spreadsheets.
//!
//! UTF-8, semicolons, a header, decimal points, lines ended by CR LF, quoted as in RFC 4180. A cell
//! that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, their full-width
//! forms, a tab or a line end), or that begins with an apostrophe, gets an apostrophe in front: a
//! program that reads the file takes one leading apostrophe off. `claims.json` has each value as
//! it is.

use super::document::{ClaimEntry, PlacementData};

/// Columns in their order.
pub(super) const HEADER: [&str; 48] = [
    "placement",
    "creditor",
    "creditor_name",
    "agency",
    "debtor",
    "debtor_kind",
    "debtor_name",
    "street",
    "postcode",
    "city",
    "country",
    "address_researched",
    "represented_by",
    "email",
    "mobile",
    "birth_date",
    "invoice",
    "issued_on",
    "due_on",
    "contract_on",
    "contract_object",
    "description",
    "document_url",
    "currency",
    "principal",
    "credited",
    "remitted",
    "waived",
    "written_off",
    "paid_principal",
    "paid_fees",
    "paid_interest",
    "fees_charged",
    "interest_charged",
    "open_principal",
    "open_fees",
    "interest",
    "interest_from",
    "interest_until",
    "interest_rate_percent",
    "open_total",
    "default_from",
    "default_ground",
    "notices",
    "last_notice_on",
    "disputed",
    "disputes",
    "credit_bureau_notice_given",
];

/// The whole file.
pub(super) fn text(data: &PlacementData) -> String {
    let mut text = String::new();
    line(&mut text, &HEADER.map(str::to_owned));
    for claim in &data.claims {
        line(&mut text, &cells(data, claim));
    }
    text
}

fn cells(data: &PlacementData, claim: &ClaimEntry) -> [String; 48] {
    let (creditor, debtor) = (&data.creditor, &data.debtor);
    let representative = debtor.represented_by.as_ref();
    let theirs = representative.and_then(|other| other.address.as_ref());
    let address = debtor.address.as_ref().or(theirs);
    let of = |part: fn(&super::document::PostalAddress) -> &String| {
        address.map(|address| part(address).clone()).unwrap_or_default()
    };
    let default = claim.default.as_ref();
    [
        data.placement.to_string(),
        creditor.id.to_string(),
        creditor.legal_name.clone(),
        data.agency.to_string(),
        debtor.id.to_string(),
        debtor.kind.name().to_owned(),
        debtor.name.clone(),
        of(|address| &address.street),
        of(|address| &address.postcode),
        of(|address| &address.city),
        debtor.country.clone(),
        debtor.address_researched.to_string(),
        representative.map(|other| other.name.clone()).unwrap_or_default(),
        debtor.email.clone().unwrap_or_default(),
        debtor.mobile.clone().unwrap_or_default(),
        debtor.birth_date.clone().unwrap_or_default(),
        claim.invoice.to_string(),
        claim.issued_on.to_string(),
        claim.due_on.to_string(),
        claim.contract_on.to_string(),
        claim.contract_object.clone(),
        claim.description.clone().unwrap_or_default(),
        claim.document_url.clone().unwrap_or_default(),
        claim.currency.code().to_owned(),
        claim.principal.to_string(),
        claim.credited.to_string(),
        claim.remitted.to_string(),
        claim.waived.to_string(),
        claim.written_off.to_string(),
        claim.paid_principal.to_string(),
        claim.paid_fees.to_string(),
        claim.paid_interest.to_string(),
        claim.fees_charged.to_string(),
        claim.interest_charged.to_string(),
        claim.open_principal.to_string(),
        claim.open_fees.to_string(),
        claim.interest.amount.to_string(),
        claim.interest.from.map(|day| day.to_string()).unwrap_or_default(),
        claim.interest.until.map(|day| day.to_string()).unwrap_or_default(),
        claim.interest.rate_percent.clone().unwrap_or_default(),
        claim.open_total.to_string(),
        default.map(|default| default.from.to_string()).unwrap_or_default(),
        default.map(|default| default.ground.name().to_owned()).unwrap_or_default(),
        claim.notices.len().to_string(),
        claim.notices.last().map(|notice| notice.on.to_string()).unwrap_or_default(),
        claim.disputed.to_string(),
        claim.disputes.len().to_string(),
        claim.credit_bureau_notice_given.to_string(),
    ]
}

fn line(text: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            text.push(';');
        }
        write_cell(text, cell);
    }
    text.push_str("\r\n");
}

fn write_cell(text: &mut String, cell: &str) {
    let guarded = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n', '\''];
    let guard = if cell.starts_with(guarded) { "'" } else { "" };
    if cell.contains([';', '"', '\r', '\n']) {
        text.push('"');
        text.push_str(guard);
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(guard);
        text.push_str(cell);
    }
}
