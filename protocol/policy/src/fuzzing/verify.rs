//! The target `verify`: whatever a host shows, and whatever records stand for it, is judged without a
//! fault; a match is one that the octets bear out.

use sha2::{Digest as _, Sha256, Sha512};

use super::Bytes;
use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use crate::verify::dane::authenticate;
use crate::verify::{
    Certificate, CertificateFacts, Matched, Presented, ReferenceNames, VerifyOptions,
};

/// The bytes as a chain of up to four certificates, with records that name some of them.
pub fn verify(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let at = Timestamp(u64::from(bytes.long()) * 1000);
    let plan = [bytes.byte(), bytes.byte(), bytes.byte(), bytes.byte()];
    let mut chain = Vec::new();
    while !bytes.is_empty() && chain.len() < 4 {
        let length = usize::from(bytes.number());
        chain.push(Certificate::from_der(bytes.take(length)));
    }
    for certificate in &chain {
        is_read_within_itself(certificate);
    }
    let records: Vec<TlsaRecord> = plan
        .iter()
        .filter_map(|byte| record(*byte, &chain))
        .collect();
    let rdata: Vec<Vec<u8>> = records.iter().map(TlsaRecord::rdata).collect();
    let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), &TlsaOptions::default());
    let name = DomainName::parse("mx.e.test").ok();
    let names = ReferenceNames::exactly(name);
    let presented = Presented::Chain(chain.clone());
    let judged = authenticate(&presented, &set, &names, at, &VerifyOptions::default());
    let Ok(found) = judged else { return };
    let Matched::Tlsa { record, depth } = found.matched else {
        unreachable!("only records are asked for");
    };
    assert!(set.usable.iter().any(|usable| usable.record == record));
    let holds = |certificate: &Certificate| is_of(&record, certificate);
    match record.usage {
        // RFC 6698, 2.1.1: the leaf, and nothing else.
        3 => assert!(depth == 0 && chain.first().is_some_and(holds)),
        // An issuer that was shown, or that the record itself brings.
        _ => assert!(depth > 0 && (record.matching == 0 || chain.iter().skip(1).any(holds))),
    }
}

/// A key that is found lies inside the certificate, and reading says the same again.
fn is_read_within_itself(certificate: &Certificate) {
    let _ = CertificateFacts::of(certificate);
    if let Some(key) = certificate.public_key() {
        let der = certificate.der();
        assert!(key.len() < der.len());
        assert!(der.windows(key.len()).any(|window| window == key));
        assert_eq!(certificate.selected(1), Some(key));
    }
    assert_eq!(certificate.selected(0), Some(certificate.der()));
    assert_eq!(certificate.selected(2), None);
}

/// A record that names one of the chain, or nobody: usage, selector, matching type and whom from the
/// bits of a byte.
fn record(byte: u8, chain: &[Certificate]) -> Option<TlsaRecord> {
    let usage = if byte & 1 == 0 { 3 } else { 2 };
    let selector = byte >> 1 & 1;
    let matching = (byte >> 2 & 3).min(2);
    let certificate = chain.get(usize::from(byte >> 4 & 3))?;
    let mut record = TlsaRecord::naming(certificate, usage, selector, matching)?;
    if byte & 0x80 != 0 {
        // One bit off: nobody's.
        *record.data.first_mut()? ^= 1;
    }
    Some(record)
}

/// RFC 6698, 2.1, stated a second time.
fn is_of(record: &TlsaRecord, certificate: &Certificate) -> bool {
    let part = match record.selector {
        0 => Some(certificate.der()),
        _ => certificate.public_key(),
    };
    part.is_some_and(|part| match record.matching {
        0 => record.data == part,
        1 => record.data == Sha256::digest(part).to_vec(),
        _ => record.data == Sha512::digest(part).to_vec(),
    })
}
