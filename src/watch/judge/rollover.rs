//! TLSA records over time: what matches nothing, and what the next certificate will not match (RFC 7671, 8.1).

use std::time::Duration;

use hoplock_policy::name::{DomainName, TlsaBaseDomain};
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet, TlsaUsage};
use hoplock_policy::verify::{Certificate, CertificateFacts};

use super::tlsa::{compare, record_of, short};
use super::{Bar, Finding, Kind, Notes, Seen, Severity, day, seconds, span};

/// The records of one host against all that it shows.
/// `chains` are those that the host showed, all of which the records take.
pub(super) fn judge(
    notes: &mut Notes,
    host: &DomainName,
    (base, set): (&TlsaBaseDomain, &TlsaSet),
    chains: &[&[Certificate]],
    seen: &Seen,
    bar: &Bar<'_>,
) {
    let matches = |record: &TlsaRecord| {
        chains.iter().any(|chain| {
            // A trust anchor is somewhere in the chain; a record for the end entity names the leaf.
            let looked_at = if record.usage == 3 { 1 } else { chain.len() };
            chain.iter().take(looked_at).any(|certificate| {
                let own =
                    TlsaRecord::naming(certificate, record.usage, record.selector, record.matching);
                own.as_ref() == Some(record)
            })
        })
    };
    let (used, stale): (Vec<_>, Vec<_>) = set.usable.iter().partition(|own| matches(&own.record));
    if !stale.is_empty() {
        let listed: Vec<String> = stale.iter().map(|own| short(&own.record)).collect();
        let finding = Finding::new(
            Kind::TlsaStale,
            Severity::Note,
            format!(
                "TLSA records of {host} that match nothing that it shows: {}",
                listed.join(", ")
            ),
            "it is normal while a key is being changed",
            "if no change is under way, take them out: whoever has their key is taken for the host",
        );
        notes.find(finding.of(host));
        // The next key may be among them.
        return;
    }
    if used.iter().any(|own| own.usage == TlsaUsage::TrustAnchor) {
        return;
    }
    let whole = used.iter().all(|own| own.record.selector == 0);
    let ends = chains
        .iter()
        .filter_map(|chain| CertificateFacts::of(chain.first()?))
        .min_by_key(|facts| facts.not_after);
    let (Some(facts), Some(chain)) = (ends, chains.first()) else {
        return;
    };
    let left = facts.not_after.saturating_sub(seconds(seen.time));
    let before = i64::try_from(bar.before.as_secs()).unwrap_or(i64::MAX);
    // Timers renew when a third of the time is left: what is to be published must be there before.
    let half = facts.not_after.saturating_sub(facts.not_before) / 2;
    let renewal = half.min(i64::try_from(EARLIEST.as_secs()).unwrap_or(i64::MAX));
    if left >= renewal.max(before) {
        return;
    }
    // A record for the key outlives a renewal that keeps the key; one for the certificate outlives none.
    let severity = match whole || left < before {
        true => Severity::Warning,
        false => Severity::Note,
    };
    let cause = match whole {
        true => {
            "each record names the certificate itself, so that any other one, with the same key too, \
                 is refused"
        }
        false => {
            "each record names the key in use, so that a certificate with a new key is refused"
        }
    };
    let finding = Finding::new(
        Kind::TlsaRollover,
        severity,
        format!(
            "the certificate of {host} ends on {} (in {}), and nothing is published for the next one",
            day(facts.not_after),
            span(left)
        ),
        cause,
        next_record(base, chain, whole, seen),
    );
    notes.find(finding.of(host));
}

/// What to publish before the renewal (RFC 7671, 8.1).
fn next_record(base: &TlsaBaseDomain, chain: &[Certificate], whole: bool, seen: &Seen) -> String {
    let mut ways = Vec::new();
    match record_of(base, chain, 3).filter(|_| whole) {
        Some(record) => ways.push(format!("add {record} and renew with the same key")),
        None => ways.push("renew with the same key (certbot: --reuse-key)".to_owned()),
    }
    ways.push(
        "or make the new key two TTLs before it is used, and add its record beside: hoplock tlsa NEW.pem"
            .to_owned(),
    );
    let anchored = chain
        .get(1)
        .and_then(|issuer| TlsaRecord::naming(issuer, 2, 1, 1))
        .map(|record| TlsaSet::read([record.rdata().as_slice()], &TlsaOptions::default()))
        .is_some_and(|set| compare(chain, base, &set, seen).is_ok());
    if let Some(record) = record_of(base, chain, 2).filter(|_| anchored) {
        ways.push(format!(
            "or add a record for the issuer, which the host sends: {record}"
        ));
    }
    ways.join("; ")
}

/// Nobody renews earlier who does it by a timer.
const EARLIEST: Duration = Duration::from_secs(45 * 86_400);
