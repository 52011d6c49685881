//! What holds for every session and every chain.

use std::sync::LazyLock;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Certificate, Demand, LeafDigests, Original, Presented, Session, SessionOutcome, SessionVerdict,
    Starttls,
};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::{select, subsequence};
use sha2::{Digest as _, Sha256};

use crate::forge::Party;
use crate::judge::PARTS;
use crate::pool::{POOL, chain, others, records, scenes};
use crate::scene::Scene;
use crate::{Case, HOST, name, rdata};

/// The verdict, and what any policy has found.
fn outcomes(verdict: &SessionVerdict) -> Vec<SessionOutcome> {
    let results = verdict.results.iter().map(|result| result.outcome);
    [verdict.outcome].into_iter().chain(results).collect()
}

/// The scene was judged with all that it needs, and went well.
fn good_original(scene: &Scene) -> Original {
    let mut first = scene.clone();
    first.session = Scene::free().session;
    first.session.presented = Presented::Chain(vec![POOL.leaves[0].clone()]);
    Original {
        host: name(HOST),
        generation: scene.owed().generation(),
        verdict: SessionVerdict {
            outcome: SessionOutcome::AuthenticatedDane,
            ..first.verdict()
        },
    }
}

/// What an impostor can show: certificates for his own key, his key, or digests of those.
fn impostors() -> impl Strategy<Value = Presented> {
    let key = POOL.impostor.spki();
    let digests = LeafDigests {
        certificate: Sha256::digest(POOL.false_leaves[0].der()).to_vec(),
        key: Sha256::digest(&key).to_vec(),
    };
    prop_oneof![
        8 => chain(&POOL.false_leaves).prop_map(Presented::Chain),
        1 => Just(Presented::RawKey(key)),
        1 => Just(Presented::Digests(digests)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// SV-03, RQ-06: no session in which STARTTLS was not used is authenticated by anything,
    /// whatever it owed and whatever it resumed.
    #[test]
    fn nobody_is_authenticated_without_tls(
        scene in scenes(),
        starttls in select(vec![
            None,
            Some(Starttls::NotOffered),
            Some(Starttls::Refused),
            Some(Starttls::Failed),
        ]),
    ) {
        let scene = scene.but(|session| session.starttls = starttls);
        let original = good_original(&scene);
        for verdict in [scene.verdict(), scene.resumed(Some(&original))] {
            let good = outcomes(&verdict).into_iter().find(|outcome| outcome.is_authenticated());
            prop_assert_eq!(good, None);
            let may_be_clear = scene.duty == Duty::Free && scene.demand == Demand::Nothing;
            let is_clear = verdict.outcome == SessionOutcome::Cleartext;
            prop_assert!(!is_clear || may_be_clear);
            prop_assert!(verdict.outcome != SessionOutcome::Encrypted);
        }
    }

    /// CM-10, PD-02, TU-10: where DANE is owed, whoever holds another key is never authenticated,
    /// whatever genuine certificates he appends and whatever is published for the host and those
    /// above it.
    #[test]
    fn a_swapped_leaf_is_never_authenticated(
        scene in scenes(),
        records in records(),
        presented in impostors(),
    ) {
        let mut scene = scene.owing(Duty::Dane).records(records).demanding(Demand::Nothing);
        scene.session = Session {
            presented,
            ..Scene::free().session
        };
        let verdict = scene.verdict();
        prop_assert!(!verdict.outcome.is_authenticated(), "{:?}", verdict);
        prop_assert_eq!(verdict.matched, None);
    }

    /// SV-01: leaving out any parts of a report never makes a verdict better, nor the result of any
    /// policy: it stays, or becomes indeterminate; nor does it let a session inherit what it would
    /// not have had.
    #[test]
    fn what_is_left_out_makes_nothing_better(
        scene in scenes(),
        parts in subsequence(PARTS.to_vec(), 1..PARTS.len()),
    ) {
        let less = parts
            .iter()
            .fold(scene.clone(), |scene, (_, leave_out)| scene.but(leave_out));
        let original = good_original(&scene);
        for (before, after) in [
            (scene.verdict(), less.verdict()),
            (scene.resumed(Some(&original)), less.resumed(Some(&original))),
        ] {
            // Where nothing was shown any more, a session that resumed another has the verdict of
            // that.
            let was_shown = before.reason != Reason::Resumed;
            if after.reason == Reason::Resumed && was_shown {
                prop_assert!(parts.iter().any(|(part, _)| *part == "chain"));
                continue;
            }
            for (before, after) in outcomes(&before).into_iter().zip(outcomes(&after)) {
                let is_fine = after == before || after == SessionOutcome::Indeterminate;
                prop_assert!(is_fine, "{:?} became {:?} without {:?}", before, after, parts);
            }
        }
    }

    /// CM-20: the order of the certificates behind the leaf changes nothing of the verdict.
    #[test]
    fn shuffling_changes_nothing(
        records in records(),
        (ordered, shuffled) in others().prop_flat_map(|others| {
            (Just(others.clone()), Just(others).prop_shuffle())
        }),
        leaf in select(&POOL.leaves[..]),
        ta_check_dates in any::<bool>(),
    ) {
        let of = |others: &[Certificate]| {
            let chain: Vec<&Certificate> = [&leaf].into_iter().chain(others).collect();
            let mut case = Case::shown(&chain);
            case.rdata = records.clone();
            case.options.ta_check_dates = ta_check_dates;
            case.judged()
        };
        prop_assert_eq!(of(&ordered), of(&shuffled));
    }

    /// CM-09, CM-24: records of no stronger digest beside one that matches take nothing away.
    #[test]
    fn further_records_take_nothing_away(
        chain in chain(&POOL.leaves),
        records in records(),
        more in records(),
    ) {
        let chain: Vec<&Certificate> = chain.iter().collect();
        let mut case = Case::shown(&chain);
        case.rdata = records;
        let before = case.outcome();
        case.rdata.extend(more.into_iter().filter(|rdata| rdata[2] != 2));
        if before.is_ok() && case.rdata.iter().all(|rdata| rdata[2] != 2) {
            prop_assert!(case.outcome().is_ok());
        }
    }

    /// MX-22: behind a set that is not secure nobody is authenticated by DANE.
    #[test]
    fn nobody_is_authenticated_by_dane_behind_an_insecure_set(
        scene in scenes(),
        mx in select(vec![
            SecurityStatus::Insecure,
            SecurityStatus::Bogus,
            SecurityStatus::Indeterminate,
        ]),
    ) {
        let verdict = scene.behind(mx).verdict();
        let found = outcomes(&verdict);
        prop_assert!(!found.contains(&SessionOutcome::AuthenticatedDane));
    }

    /// CM-07, CM-20: octets that somebody made up are judged, not stumbled over.
    #[test]
    fn any_octets_are_judged(
        at in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
        records in records(),
    ) {
        let all = [&POOL.leaves[..], &POOL.others[..]].concat();
        let mut octets = at.get(&all).der().to_vec();
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let cut = Certificate::from_der(&octets[..cut.index(octets.len())]);
        let changed = Certificate::from_der(octets);
        for chain in [
            [&changed, &POOL.others[0], &POOL.others[7]],
            [&POOL.leaves[0], &changed, &POOL.others[7]],
            [&POOL.leaves[0], &cut, &changed],
            [&cut, &POOL.others[0], &POOL.others[7]],
        ] {
            let mut case = Case::shown(&chain);
            case.rdata = records.clone();
            let _ = case.judged();
        }
    }
}

/// CM-10, CM-16: no bit of what an anchor has signed can be changed, in the leaf or in an
/// intermediate.
#[test]
fn no_bit_can_be_changed() {
    let (leaf, intermediate) = (&POOL.leaves[0], &POOL.others[0]);
    let anchor = rdata(2, 0, 1, POOL.others[7].der());
    let mut genuine = Case::shown(&[leaf, intermediate, &POOL.others[7]]);
    genuine.rdata.push(anchor.clone());
    assert_eq!(genuine.outcome(), Ok(2));
    for certificate in [leaf, intermediate] {
        for place in 0..certificate.der().len() {
            for bit in 0..8 {
                let mut der = certificate.der().to_vec();
                der[place] ^= 1 << bit;
                let changed = Certificate::from_der(der);
                let chain = if certificate == leaf {
                    [&changed, intermediate, &POOL.others[7]]
                } else {
                    [leaf, &changed, &POOL.others[7]]
                };
                let mut case = Case::shown(&chain);
                case.rdata.push(anchor.clone());
                assert!(case.outcome().is_err(), "bit {bit} of octet {place}");
            }
        }
    }
}

/// Every one of a dozen authorities with three names among them, as each has signed each other.
static WEB: LazyLock<(Vec<Party>, Vec<Certificate>)> = LazyLock::new(|| {
    let names = ["one", "two", "three"].into_iter().cycle().take(12);
    let parties: Vec<Party> = names.map(Party::new).collect();
    let pairs = parties
        .iter()
        .flat_map(|own| parties.iter().map(move |by| (own, by)));
    let certificates = pairs.map(|(own, by)| own.authority().signed_by(by));
    let certificates = certificates.collect();
    (parties, certificates)
});

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// CM-20: a hundred certificates of namesakes who have signed each other, in circles and twice,
    /// end the search; what it finds is genuine, and an impostor finds nothing.
    #[test]
    fn a_hundred_certificates_end(
        others in proptest::collection::vec(select(&WEB.1[..]), 100),
        issuer in 0..12_usize,
        anchor in 0..12_usize,
    ) {
        let host = Party::new("host");
        let by = |issuer: &Party| {
            let leaf = host.leaf(&[HOST]).signed_by(issuer);
            let chain: Vec<&Certificate> = [&leaf].into_iter().chain(&others).collect();
            Case::shown(&chain).record(2, 1, 1, &WEB.0[anchor].spki()).outcome()
        };
        let issuer = &WEB.0[issuer];
        if let Ok(depth) = by(issuer) {
            prop_assert!((1..=7).contains(&depth));
        }
        prop_assert!(by(&issuer.namesake()).is_err());
    }
}
