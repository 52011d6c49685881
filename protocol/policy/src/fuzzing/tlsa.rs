//! The target `tlsa`: sets of TLSA records, and which of them can authenticate.

use super::bytes::Bytes;
use crate::tlsa::{TlsaOptions, TlsaRecord, TlsaSet, TlsaUsage, Unusable};

/// The target `tlsa`: options, then records with their lengths in front.
pub fn tlsa(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let switches = bytes.byte();
    let options = TlsaOptions {
        map_pkix_usages: switches & 1 != 0,
        complete_ca_set: switches & 2 != 0,
        trust_anchor_digests: switches & 4 == 0,
    };
    let records = records(&mut bytes);
    for rdata in &records {
        one(rdata);
    }
    for options in [&options, &TlsaOptions::default()] {
        let set = read(&records, options);
        whole(&records, options, &set);
        order_is_of_no_consequence(&records, options, &set);
        neighbours_take_nothing_away(&records, options, &set);
    }
}

/// Records with two octets of length in front, as they stand in the bytes.
pub(super) fn records(bytes: &mut Bytes<'_>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() && records.len() < 64 {
        let length = usize::from(bytes.number());
        records.push(bytes.take(length).to_vec());
    }
    records
}

fn read(records: &[Vec<u8>], options: &TlsaOptions) -> TlsaSet {
    TlsaSet::read(records.iter().map(Vec::as_slice), options)
}

/// RFC 6698, 2.1: three octets and data; its words are those of the zone file.
fn one(rdata: &[u8]) {
    let record = TlsaRecord::from_rdata(rdata);
    assert_eq!(record.is_ok(), rdata.len() >= 4, "{rdata:?}");
    let Ok(record) = record else { return };
    let fields = [record.usage, record.selector, record.matching];
    assert_eq!([&fields[..], &record.data].concat(), rdata);
    let words = record.to_string();
    let mut words = words.split(' ');
    for field in fields {
        assert_eq!(words.next(), Some(&*field.to_string()));
    }
    let digits = words.next().unwrap_or_default().as_bytes();
    let octets = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(pair, 16).ok()
    });
    assert_eq!(octets.collect::<Option<Vec<u8>>>(), Some(record.data));
    assert_eq!(words.next(), None);
}

/// TU-04, TU-06: each record is on one side, for a reason that is its own.
fn whole(records: &[Vec<u8>], options: &TlsaOptions, set: &TlsaSet) {
    let usable = set.usable.iter().map(|usable| {
        let TlsaRecord {
            usage,
            selector,
            matching,
            data,
        } = &usable.record;
        [&[*usage, *selector, *matching][..], data].concat()
    });
    let unusable = set.unusable.iter().map(|(rdata, _)| rdata.clone());
    let mut sorted: Vec<Vec<u8>> = usable.chain(unusable).collect();
    let mut given = records.to_vec();
    sorted.sort();
    given.sort();
    given.dedup();
    assert_eq!(sorted, given, "a record is lost, or counted twice");
    for usable in &set.usable {
        let judged = judge(&usable.record, options);
        assert_eq!(judged, Ok(Some(usable.usage)), "{}", usable.record);
    }
    for (rdata, why) in &set.unusable {
        match TlsaRecord::from_rdata(rdata) {
            Err(_) => assert_eq!(*why, Unusable::Rdata),
            Ok(record) => match judge(&record, options) {
                Err(reason) => assert_eq!(*why, reason, "{record}"),
                // Only the parser can tell full data from garbage.
                Ok(_) => assert!(
                    record.matching == 0
                        && match why {
                            Unusable::Certificate => record.selector == 0,
                            Unusable::PublicKey => record.selector == 1,
                            _ => false,
                        },
                    "{record}: {why}"
                ),
            },
        }
    }
    assert_eq!(set.is_usable(), !set.usable.is_empty());
    let end_entities = set
        .usable
        .iter()
        .filter(|usable| matches!(usable.record.usage, 1 | 3));
    assert_eq!(set.has_end_entity(), end_entities.count() > 0);
}

/// TU-01 to TU-05, TU-08, stated anew: what a record with these three numbers and so much data can be.
fn judge(record: &TlsaRecord, options: &TlsaOptions) -> Result<Option<TlsaUsage>, Unusable> {
    let digest = record.matching != 0;
    let usage = match (record.usage, options.map_pkix_usages) {
        (3, _) | (1, true) => TlsaUsage::EndEntity,
        (2, _) => TlsaUsage::TrustAnchor,
        (0, true) if !digest || options.complete_ca_set => TlsaUsage::TrustAnchor,
        _ => return Err(Unusable::Usage),
    };
    if !matches!(record.selector, 0 | 1) {
        return Err(Unusable::Selector);
    }
    let length = match record.matching {
        0 => None,
        1 => Some(32),
        2 => Some(64),
        _ => return Err(Unusable::MatchingType),
    };
    if length.is_some_and(|length| length != record.data.len()) {
        return Err(Unusable::DigestLength);
    }
    if digest && usage == TlsaUsage::TrustAnchor && !options.trust_anchor_digests {
        return Err(Unusable::SwitchedOff);
    }
    Ok(Some(usage))
}

/// PD-14: the same records in another order, or twice, are the same set.
fn order_is_of_no_consequence(records: &[Vec<u8>], options: &TlsaOptions, set: &TlsaSet) {
    let turned: Vec<Vec<u8>> = records.iter().rev().chain(records).cloned().collect();
    assert_eq!(read(&turned, options), *set);
}

/// TU-04, TU-10: whether a record is usable is its own matter, and one is enough.
fn neighbours_take_nothing_away(records: &[Vec<u8>], options: &TlsaOptions, set: &TlsaSet) {
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    for rdata in records {
        let alone = read(std::slice::from_ref(rdata), options);
        assert_eq!(alone.usable.len() + alone.unusable.len(), 1);
        usable.extend(alone.usable);
        unusable.extend(alone.unusable);
    }
    usable.sort();
    usable.dedup();
    unusable.sort();
    unusable.dedup();
    assert_eq!((&usable, &unusable), (&set.usable, &set.unusable));
}
