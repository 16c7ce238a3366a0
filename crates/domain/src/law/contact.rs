//! How often and when a debtor may be contacted, whatever a policy says.

use crate::{
    contact::{Preset, preset},
    policy::Law,
};

/// The limits of a law: Monday to Friday 8 to 20, Saturday 9 to 18 in the debtor's own zone, three
/// contacts in seven days. None of the three sets hours: these keep clear of what is unreasonable
/// (Germany UWG §§ 4a, 7; Austria § 1a UWG; Switzerland Art. 28 ZGB) [M]. `None` where no law of ours
/// applies: then the policy's preset holds.
pub fn contact_limits(law: Law) -> Option<Preset> {
    match law {
        Law::De => preset("de"),
        Law::At => preset("at"),
        Law::Ch => preset("ch"),
        Law::None => None,
    }
}
