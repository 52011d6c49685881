//! What to do about a verdict, by its reason.

use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::TlsaRecord;

use super::judge::{CheckedAddress, proved};
use super::probe::CheckedHost;
use crate::world::probe::{Engine, HandshakeFailure, Stage, UnreachableKind};

/// What to do, one sentence each; nothing where all is well. Without an address: about the host.
pub(super) fn advice(host: &CheckedHost, address: Option<&CheckedAddress>) -> Vec<String> {
    let verdict = match address {
        Some(address) => Some(&address.verdict),
        None => host.verdict.as_ref(),
    };
    let Some(verdict) = verdict else {
        return Vec::new();
    };
    let mut all: Vec<String> = match address {
        Some(address) => about_the_session(host, address, verdict.reason),
        None => None,
    }
    .or_else(|| about_the_host(host, verdict.reason))
    .into_iter()
    .collect();
    let wrong = verdict.outcome == hoplock_policy::verify::SessionOutcome::Failed;
    if wrong && verdict.reason != Reason::PinNoMatch && !is_ours(host, verdict.reason) {
        all.push(
            "if the host is not yours: tell its postmaster; mail to it waits until then, or goes to \
             another host"
                .to_owned(),
        );
    }
    all
}

/// The operator's own rule demands it.
fn is_ours(host: &CheckedHost, reason: Reason) -> bool {
    reason == Reason::HostRefused && host.barred_by.is_none()
}

fn about_the_session(
    host: &CheckedHost,
    address: &CheckedAddress,
    reason: Reason,
) -> Option<String> {
    let engine = address.probed.engine;
    Some(match reason {
        Reason::TlsaNoMatch => match record_for(host, address) {
            Some(record) => format!(
                "publish {record} for the key that it shows now, or give it back the key that its \
                 records name; before a change the new record stands beside the old one for two TTLs \
                 (RFC 7671, 8.1)"
            ),
            None => "publish a record for what it shows: hoplock tlsa FILE.pem".to_owned(),
        },
        Reason::AnchorNotInChain => {
            "let the host send its whole chain, up to the issuer that its TLSA record names"
                .to_owned()
        }
        Reason::AnchorIsLeaf => {
            "publish the leaf as 3 1 1: a 2 x x record names an issuer".to_owned()
        }
        Reason::HostNotReached => unreachable(&address.probed.stage)?.to_owned(),
        Reason::HostNotReady => not_ready(&address.probed.stage).to_owned(),
        Reason::PeerTooOld => match engine {
            Engine::Rustls => {
                "look again with --engine openssl, which also speaks what is too old for rustls"
                    .to_owned()
            }
            Engine::Openssl => {
                "it is too old for this OpenSSL as well: nobody should rely on its TLS".to_owned()
            }
        },
        Reason::HandshakeFailed => handshake(host, &address.probed.stage).to_owned(),
        _ => return None,
    })
}

fn about_the_host(host: &CheckedHost, reason: Reason) -> Option<String> {
    let name = &host.host;
    Some(match reason {
        Reason::AnchorNotIssuer
        | Reason::IssuerNotAuthority
        | Reason::PathTooLong
        | Reason::NameNotPermitted
        | Reason::PurposeMismatch
        | Reason::SignatureInvalid
        | Reason::SignatureWeak
        | Reason::ExtensionUnknown
        | Reason::PathSearchExhausted
        | Reason::CertificateUnreadable => by_duty(
            host,
            "mend the chain that the host shows, or publish 3 1 1, which looks at the key alone",
            "replace the certificate by a plain one of a public authority",
        ),
        Reason::CertificateExpired => "renew the certificate, and let the host load it".to_owned(),
        Reason::CertificateNotYetValid => {
            "compare the clocks of this machine and of its authority, or put the old certificate back"
                .to_owned()
        }
        Reason::CertificateNameMismatch => {
            format!("get a certificate with {name} among its alternative names")
        }
        Reason::CertificateNotTrusted => {
            "let the host send its intermediate certificates; a private authority of yours belongs \
             into [sts] roots"
                .to_owned()
        }
        Reason::StarttlsNotOffered => {
            "switch STARTTLS on (Postfix: smtpd_tls_security_level = may); if it is on, something \
             between here and there takes it out: look from another network"
                .to_owned()
        }
        Reason::StarttlsRefused => {
            "see the host's log: most often its certificate or key cannot be read".to_owned()
        }
        Reason::TlsVersionTooOld => "let the host offer TLS 1.2 or later (RFC 8996)".to_owned(),
        Reason::CipherUnauthenticated => {
            "let the host choose ciphers that authenticate and encrypt".to_owned()
        }
        Reason::HostRefused | Reason::StsHostNotListed if host.barred_by.is_some() => {
            "list the host in the MTA-STS policy, under a new id; or take its MX record out".to_owned()
        }
        Reason::HostRefused => {
            "a rule of yours demands more than the host has: hoplock explain --direct".to_owned()
        }
        Reason::TlsaLookupFailed => dig(host, "TLSA"),
        Reason::AddressLookupFailed => format!("dig +dnssec A {name}; dig +dnssec AAAA {name}"),
        Reason::PinNoMatch => "compare the fingerprints of your rule with what it shows".to_owned(),
        Reason::PolicyUnknown
        | Reason::ResolverNotValidating
        | Reason::StsFirstContact
        | Reason::StoreFailed => {
            "see why its policy is not known: hoplock explain --direct".to_owned()
        }
        Reason::Internal => "see what is said above: the fault is on this machine".to_owned(),
        _ => return None,
    })
}

/// The record that would match what the host showed, under its owner.
fn record_for(host: &CheckedHost, address: &CheckedAddress) -> Option<String> {
    let leaf = proved(&address.probed)?.first()?;
    let record = TlsaRecord::naming(leaf, 3, 1, 1)?;
    let owner = host.tlsa.as_ref()?.owner.as_ref()?;
    Some(format!("{owner}. IN TLSA {record}"))
}

fn by_duty(host: &CheckedHost, dane: &str, others: &str) -> String {
    match host.duty {
        Some(Duty::Dane) => dane.to_owned(),
        _ => others.to_owned(),
    }
}

fn dig(host: &CheckedHost, what: &str) -> String {
    let name = &host.host;
    let owner = host.tlsa.as_ref().and_then(|tlsa| tlsa.owner.as_ref());
    let owner = owner.map_or_else(|| format!("_25._tcp.{name}"), ToString::to_string);
    format!("dig +dnssec {what} {owner}; the same with +cd: if that answers, DNSSEC is at fault")
}

fn unreachable(stage: &Stage) -> Option<&'static str> {
    let Stage::Unreachable { kind, .. } = stage else {
        return None;
    };
    Some(match kind {
        UnreachableKind::NoRoute => {
            "nothing, if this machine has no way to such addresses (IPv6, most often)"
        }
        UnreachableKind::Timeout => {
            "look from the mail server itself: many networks let nobody but mail servers out to port 25"
        }
        UnreachableKind::Refused => "nobody listens there: see whether the host is up",
        UnreachableKind::Other => return None,
    })
}

fn not_ready(stage: &Stage) -> &'static str {
    match stage {
        Stage::BadGreeting(_) | Stage::EhloRefused(_) => {
            "it may not take this machine for a mail server: look from the mail server itself, or give \
             the name of that with --helo"
        }
        Stage::NoGreeting { .. } => {
            "it may keep strangers waiting, or be overloaded: look again later, or from the mail server"
        }
        _ => "what answers there is no mail server in order: see its log",
    }
}

fn handshake(host: &CheckedHost, stage: &Stage) -> &'static str {
    if let Stage::Injected { .. } = stage {
        return "the host is badly broken, or somebody on the way puts words into its mouth: look from \
                another network";
    }
    let bad_key = matches!(
        stage,
        Stage::HandshakeFailed {
            kind: HandshakeFailure::BadSignature,
            ..
        }
    );
    match (bad_key, host.duty) {
        (true, _) => {
            "certificate and key of the host do not belong together: see its configuration"
        }
        (_, Some(Duty::Free)) => {
            "its TLS is broken, so its mail goes out in clear text: see the host's log"
        }
        _ => "see the host's log, and what --engine openssl says",
    }
}
