//! The metrics that there are: names, which say their units, and meaning.

use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};

/// One metric.
#[derive(Debug)]
pub struct Measure {
    /// As the other crates write it and Prometheus shows it (counters get `_total`); its unit last.
    pub name: &'static str,
    /// What it counts, in one line, with its labels.
    pub about: &'static str,
    /// Upper bounds where it is a histogram.
    pub bounds: &'static [f64],
}

const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const LATE: &[f64] = &[0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0];
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

const fn counted(name: &'static str, about: &'static str) -> Measure {
    Measure { name, about, bounds: &[] }
}

/// All of them.
pub const MEASURES: &[Measure] = &[
    counted("kulanz_events", "Inbound events by origin and status: accepted, duplicate, rejected"),
    counted("kulanz_decisions", "Accounts that were decided upon"),
    counted("kulanz_appends", "Appends by outcome: committed, conflict, recorded before, failed"),
    Measure { name: "kulanz_batch_appends", about: "Appends in a batch", bounds: SIZES },
    Measure {
        name: "kulanz_commit_seconds",
        about: "Time to make a batch durable",
        bounds: SECONDS,
    },
    Measure {
        name: "kulanz_wake_up_late_seconds",
        about: "How long after its moment a wake-up was taken",
        bounds: LATE,
    },
    counted(
        "kulanz_messages",
        "Messages by channel and end: sent, suppressed, later, again, bounced, parked, unknown, \
         overtaken",
    ),
    Measure {
        name: "kulanz_send_seconds",
        about: "Time that a gateway took to answer, by channel",
        bounds: SECONDS,
    },
    counted("kulanz_gateway_pauses", "Times that a gateway took nothing and was left alone"),
    counted("kulanz_smtp_connections", "Connections to the mail server that were opened"),
    counted("kulanz_panics", "Things that made the program panic and were put aside, by part"),
    counted("kulanz_stuck_messages", "Messages parked or of unknown outcome now (at most 10,000)"),
    counted("kulanz_dead_letters_open", "Dead letters that wait for a person (at most 10,000)"),
    counted("kulanz_work_items", "Items that wait for a person, by list (at most 10,000)"),
    counted("kulanz_webhook_parked", "1: nothing is sent to the webhook until a person says so"),
    counted(
        "kulanz_webhook_failing_seconds",
        "How long the webhook has not taken what it was sent; 0: it is well",
    ),
    counted("kulanz_webhook_behind_events", "Events that the webhook is behind the newest"),
    counted("kulanz_position", "Position of the newest event"),
    Measure {
        name: "kulanz_oldest_wake_up_seconds",
        about: "How long the earliest wake-up has been due; 0: none is",
        bounds: &[],
    },
    counted("kulanz_store_up", "1: the store answers"),
];

/// Description, unit and bounds of a metric that is in the list.
pub fn described(instrument: &Instrument) -> Option<Stream> {
    let measure = MEASURES.iter().find(|one| one.name == instrument.name())?;
    let mut stream = Stream::builder().with_description(measure.about);
    if !measure.bounds.is_empty() {
        stream = stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
            boundaries: measure.bounds.to_vec(),
            record_min_max: false,
        });
    }
    stream.build().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_metric_is_in_the_guide() {
        let guide = include_str!("../../../../docs/operations.md");
        for measure in super::MEASURES {
            let told = guide.contains(&format!("`{}`", measure.name))
                || guide.contains(&format!("`{}_total`", measure.name));
            assert!(told, "{}", measure.name);
        }
    }
}
