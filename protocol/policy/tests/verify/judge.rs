//! From a session to its verdict (SV-01 to SV-04): what is missing, what is said, what no reason
//! excuses.

use std::collections::BTreeSet;

use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Matched, Presented, ReferenceNames, Session, SessionOutcome, Sni, Starttls, Warning,
};

use crate::forge::Party;
use crate::scene::Scene;
use crate::{HOST, name, rdata};

use SessionOutcome::{AuthenticatedDane, Cleartext, Encrypted, Failed, Indeterminate};

/// A part of a report, and how it is left out.
type Part = (&'static str, fn(&mut Session));

pub(crate) const PARTS: [Part; 9] = [
    ("next_hop", |session| session.next_hop = None),
    ("mx_host", |session| session.mx_host = None),
    ("address", |session| session.address = None),
    ("port", |session| session.port = None),
    ("starttls", |session| session.starttls = None),
    ("tls_version", |session| session.tls_version = None),
    ("cipher", |session| session.cipher = None),
    ("chain", |session| session.presented = Presented::Unknown),
    ("sni", |session| session.sni = Sni::Unknown),
];

/// SV-01: a session is authenticated only where its report is complete; each part that is missing
/// makes it indeterminate, and is named. Only the server name that was asked for is just told
/// (CM-31).
#[test]
fn each_part_is_needed_to_authenticate() {
    for (scene, outcome) in Scene::authenticated() {
        assert_eq!(scene.verdict().outcome, outcome);
        for (part, leave_out) in PARTS {
            let verdict = scene.clone().but(leave_out).verdict();
            if part == "sni" {
                assert_eq!(verdict.outcome, outcome);
                continue;
            }
            let said = (verdict.outcome, verdict.reason);
            assert_eq!(said, (Indeterminate, Reason::ReportIncomplete), "{part}");
            assert!(verdict.detail.contains(part), "{part}: {}", verdict.detail);
            assert_eq!(verdict.matched, None, "{part}");
        }
    }
}

/// SV-01: where nobody must be authenticated, what does not matter may be missing; what could make
/// the session less than encrypted may not.
#[test]
fn what_matters_is_needed_to_call_it_encrypted() {
    for scene in [Scene::free(), Scene::encrypt()] {
        assert_eq!(scene.verdict().outcome, Encrypted);
        for (part, leave_out) in PARTS {
            let verdict = scene.clone().but(leave_out).verdict();
            let matters = matches!(part, "next_hop" | "mx_host" | "starttls" | "cipher");
            let expected = if matters { Indeterminate } else { Encrypted };
            assert_eq!(verdict.outcome, expected, "{part}");
            assert_eq!(verdict.detail.contains(part), matters, "{part}");
        }
    }
    let nothing = Scene {
        session: Session::unknown(),
        ..Scene::free()
    };
    assert_eq!(nothing.said(), (Indeterminate, Reason::ReportIncomplete));
}

/// SV-01, PD-13: what is missing does not hide what is wrong: a key that does not match is a
/// failure over any version and to any address.
#[test]
fn what_is_missing_hides_nothing() {
    let wrong = Scene::dane().records(vec![rdata(3, 1, 1, &Party::new("other").spki())]);
    assert_eq!(wrong.said(), (Failed, Reason::TlsaNoMatch));
    for (part, leave_out) in PARTS {
        if matches!(part, "address" | "port" | "tls_version" | "cipher" | "sni") {
            let scene = wrong.clone().but(leave_out);
            assert_eq!(scene.said(), (Failed, Reason::TlsaNoMatch), "{part}");
        }
    }
}

/// SV-02: every verdict has its word, its reason, words for people where something is amiss, and
/// what matched.
#[test]
fn one_verdict_of_each_kind() {
    let told = |scene: &Scene| {
        let verdict = scene.verdict();
        let matched = match verdict.matched {
            None => String::new(),
            Some(Matched::Tlsa { record, depth }) => {
                let [usage, selector, matching] = [record.usage, record.selector, record.matching];
                format!(", {usage} {selector} {matching} at {depth}")
            }
            Some(Matched::Pin(_)) => ", a pin".to_owned(),
            Some(Matched::Name(name)) => format!(", {name}"),
        };
        let (outcome, reason) = (verdict.outcome.word(), verdict.reason.word());
        format!("{outcome}: {reason}{matched}; {}", verdict.detail)
    };
    let clear = |scene: Scene| scene.but(|session| session.starttls = Some(Starttls::NotOffered));
    for (scene, words) in [
        (
            Scene::dane(),
            "authenticated-dane: tlsa-match, 3 1 1 at 0; ",
        ),
        (
            Scene::dane_by_anchor(),
            "authenticated-dane: tlsa-match, 2 1 1 at 1; ",
        ),
        (Scene::sts(), "authenticated-sts: sts-match, mx.e.test; "),
        (Scene::pinned(), "authenticated-pinned: pin-match, a pin; "),
        (
            Scene::named(),
            "authenticated-pinned: name-match, mx.e.test; ",
        ),
        (
            Scene::free(),
            "encrypted: opportunistic-tls; nobody had to be authenticated",
        ),
        (
            Scene::encrypt(),
            "encrypted: encrypted-as-owed; nobody had to be authenticated",
        ),
        (
            clear(Scene::free()),
            "cleartext: starttls-not-offered; the host did not offer STARTTLS",
        ),
        (
            clear(Scene::dane()),
            "failed: starttls-not-offered; the host did not offer STARTTLS, and TLS was owed",
        ),
        (
            Scene::dane().but(|session| session.tls_version = None),
            "indeterminate: report-incomplete; the report leaves out tls_version",
        ),
    ] {
        assert_eq!(told(&scene), words);
    }
}

/// SV-02: the words are those of the interface, and each is said of one thing only.
#[test]
fn words_are_stable() {
    let words = SessionOutcome::ALL.map(SessionOutcome::word);
    assert_eq!(
        words,
        [
            "authenticated-dane",
            "authenticated-sts",
            "authenticated-pinned",
            "encrypted",
            "cleartext",
            "failed",
            "indeterminate"
        ]
    );
    let good = SessionOutcome::ALL.map(SessionOutcome::is_authenticated);
    assert_eq!(good, [true, true, true, false, false, false, false]);
    let warnings: BTreeSet<&str> = Warning::ALL.into_iter().map(Warning::word).collect();
    assert_eq!(warnings.len(), Warning::ALL.len());
    for starttls in [
        Starttls::Used,
        Starttls::NotOffered,
        Starttls::Refused,
        Starttls::Failed,
    ] {
        assert_eq!(Starttls::parse(starttls.word()), Some(starttls));
    }
    assert_eq!(Starttls::parse("maybe"), None);
}

/// SV-03, RQ-06, PD-13: without TLS a session fails under every duty, for whatever reason there was
/// none; only where nothing is owed it is clear text.
#[test]
fn no_reason_excuses_clear_text() {
    let mixed = Scene::dane();
    let own = rdata(1, 1, 1, &mixed.host.spki());
    let unusable_beside = [mixed.rdata.clone().unwrap(), vec![own]].concat();
    for (scene, clear) in [
        (Scene::free(), Cleartext),
        (Scene::encrypt(), Failed),
        (Scene::dane(), Failed),
        (Scene::dane_by_anchor(), Failed),
        (mixed.records(unusable_beside), Failed),
        (Scene::sts(), Failed),
        (Scene::pinned(), Failed),
        (Scene::named(), Failed),
        (Scene::pinned().owing(Duty::Free), Failed),
        (Scene::named().owing(Duty::Free), Failed),
        (Scene::free().owing(Duty::OwnWebPki), Failed),
    ] {
        for (starttls, reason) in [
            (Starttls::NotOffered, Reason::StarttlsNotOffered),
            (Starttls::Refused, Reason::StarttlsRefused),
            (Starttls::Failed, Reason::HandshakeFailed),
        ] {
            // Whatever else the report says of a session without TLS.
            for (part, leave_out) in PARTS {
                let scene = scene.clone().but(leave_out);
                let scene = scene.but(|session| session.starttls = Some(starttls));
                assert_eq!(scene.said(), (clear, reason), "without {part}");
            }
        }
    }
}

/// SV-03, PD-13: a session with a host that should have got none is a failure, however good it was.
#[test]
fn a_refused_host_fails() {
    for (scene, _) in Scene::authenticated() {
        let scene = scene
            .owing(Duty::Refuse)
            .demanding(hoplock_policy::verify::Demand::Nothing);
        for (part, leave_out) in PARTS {
            let said = scene.clone().but(leave_out).said();
            assert_eq!(said, (Failed, Reason::HostRefused), "without {part}");
        }
    }
}

/// CM-31: the server name that was asked for must be the base; another one or none is told, and
/// changes no verdict.
#[test]
fn the_server_name_is_told() {
    let wrong = rdata(3, 1, 1, &Party::new("other").spki());
    for (sni, warnings) in [
        (Sni::Sent(name(HOST)), vec![]),
        (Sni::Sent(name("MX.E.test.")), vec![]),
        (Sni::Sent(name("e.test")), vec![Warning::SniOther]),
        (Sni::NotSent, vec![Warning::SniMissing]),
        // Some sources never say what was asked for.
        (Sni::Unknown, vec![]),
    ] {
        for scene in [Scene::dane(), Scene::dane_by_anchor()] {
            let verdict = scene.but(|session| session.sni = sni.clone()).verdict();
            assert_eq!(verdict.outcome, AuthenticatedDane);
            assert_eq!(verdict.warnings, warnings);
        }
        let scene = Scene::dane().records(vec![wrong.clone()]);
        let verdict = scene.but(|session| session.sni = sni).verdict();
        assert_eq!((verdict.outcome, verdict.warnings), (Failed, warnings));
    }
}

/// CM-13: whom the system trusts is of no consequence under DANE-TA.
#[test]
fn local_authorities_are_not_asked() {
    let scene = Scene::dane_by_anchor();
    let Presented::Chain(chain) = scene.session.presented.clone() else {
        panic!("a chain");
    };
    let leaf_alone = scene.showing(chain[..1].to_vec());
    assert!(!leaf_alone.authorities.is_empty());
    assert_eq!(leaf_alone.said(), (Failed, Reason::AnchorNotInChain));
}

/// SV-06: a session that is used for a second domain is judged by the names of that domain: a
/// DANE-TA match falls with them, a DANE-EE match does not.
#[test]
fn each_domain_has_its_own_names() {
    let host = Scene::dane_by_anchor();
    let leaf = host.host.leaf(&["first.test"]).signed_by(&host.authority);
    let chain = vec![leaf, host.authority.root()];
    for (names, anchor) in [
        (
            ["mx.e.test", "first.test"],
            (AuthenticatedDane, Reason::TlsaMatch),
        ),
        (
            ["mx.e.test", "second.test"],
            (Failed, Reason::CertificateNameMismatch),
        ),
    ] {
        let names = ReferenceNames::exactly(names.map(name));
        let mut by_anchor = host.clone().showing(chain.clone());
        by_anchor.names = names.clone();
        assert_eq!(by_anchor.said(), anchor);
        let mut by_key = by_anchor.records(vec![rdata(3, 1, 1, &host.host.spki())]);
        by_key.names = names;
        assert_eq!(by_key.verdict().outcome, AuthenticatedDane);
    }
}

/// TU-05, TU-10: an unusable record of the host's own digest authenticates nobody, is no pin, and
/// excuses no usable record that does not match.
#[test]
fn unusable_records_authenticate_nobody() {
    let scene = Scene::encrypt();
    let digest = rdata(3, 1, 1, &scene.host.spki())[3..].to_vec();
    let pin = crate::scene::pin(&digest);
    for fields in [[3, 1, 255], [255, 1, 1], [1, 1, 1]] {
        let own = [&fields[..], &digest].concat();
        let alone = scene.clone().records(vec![own.clone()]);
        assert_eq!(alone.said(), (Encrypted, Reason::EncryptedAsOwed));
        assert_eq!(alone.verdict().matched, None);
        assert_eq!(alone.verdict().warnings, []);
        let other = rdata(3, 1, 1, &Party::new("other").spki());
        let beside = alone.owing(Duty::Dane).records(vec![own.clone(), other]);
        assert_eq!(beside.said(), (Failed, Reason::TlsaNoMatch));
        // A configured fingerprint is not looked for among records, nor a record among
        // fingerprints.
        let other_pin = pin.replace(&pin[..2], "00");
        let pins = hoplock_policy::verify::Demand::Pins(vec![other_pin]);
        let pinned = Scene::pinned().records(vec![own]).demanding(pins);
        assert_eq!(pinned.said(), (Failed, Reason::PinNoMatch));
    }
}
