//! Digest agility (RFC 7671, 9): whoever publishes a strong digest means it to count, and nobody may
//! fall back to the weak one beside it.

use super::UsableRecord;

/// The records that count: within one pair of usage and selector those whose digest is the strongest
/// that stands there, and all full data (CM-22, CM-23). What is unusable takes no part (CM-24).
///
/// `order` lists matching types, strongest first; one that it leaves out counts as the weakest.
#[must_use]
pub fn strongest<'a>(usable: &'a [UsableRecord], order: &[u8]) -> Vec<&'a UsableRecord> {
    let counts = |record: &&UsableRecord| {
        let beside = usable.iter().filter(|other| {
            other.usage == record.usage
                && other.record.selector == record.record.selector
                && other.record.matching != FULL
        });
        let strength = |record: &UsableRecord| {
            let matching = record.record.matching;
            let place = order.iter().position(|own| *own == matching);
            place.unwrap_or(order.len())
        };
        record.record.matching == FULL
            || beside
                .map(strength)
                .min()
                .is_none_or(|best| strength(record) <= best)
    };
    usable.iter().filter(counts).collect()
}

/// Matching type 0: full data, which is no digest (RFC 6698, 2.1.3).
const FULL: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlsa::{TlsaRecord, TlsaUsage};

    fn usable(fields: &[(TlsaUsage, u8, u8)]) -> Vec<UsableRecord> {
        let record = |(at, (usage, selector, matching)): (usize, &(TlsaUsage, u8, u8))| {
            let number = if *usage == TlsaUsage::EndEntity { 3 } else { 2 };
            UsableRecord {
                usage: *usage,
                record: TlsaRecord {
                    usage: number,
                    selector: *selector,
                    matching: *matching,
                    data: vec![u8::try_from(at).unwrap_or(0)],
                },
            }
        };
        fields.iter().enumerate().map(record).collect()
    }

    fn left(fields: &[(TlsaUsage, u8, u8)], order: &[u8]) -> Vec<u8> {
        let usable = usable(fields);
        let left = strongest(&usable, order);
        left.iter()
            .filter_map(|record| record.record.data.first().copied())
            .collect()
    }

    /// CM-22, CM-23: the strongest digest of a pair silences the weaker ones of that pair, and nothing
    /// else: neither another selector, nor another usage, nor full data.
    #[test]
    fn within_one_pair() {
        use TlsaUsage::{EndEntity as Ee, TrustAnchor as Ta};
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 1, 1)], &[2, 1]), [0]);
        assert_eq!(left(&[(Ee, 1, 1), (Ee, 1, 1)], &[2, 1]), [0, 1]);
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 0, 1)], &[2, 1]), [0, 1]);
        assert_eq!(left(&[(Ta, 1, 2), (Ee, 1, 1)], &[2, 1]), [0, 1]);
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 1, 0)], &[2, 1]), [0, 1]);
        assert_eq!(left(&[(Ee, 1, 0)], &[2, 1]), [0]);
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 1, 1), (Ee, 1, 0)], &[2, 1]), [0, 2]);
    }

    /// CM-25: the operator's order decides.
    #[test]
    fn the_order_is_the_operators() {
        use TlsaUsage::EndEntity as Ee;
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 1, 1)], &[1, 2]), [1]);
        assert_eq!(left(&[(Ee, 1, 2), (Ee, 1, 1)], &[1]), [1]);
        assert_eq!(left(&[(Ee, 1, 2)], &[1]), [0]);
    }
}
