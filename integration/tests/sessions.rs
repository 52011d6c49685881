//! The judge of sessions over the simulated world: small scenes, each a fault that the adversary has found
//! or could have. Every scene also goes through the adversary's own judge.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs, reason = "tests")]

use std::sync::Arc;

use hoplock_integration::adversary::plan::{
    Attack, Event, Key, Kind, Millis, NameServer, Plan, Target, Victim,
};
use hoplock_integration::adversary::session::{
    Contact, Evidence, Part, Peer, Resumes, Shows, Starttls, Strength, Word,
};
use hoplock_integration::adversary::site::{
    Addresses, Form, MailHost, Mx, Place, Server, Site, Sts, StsHost, Tlsa, Ttls,
};
use hoplock_integration::adversary::{play, run};
use hoplock_model::{Floor, Signing};

/// A signed destination with one host, whose key its TLSA record names.
fn site() -> Site {
    Site {
        number: 0,
        domain: Signing::Signed,
        outside: Signing::Signed,
        aliases: Signing::Signed,
        mx: Mx::Listed,
        hosts: vec![host(0, Tlsa::Keys(vec![7]))],
        sts: None,
        ttls: Ttls {
            mx: 60,
            address: 60,
            tlsa: 60,
            txt: 60,
            negative: 60,
        },
    }
}

/// The same without a signature.
fn unsigned() -> Site {
    Site {
        domain: Signing::Unsigned,
        ..site()
    }
}

fn host(number: usize, tlsa: Tlsa) -> MailHost {
    MailHost {
        name: format!("m{number}.d0.test"),
        preference: 10,
        addresses: Addresses::Four,
        alias: None,
        tlsa,
        form: Form::USUAL,
        place: Place::Original,
        server: Server {
            tls: true,
            key: 7,
            web_pki: true,
            own_names: false,
        },
    }
}

fn enforced() -> Option<Sts> {
    Some(Sts {
        id: Some("one".to_owned()),
        mode: "enforce",
        patterns: vec!["m0.d0.test".to_owned()],
        max_age: 86_400,
        host: StsHost::Serves,
    })
}

fn plan(versions: Vec<(Millis, Site)>, events: Vec<(Millis, Event)>) -> Plan {
    Plan {
        seed: 1,
        servers: vec![NameServer::Validating],
        floor: Floor::May,
        own_dane: true,
        pins: None,
        deadline: 20_000,
        half_dane: true,
        first_contact_defers: false,
        rules: Vec::new(),
        file: false,
        sites: vec![versions],
        attacks: Vec::new(),
        events,
        blind_from: None,
    }
}

fn attack(kind: Kind, types: Vec<hoplock_model::Type>) -> Attack {
    Attack {
        from: 0,
        until: u64::MAX,
        victim: Victim::Service,
        target: Target::Site(0),
        types,
        share: 100,
        kind,
    }
}

/// A session with the destination's first host, with one thing changed.
fn session(at: Millis, change: impl FnOnce(&mut Contact)) -> (Millis, Event) {
    let mut contact = Contact::plain(Key::Domain(0), Peer::Own(0), 0);
    change(&mut contact);
    (at, Event::Session(Box::new(contact)))
}

fn ask(at: Millis) -> (Millis, Event) {
    (at, Event::Ask(Key::Domain(0), 1))
}

/// What is said of the sessions, in the order of their reports.
fn said(plan: Plan) -> Vec<(&'static str, &'static str)> {
    let plan = Arc::new(plan);
    let violations = run(&plan);
    assert!(violations.is_empty(), "{violations:#?}");
    let mut judged = play(&plan).sessions;
    judged.sort_by_key(|judged| judged.event);
    judged
        .into_iter()
        .map(|judged| (judged.outcome.word(), judged.reason))
        .collect()
}

const BY_DANE: (&str, &str) = ("authenticated-dane", "tlsa-match");
const BY_STS: (&str, &str) = ("authenticated-sts", "sts-match");
const RESUMED: (&str, &str) = ("authenticated-dane", "resumed");
const UNKNOWN: (&str, &str) = ("indeterminate", "resumed-unknown");
const NO_MATCH: (&str, &str) = ("failed", "tlsa-no-match");
const ENCRYPTED: (&str, &str) = ("encrypted", "opportunistic-tls");
const INCOMPLETE: (&str, &str) = ("indeterminate", "report-incomplete");

/// SV-02, SV-03, SV-09: what the attacker does to a session is what is said of it.
#[test]
fn attacked_sessions_are_not_authenticated() {
    for (change, expected) in [
        (&(|_: &mut Contact| {}) as &dyn Fn(&mut Contact), BY_DANE),
        (
            &|own| own.starttls = Starttls::Stripped,
            ("failed", "starttls-not-offered"),
        ),
        (
            &|own| own.starttls = Starttls::Refused,
            ("failed", "starttls-refused"),
        ),
        (
            &|own| own.starttls = Starttls::Spoiled,
            ("failed", "handshake-failed"),
        ),
        (&|own| own.shows = Shows::Impostor, NO_MATCH),
        (&|own| own.shows = Shows::Padded, NO_MATCH),
        (&|own| own.shows = Shows::Attackers, NO_MATCH),
        (&|own| own.shows = Shows::Expired, BY_DANE),
        (&|own| own.bare = true, BY_DANE),
        (&|own| own.peer = Peer::Attacker, ("failed", "host-unknown")),
        (
            &|own| own.strength = Strength::Withdrawn,
            ("failed", "tls-version-too-old"),
        ),
        (
            &|own| own.strength = Strength::Anonymous,
            ("failed", "cipher-unauthenticated"),
        ),
        (
            &|own| own.strength = Strength::Null,
            ("failed", "cipher-unauthenticated"),
        ),
        (&|own| own.report.left_out = vec![Part::Shown], INCOMPLETE),
    ] {
        let events = vec![session(1_000, change)];
        assert_eq!(said(plan(vec![(0, site())], events)), [expected]);
    }
    let sts = Site {
        sts: enforced(),
        ..unsigned()
    };
    for (shows, expected) in [
        (Shows::Own, BY_STS),
        (Shows::Impostor, ("failed", "certificate-not-trusted")),
        (Shows::Padded, ("failed", "signature-invalid")),
        (Shows::Attackers, ("failed", "certificate-host-mismatch")),
        (Shows::Expired, ("failed", "certificate-expired")),
    ] {
        let events = vec![session(1_000, |own| own.shows = shows)];
        assert_eq!(said(plan(vec![(0, sts.clone())], events)), [expected]);
    }
}

/// SV-01, MX-22: what a reporter has learnt from a forged DNS proves nothing about the host; it can only
/// make things worse.
#[test]
fn what_a_report_brings_makes_nothing_good() {
    let lying = |evidence, shows, peer| {
        session(1_000, |own| {
            own.report.evidence = evidence;
            own.shows = shows;
            own.peer = peer;
        })
    };
    for evidence in [Evidence::ShownKey, Evidence::ShownIssuer, Evidence::Policy] {
        let attacker = lying(evidence, Shows::Own, Peer::Attacker);
        let events = vec![attacker];
        assert_eq!(said(plan(vec![(0, unsigned())], events)), [ENCRYPTED]);
        // Where nothing could be looked up, nobody knows.
        let events = vec![lying(evidence, Shows::Impostor, Peer::Own(0))];
        let mut hidden = plan(vec![(0, site())], events);
        hidden.attacks = vec![attack(Kind::ServFail, Vec::new())];
        assert_ne!(said(hidden)[0].0, "authenticated-dane", "{evidence:?}");
        let events = vec![lying(evidence, Shows::Impostor, Peer::Own(0))];
        assert_eq!(said(plan(vec![(0, site())], events)), [NO_MATCH]);
    }
    // A stricter policy that the reporter knows of counts.
    let stricter = lying(Evidence::Policy, Shows::Impostor, Peer::Own(0));
    assert_eq!(
        said(plan(vec![(0, unsigned())], vec![stricter])),
        [("failed", "certificate-not-trusted")]
    );
}

/// SV-01: a report that names no host is good for none: its session may have been with the one that owes
/// most.
#[test]
fn a_report_without_its_host() {
    let mixed = Site {
        hosts: vec![
            host(0, Tlsa::Keys(vec![7])),
            MailHost {
                preference: 5,
                ..host(1, Tlsa::None)
            },
        ],
        ..site()
    };
    let nameless = |change: &dyn Fn(&mut Contact)| {
        let events = vec![session(1_000, |own| {
            own.report.left_out = vec![Part::Host];
            change(own);
        })];
        said(plan(vec![(0, mixed.clone())], events))
    };
    assert_eq!(nameless(&|_| {}), [INCOMPLETE]);
    assert_eq!(nameless(&|own| own.shows = Shows::Impostor), [INCOMPLETE]);
    let stripped = |own: &mut Contact| own.starttls = Starttls::Stripped;
    assert_eq!(nameless(&stripped), [INCOMPLETE]);
    assert_eq!(
        nameless(&|own| own.report.word = Word::Careless),
        [INCOMPLETE]
    );
    // Where all of them owe the same, what falls short of that is an alarm.
    let events = vec![session(1_000, |own| {
        own.report.left_out = vec![Part::Host];
        own.shows = Shows::Impostor;
    })];
    assert_eq!(said(plan(vec![(0, site())], events)), [NO_MATCH]);
}

/// SV-04: evidence that had expired when the session happened was not in force then: a key that was given
/// up long ago authenticates nobody.
#[test]
fn expired_evidence_is_not_in_force() {
    let mut rolled = site();
    rolled.hosts[0].tlsa = Tlsa::Keys(vec![9]);
    rolled.hosts[0].server.key = 9;
    let events = vec![
        ask(1_000),
        session(900_000, |own| own.shows = Shows::OtherKey),
    ];
    let versions = vec![(0, site()), (400_000, rolled)];
    assert_eq!(said(plan(versions, events)), [NO_MATCH]);
}

/// SV-04, MX-17: what was proved while the resolver validated stays proved when it does no more.
#[test]
fn what_was_proved_stays_proved() {
    let events = vec![
        ask(1_000),
        session(90_000, |own| {
            own.ago = 70_000;
            own.shows = Shows::Impostor;
        }),
    ];
    let mut blind = plan(vec![(0, site())], events);
    blind.blind_from = Some(80_000);
    assert_eq!(said(blind), [NO_MATCH]);
}

/// SV-04: a policy that was remembered when the session happened was in force, though an answer had been
/// given without it shortly before.
#[test]
fn a_policy_that_was_learnt_meanwhile() {
    let sts = Site {
        sts: enforced(),
        ..unsigned()
    };
    // The first fetch takes longer than an answer waits for it.
    let events = vec![
        ask(0),
        ask(3_000),
        session(20_000, |own| own.starttls = Starttls::Stripped),
    ];
    let mut slow = plan(vec![(0, sts)], events);
    slow.attacks = vec![Attack {
        until: 1_000,
        ..attack(Kind::Slow(9_000), Vec::new())
    }];
    assert_eq!(said(slow), [("failed", "starttls-not-offered")]);
}

/// SV-04, ST-28: a wall clock that is set back between evidence and session does not bring back what was
/// before that evidence.
#[test]
fn a_clock_that_is_set_back() {
    let events = vec![
        ask(1_000),
        ask(100_000),
        (110_000, Event::Wall(-3_600_000)),
        session(120_000, |own| own.starttls = Starttls::Stripped),
    ];
    let mut early = site();
    early.hosts[0].tlsa = Tlsa::None;
    let versions = vec![(0, early), (50_000, site())];
    assert_eq!(
        said(plan(versions, events)),
        [("failed", "starttls-not-offered")]
    );
}

fn resuming(at: Millis) -> (Millis, Event) {
    session(at, |own| own.resumes = Resumes::Last)
}

fn attacked(at: Millis, change: impl FnOnce(&mut Contact)) -> (Millis, Event) {
    session(at, |own| {
        own.shows = Shows::Impostor;
        change(own);
    })
}

fn resumed(events: Vec<(Millis, Event)>) -> Vec<(&'static str, &'static str)> {
    said(plan(vec![(0, site())], events))
}

/// SV-05: a resumed session inherits from the last handshake before it: not from one after it, nor from
/// one that a newer one has followed, in whatever order they are reported.
#[test]
fn the_last_handshake_counts() {
    let honest = |at| session(at, |_| {});
    assert_eq!(
        resumed(vec![honest(1_000), resuming(2_000)]),
        [BY_DANE, RESUMED]
    );
    assert_eq!(
        resumed(vec![
            honest(1_000),
            attacked(2_000, |_| {}),
            resuming(3_000)
        ]),
        [BY_DANE, NO_MATCH, NO_MATCH]
    );
    // The attacker's was resumed before the honest one happened, and is reported late.
    let late = session(8_000, |own| {
        own.resumes = Resumes::Last;
        own.ago = 5_000;
    });
    assert_eq!(
        resumed(vec![attacked(1_000, |_| {}), honest(5_000), late]),
        [NO_MATCH, BY_DANE, UNKNOWN]
    );
    // An old one that is reported late replaces no newer one, and nobody knows which came last.
    let late = session(5_000, |own| own.ago = 4_500);
    assert_eq!(
        resumed(vec![attacked(2_000, |_| {}), late, resuming(6_000)]),
        [NO_MATCH, BY_DANE, UNKNOWN]
    );
}

/// SV-01, SV-05: a handshake of which too little is said still stands between a session and those before
/// it; so does one that is still being judged.
#[test]
fn an_unclear_handshake_is_inherited_by_nobody() {
    let honest = || session(1_000, |_| {});
    for part in [
        Part::NextHop,
        Part::Host,
        Part::Address,
        Part::Port,
        Part::Shown,
        Part::Starttls,
    ] {
        let unclear = attacked(2_000, |own| own.report.left_out = vec![part]);
        let said = resumed(vec![honest(), unclear, resuming(3_000)]);
        assert_eq!(said[2].0, "indeterminate", "{part:?}");
    }
    // Lookups for the attacker's session, made for another destination, take longer.
    let other = attacked(120_000, |own| own.key = Key::Host(0, 0));
    let mut slow = plan(
        vec![(0, site())],
        vec![honest(), ask(119_000), other, resuming(120_300)],
    );
    slow.attacks = vec![Attack {
        from: 119_900,
        ..attack(Kind::Delay(1_600), vec![hoplock_model::Type::Tlsa])
    }];
    let said = said(slow);
    assert_eq!(said[2], UNKNOWN, "{said:?}");
}

/// SV-05: what a process before this one was told is gone: nobody knows which handshake was the last.
#[test]
fn handshakes_before_a_restart() {
    let late = session(60_000, |own| own.ago = 59_000);
    assert_eq!(
        resumed(vec![
            attacked(10_000, |_| {}),
            (20_000, Event::Restart(100, 0)),
            late,
            resuming(61_000),
        ]),
        [NO_MATCH, BY_DANE, UNKNOWN]
    );
}

/// SV-05, SV-06: a connection that is used again for another destination is judged by that one's policy.
#[test]
fn a_connection_for_two_destinations() {
    let second = Site {
        number: 1,
        hosts: Vec::new(),
        mx: Mx::Null,
        sts: None,
        ..site()
    };
    let mut both = plan(
        vec![(0, site())],
        vec![
            session(1_000, |_| {}),
            session(2_000, |own| own.key = Key::Host(0, 0)),
            session(3_000, |own| {
                own.key = Key::Domain(1);
                own.peer = Peer::Of(0, 0);
            }),
        ],
    );
    both.sites.push(vec![(0, second)]);
    let said = said(both);
    assert_eq!(said[..2], [BY_DANE, BY_DANE]);
    assert_eq!(said[2], ENCRYPTED);
}
