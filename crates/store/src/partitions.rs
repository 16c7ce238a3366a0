//! Which part of the accounts an instance works on by itself.

use jiff::Timestamp;

/// A set of partitions, of 64 that there are. Whose they are is an optimisation: it keeps instances
/// from deciding the same at the same time, and never allows or forbids anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partitions(u64);

impl Partitions {
    /// All of them: what an instance has that is alone.
    pub const ALL: Self = Self(u64::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether `partition` is one of them.
    pub const fn contains(self, partition: u16) -> bool {
        partition < 64 && self.0 & (1 << partition) != 0
    }

    /// Those that are not in this set.
    pub const fn others(self) -> Self {
        Self(!self.0)
    }

    /// Their numbers, rising.
    pub fn numbers(self) -> impl Iterator<Item = u16> {
        (0..64).filter(move |partition| self.contains(*partition))
    }
}

/// Numbers beyond 63 name no partition and are left out.
impl FromIterator<u16> for Partitions {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let known = numbers.into_iter().filter(|partition| *partition < 64);
        Self(known.fold(0, |set, partition| set | 1 << partition))
    }
}

/// The wake-ups that an instance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Those of these partitions.
    pub own: Partitions,
    /// Those of all others that are at this moment or before: nobody seems to take them.
    pub overdue: Timestamp,
}

impl Share {
    /// All that is due.
    pub const ALL: Self = Self { own: Partitions::ALL, overdue: Timestamp::MIN };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_the_others_are_the_rest() {
        let set: Partitions = [0, 7, 63, 64, 700].into_iter().collect();
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 7, 63]);
        assert!(!set.contains(64) && !set.contains(1) && set.contains(63));
        assert_eq!(set.others().numbers().count(), 61);
        assert_eq!(Partitions::ALL.others(), Partitions::NONE);
        assert_eq!(Partitions::ALL.numbers().count(), 64);
    }
}
