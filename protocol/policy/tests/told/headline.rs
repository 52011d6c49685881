//! The one sentence that a tired postmaster reads.

use hoplock_policy::findings::{MxFinding, NoHosts};
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::law::{Answer, MatchName};
use hoplock_policy::reason::Reason;

use super::{Case, SECURE, name};

fn names(count: usize) -> Vec<MatchName> {
    (1..=count)
        .map(|number| MatchName::Host(name(&format!("mx{number}.example.com"))))
        .collect()
}

/// PD-15: every delay says in one sentence what it waits for.
#[test]
fn delays_say_what_they_wait_for() {
    for (reason, words) in [
        (
            Reason::TlsaLookupFailed,
            "what a host publishes as TLSA could not be found out",
        ),
        (
            Reason::MxLookupFailed,
            "the MX records could not be looked up",
        ),
        (
            Reason::AddressLookupFailed,
            "no host's address could be looked up",
        ),
        (
            Reason::StsNoMxMatches,
            "its MTA-STS policy permits none of its MX hosts",
        ),
        (
            Reason::StsFirstContact,
            "its MTA-STS policy could not be had",
        ),
        (
            Reason::StoreFailed,
            "what is remembered of its MTA-STS policy cannot be read or kept",
        ),
        (
            Reason::DaneRequired,
            "a rule of yours demands DANE, and no host has usable TLSA records",
        ),
        (
            Reason::MxInsecure,
            "a rule of yours demands DANE, and its MX records are unsigned",
        ),
        (
            Reason::ResolverNotValidating,
            "your resolver does not validate DNSSEC",
        ),
        (
            Reason::Deadline,
            "the lookups take longer than Postfix may wait",
        ),
        (Reason::Busy, "hoplock has too much to do"),
        (Reason::Rule, "a rule of yours says so"),
        (Reason::Internal, "hoplock failed at this one lookup"),
        (
            Reason::MtaCannotAuthenticate,
            "no answer that this Postfix understands keeps the mail safe",
        ),
    ] {
        let sentence = Case::new(Answer::Temp, reason).sentence();
        assert_eq!(sentence, format!("MAIL WAITS: {words}."), "{reason}");
    }
    let empty = Case::new(Answer::Fingerprint(Vec::new()), Reason::Rule);
    let words = "MAIL WAITS: a rule of yours says so.";
    assert_eq!(
        empty.sentence(),
        words,
        "an answer without a form is a delay"
    );
}

/// PD-12, PD-15: where the MTA's own level acts, the sentence says why nothing is demanded.
#[test]
fn nothing_demanded_has_its_cause() {
    let no_hosts = |why| MxFinding::NoHosts {
        why,
        status: SECURE,
    };
    let mx = || Case::new(Answer::NotFound, Reason::NoPolicy).findings.mx;
    for (reason, mx, words) in [
        (Reason::NoPolicy, mx(), "this destination demands nothing"),
        (
            Reason::NotADomain,
            mx(),
            "this is no mail domain that could publish a policy",
        ),
        (
            Reason::ParentKey,
            mx(),
            "a parent domain decides nothing for its children",
        ),
        (
            Reason::RuleOff,
            no_hosts(NoHosts::NxDomain),
            "a rule of yours switches hoplock off here",
        ),
        (
            Reason::RuleAudit,
            no_hosts(NoHosts::NxDomain),
            "a rule of yours only audits",
        ),
        (
            Reason::NoHosts,
            no_hosts(NoHosts::NxDomain),
            "this domain does not exist",
        ),
        (
            Reason::NoHosts,
            no_hosts(NoHosts::NullMx),
            "this domain takes no mail (null MX)",
        ),
        (
            Reason::NoHosts,
            no_hosts(NoHosts::NoUsableExchange),
            "no MX record of this domain names a host",
        ),
        (
            Reason::NoHosts,
            mx(),
            "no mail host of this destination has an address",
        ),
        (
            Reason::PinsWouldBend,
            mx(),
            "the best hosts owe no authentication, and pins would bend mail away from them",
        ),
    ] {
        let mut case = Case::new(Answer::NotFound, reason);
        case.findings.mx = mx;
        let sentence = format!("{words}; Postfix's own level applies.");
        assert_eq!(case.sentence(), sentence, "{reason}");
    }
}

/// PD-15: every answer that sends mail says how, and on whose word.
#[test]
fn answers_say_how_mail_goes() {
    let digests = |count: usize| (0..count).map(|n| format!("{n:064x}")).collect();
    for (answer, reason, words) in [
        (
            Answer::None,
            Reason::Rule,
            "mail is sent WITHOUT TLS, as a rule of yours says (Postfix is told \"none\").",
        ),
        (
            Answer::May,
            Reason::NoPolicy,
            "mail is sent over TLS where it is offered (Postfix is told \"may\").",
        ),
        (
            Answer::May,
            Reason::RuleOff,
            "mail is sent over TLS where it is offered, as a rule of yours says (Postfix is told \
             \"may\").",
        ),
        (
            Answer::May,
            Reason::RuleAudit,
            "mail is sent over TLS where it is offered, as a rule of yours says (Postfix is told \
             \"may\").",
        ),
        (
            Answer::Encrypt,
            Reason::TlsaUnusable,
            "mail must go over TLS, but nobody is authenticated, for no TLSA record here can be \
             used (Postfix is told \"encrypt\").",
        ),
        (
            Answer::Encrypt,
            Reason::RuleFallback,
            "mail must go over TLS, and no certificate is checked, the fallback that a rule of \
             yours gives (Postfix is told \"encrypt\").",
        ),
        (
            Answer::DaneOnly,
            Reason::DaneAllHosts,
            "mail must be authenticated by DANE (Postfix is told \"dane-only\").",
        ),
        (
            Answer::DaneOnly,
            Reason::Rule,
            "mail must be authenticated by DANE, as a rule of yours says (Postfix is told \
             \"dane-only\").",
        ),
        (
            Answer::Secure(names(1)),
            Reason::StsEnforce,
            "MTA-STS demands a valid certificate for mx1.example.com (Postfix is told \"secure\").",
        ),
        (
            Answer::Secure(names(3)),
            Reason::RuleFallback,
            "the fallback of a rule of yours demands a valid certificate for mx1.example.com or \
             mx2.example.com or mx3.example.com (Postfix is told \"secure\").",
        ),
        (
            Answer::Verify(names(4)),
            Reason::Rule,
            "a rule of yours demands a valid certificate for one of 4 names (Postfix is told \
             \"verify\").",
        ),
        (
            Answer::Secure(vec![MatchName::Below(name("example.com"))]),
            Reason::StsEnforce,
            "MTA-STS demands a valid certificate for .example.com (Postfix is told \"secure\").",
        ),
        (
            Answer::Fingerprint(digests(1)),
            Reason::Rule,
            "mail needs the key listed in a rule of yours (Postfix is told \"fingerprint\").",
        ),
        (
            Answer::Fingerprint(digests(3)),
            Reason::Rule,
            "mail needs one of the 3 keys listed in a rule of yours (Postfix is told \
             \"fingerprint\").",
        ),
        (
            Answer::Fingerprint(digests(3)),
            Reason::DaneAllHosts,
            "mail needs one of the 3 keys that the hosts' TLSA records name (Postfix is told \
             \"fingerprint\").",
        ),
        (
            Answer::Encrypt,
            Reason::PinsWouldBend,
            "mail must go over TLS, and nobody is authenticated, for pins would bend mail away from the \
             best hosts (Postfix is told \"encrypt\").",
        ),
    ] {
        assert_eq!(Case::new(answer, reason).sentence(), words);
    }
}

/// PD-07, PD-15: `dane` says how many hosts it binds, of those that are used, or why it binds as it
/// does.
#[test]
fn dane_says_whom_it_binds() {
    for (reason, words) in [
        (
            Reason::Rule,
            "hosts with TLSA records must be authenticated by DANE, as a rule of yours says",
        ),
        (
            Reason::HalfDane,
            "hosts with TLSA records must be authenticated by DANE, though the MX records that \
             name them are unsigned",
        ),
        (
            Reason::DaneSomeHosts,
            "2 of 3 hosts must be authenticated by DANE, others cannot be",
        ),
    ] {
        let case = Case::new(Answer::Dane, reason)
            .host(HostState::UsableEndEntity, Outcome::Dane)
            .host(HostState::UsableTrustAnchor, Outcome::Dane)
            .host(HostState::NoneSecure, Outcome::Clear)
            .host(HostState::Failed, Outcome::Skip)
            .host(HostState::Unreachable, Outcome::Skip);
        let sentence = format!("{words} (Postfix is told \"dane\").");
        assert_eq!(case.sentence(), sentence, "{reason}");
    }
}

/// DT-16, PD-15: trust anchors are told as what they demand, and a delay for lack of them as what is awaited.
#[test]
fn trust_anchors_are_told() {
    let anchored = Answer::Anchored {
        names: names(2),
        anchors: vec![hoplock_policy::tlsa::TrustAnchorBytes::PublicKey(vec![1])],
    };
    let mut case = Case::new(anchored, Reason::DaneTrustAnchors);
    // There is no place for the file.
    assert!(
        case.sentence()
            .starts_with("MAIL WAITS: no answer that this Postfix")
    );
    case.profile.anchor_directory = "/anchors".to_owned();
    assert_eq!(
        case.sentence(),
        "mail needs a certificate for mx1.example.com or mx2.example.com from an authority that the \
         hosts' TLSA records name (Postfix is told \"secure\")."
    );
    let mut waiting = Case::new(Answer::Temp, Reason::MtaCannotAuthenticate);
    waiting.verdict.anchors_wanted = vec![hoplock_policy::name::MxHost(name("mx1.example.com"))];
    assert_eq!(
        waiting.sentence(),
        "MAIL WAITS: no trust anchor that its hosts' TLSA records name is known yet."
    );
}
