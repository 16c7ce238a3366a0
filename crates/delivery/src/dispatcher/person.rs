//! Whom a message goes to, and where.

use kulanz_domain::fact::Channel;
use serde_json::Value;

use crate::senders::Recipient;

/// Addresses as sealed in the slot `debtor`. A representative stands in for the debtor.
pub(crate) struct Person {
    pub(crate) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) mobile: Option<String>,
}

impl Person {
    pub(crate) fn of(sealed: Option<&Value>) -> Self {
        let text =
            |from: Option<&Value>, member: &str| Some(from?.get(member)?.as_str()?.to_owned());
        match sealed.and_then(|debtor| debtor.get("represented_by")).filter(|v| v.is_object()) {
            Some(other) => Self {
                name: text(Some(other), "name"),
                email: text(Some(other), "email"),
                mobile: None,
            },
            None => Self {
                name: text(sealed, "name"),
                email: text(sealed, "email"),
                mobile: text(sealed, "mobile"),
            },
        }
    }

    pub(crate) fn recipient(&self, channel: Channel) -> Option<Recipient> {
        match channel {
            Channel::Email => {
                let address = self.email.clone()?;
                Some(Recipient::Email { name: self.name.clone(), address })
            }
            Channel::Sms => self.mobile.clone().map(Recipient::Mobile),
            Channel::Letter => None,
        }
    }
}
