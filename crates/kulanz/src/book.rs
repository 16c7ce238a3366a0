//! `kulanz book`: the live book's totals, with the same members as a back-test's.

use anyhow::Result;
use jiff::civil::Date;
use kulanz_engine::{backtest::Summary, replay};
use kulanz_store::Store;

/// Totals of all accounts, with interest up to `on`.
pub async fn totals(store: &dyn Store, on: Date) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut after = None;
    loop {
        let page = store.accounts(None, after, 1000).await?;
        let heads = store.heads(page.clone()).await?;
        for (id, head) in page.iter().zip(heads) {
            if let Some(head) = head {
                summary.add(id, &replay(&head)?, on);
            }
        }
        after = page.last().cloned();
        if after.is_none() {
            break;
        }
    }
    summary.events = store.recorded_count().await?;
    Ok(summary)
}

/// Prints totals for people.
pub fn print(summary: &Summary) {
    println!(
        "{} events, {} accounts, {} claims; {} placements, {} handoffs that lack a field",
        summary.events, summary.accounts, summary.claims, summary.placements, summary.handoffs_due
    );
    for (code, totals) in &summary.currencies {
        println!("\n  {code}");
        for (name, amount) in [
            ("principal", totals.principal),
            ("paid", totals.paid),
            ("credited", totals.credited),
            ("unallocated", totals.unallocated),
            ("outstanding", totals.outstanding),
            ("fees", totals.fees),
            ("interest", totals.interest),
        ] {
            println!("    {name:<12} {:>16}", amount.to_string());
        }
    }
}
