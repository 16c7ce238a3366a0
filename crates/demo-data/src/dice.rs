//! Chance that repeats: a small seeded generator (SplitMix64), so that one seed gives one shop on
//! every machine. It is not fit for secrets.

/// A stream of numbers that depends on a seed and a topic alone.
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of `topic`. Streams of different topics do not disturb each other, so that one
    /// more throw for one debtor leaves all others as they were.
    pub(crate) fn of(seed: u64, topic: &str) -> Self {
        let topic = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut dice = Self(seed ^ topic.rotate_left(17));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound - 1`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The upper half of a product of 32 bits: always below `bound`.
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Whether something with this chance in a hundred happens.
    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// One of `choices`, each as likely as the other.
    pub(crate) fn pick<'a, T, const N: usize>(&mut self, choices: &'a [T; N]) -> &'a T {
        &choices[self.below(N as u32) as usize]
    }

    /// Puts `list` into a new order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last as u32 + 1) as usize;
            list.swap(last, other);
        }
    }
}
