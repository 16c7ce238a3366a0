//! Reminders by others, and what became of messages.

use kulanz_domain::{
    fact::{Fact, Receipt},
    ids::{CreditorId, DebtorId, InvoiceId, NoticeId, StepName},
};

use super::{Data, Translation, of_account};
use crate::{kind::EventType, leaf::*, member::members, personal::Slot, rejection::Fault};

/// Replies that end messages on a channel, compared without case and punctuation.
const STOP_WORDS: [&str; 5] = ["STOP", "STOPP", "STOP ALL", "STOPALL", "UNSUBSCRIBE"];

members! {
    /// The shop or another system reminded the debtor, or a sender took a notice of ours. It
    /// counts towards contact limits and can move claims up the ladder.
    pub struct ReminderSent {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who was reminded.
        debtor: Id<DebtorId>,
        /// Our notice, or the sender's own id.
        notice: Id<NoticeId>,
        /// How.
        channel: ChannelWord,
        /// When it was accepted for delivery.
        at: Moment,
        /// Anything worth keeping. Personal.
        reason: Option<Prose>,
        /// What it was about.
        invoices: Option<Vec<Id<InvoiceId>>>,
        /// The step of the policy that it counts as.
        counts_as: Option<Id<StepName>>,
        /// It was a Mahnung in the sense of § 286 (1) BGB; absent: no.
        starts_default: Option<Flag>,
    }

    /// What became of a message that a gateway had taken.
    pub struct ReminderReceipt {
        /// Who is owed.
        creditor: Id<CreditorId>,
        /// Who was written to.
        debtor: Id<DebtorId>,
        /// Our notice, or the sender's own id.
        notice: Id<NoticeId>,
        /// How it was sent.
        channel: ChannelWord,
        /// When.
        at: Moment,
        /// The gateway's words; in `reminder.answered` the debtor's reply, of which `STOP` ends
        /// messages on this channel. Personal.
        reason: Option<Prose>,
    }
}

impl Data for ReminderSent {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let notice = self.notice.0;
        let mut slot = Slot::default();
        slot.put_some("reason", self.reason.map(|text| text.0));
        slot.seal(|| format!("notice/{notice}/sent"), &mut translation.secrets);
        Ok(Fact::ReminderReported {
            notice,
            channel: self.channel.0,
            at: self.at.0,
            invoices: self.invoices.unwrap_or_default().into_iter().map(|id| id.0).collect(),
            counts_as: self.counts_as.map(|step| step.0),
            starts_default: is_set(self.starts_default),
        })
    }
}

impl Data for ReminderReceipt {
    of_account!();

    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault> {
        let notice = self.notice.0;
        let words = self.reason.map(|text| text.0).unwrap_or_default();
        let (receipt, tail) = match translation.kind {
            EventType::ReminderDelivered => (Receipt::Delivered, "delivered"),
            EventType::ReminderBounced => (Receipt::Bounced, "bounced"),
            EventType::ReminderFailed => (Receipt::Failed, "failed"),
            _ if is_stop(&words) => (Receipt::Stopped, "answer"),
            _ => (Receipt::Answered, "answer"),
        };
        let mut slot = Slot::default();
        slot.put("reason", words);
        slot.seal(|| format!("notice/{notice}/{tail}"), &mut translation.secrets);
        Ok(Fact::NoticeReceipt { notice, channel: self.channel.0, at: self.at.0, receipt })
    }
}

fn is_stop(reply: &str) -> bool {
    let word = reply.trim_matches(|c: char| c.is_whitespace() || ".!\"'".contains(c));
    STOP_WORDS.iter().any(|stop| word.eq_ignore_ascii_case(stop))
}

#[cfg(test)]
mod tests {
    use super::is_stop;

    #[test]
    fn a_reply_stops_messages_only_if_it_is_nothing_but_the_word() {
        for reply in ["STOP", " stop. ", "Stopp!", "stop all"] {
            assert!(is_stop(reply), "{reply:?}");
        }
        for reply in ["", "please don't stop", "stop it, I paid", "no"] {
            assert!(!is_stop(reply), "{reply:?}");
        }
    }
}
