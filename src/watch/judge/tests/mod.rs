//! Each kind of finding, provoked by itself in a domain in which all else is well.

mod scene;

use std::time::Duration;

use hoplock_policy::dns::{FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::findings::Validation;
use hoplock_policy::tlsa::TlsaRecord;

use self::scene::{Authority, POLICY, Scene, insecure, mx, name, nothing, record, secure};
use super::{Finding, Kind};
use crate::watch::standing::Standing;
use crate::world::probe::{HandshakeFailure, SmtpReply, Stage, UnreachableKind};
use crate::world::scripted::{Scripted, ScriptedHost};
use crate::world::{Clock as _, FetchFailureKind};

/// Spoils a good scene, looks, and compares: what is found, and whether the look is in doubt.
async fn finds(spoil: impl FnOnce(&mut Scene), expected: &[&str], is_doubtful: bool) {
    let mut scene = Scene::new();
    spoil(&mut scene);
    let (found, weighs) = scene.found().await;
    assert_eq!(found, expected);
    assert_eq!(weighs, is_doubtful, "{expected:?}");
}

const TLSA1: &str = "_25._tcp.mx1.e.test";

#[tokio::test]
async fn all_is_well() {
    let mut scene = Scene::new();
    let judged = scene.look().await;
    assert_eq!(judged.findings, []);
    assert_eq!(judged.doubts, []);
    let first = judged.hosts.first().unwrap();
    assert_eq!((first.host.as_str(), first.preference), ("mx1.e.test", 10));
    let address = first.addresses.first().unwrap();
    assert_eq!(address.matched.as_ref(), first.tlsa.first());
    assert_eq!(address.web_pki.as_deref(), Some("valid"));
    let certificate = address.certificate.as_ref().unwrap();
    assert_eq!(certificate.not_after, "2027-02-12T00:00:00Z");
    assert_eq!(judged.policy.unwrap().mode, "enforce");
}

#[tokio::test]
async fn mx_records() {
    let fails = |kind| Scripted::Fails(kind);
    let set = |kind| move |scene: &mut Scene| scene.set("e.test", RecordType::Mx, fails(kind));
    finds(set(FailureKind::Bogus), &["alarm mx-lookup-failed"], false).await;
    finds(
        set(FailureKind::ServFail),
        &["alarm mx-lookup-failed"],
        false,
    )
    .await;
    finds(set(FailureKind::Timeout), &["note lookup-unanswered"], true).await;
    let ttl = Duration::from_secs(300);
    let gone = |scene: &mut Scene| {
        let gone = Scripted::NxDomain(SecurityStatus::Secure, ttl);
        scene.set("e.test", RecordType::Mx, gone);
    };
    finds(gone, &["alarm no-mail-host"], false).await;
    let null = |scene: &mut Scene| {
        let null = RecordData::Mx {
            preference: 0,
            exchange: hoplock_policy::dns::Exchange::Null,
        };
        scene.set("e.test", RecordType::Mx, secure(vec![null]));
    };
    finds(null, &["note no-mail-host"], false).await;
    let unsigned = |scene: &mut Scene| {
        let both = vec![mx(10, "mx1.e.test"), mx(20, "mx2.e.test")];
        scene.set("e.test", RecordType::Mx, insecure(both));
    };
    finds(unsigned, &["warning mx-insecure"], false).await;
    let alias = |scene: &mut Scene| {
        let (a, target) = (RecordType::A, RecordData::Cname(name("real.e.test")));
        scene.world.clear(&name("mx1.e.test"), a);
        scene.set("mx1.e.test", RecordType::Cname, secure(vec![target]));
        scene.add("real.e.test", RecordData::A([192, 0, 2, 1].into()));
    };
    finds(alias, &["warning mx-malformed mx1.e.test"], false).await;
    let mixed = |scene: &mut Scene| {
        let null = hoplock_policy::dns::Exchange::Null;
        scene.add(
            "e.test",
            RecordData::Mx {
                preference: 0,
                exchange: null,
            },
        );
    };
    finds(mixed, &["warning mx-malformed"], false).await;
}

#[tokio::test]
async fn addresses() {
    let fails = |kind| {
        move |scene: &mut Scene| scene.set("mx1.e.test", RecordType::A, Scripted::Fails(kind))
    };
    let unknown = ["alarm address-lookup-failed mx1.e.test"];
    finds(fails(FailureKind::Bogus), &unknown, false).await;
    let silent = ["note lookup-unanswered mx1.e.test"];
    finds(fails(FailureKind::Timeout), &silent, true).await;
    let one_family = |scene: &mut Scene| {
        scene.set(
            "mx1.e.test",
            RecordType::Aaaa,
            Scripted::Fails(FailureKind::ServFail),
        );
    };
    finds(
        one_family,
        &["warning address-lookup-failed mx1.e.test"],
        false,
    )
    .await;
    let none = |scene: &mut Scene| scene.world.clear(&name("mx1.e.test"), RecordType::A);
    finds(none, &["warning host-without-address mx1.e.test"], false).await;
    let nowhere = |scene: &mut Scene| {
        scene.set("e.test", RecordType::Mx, secure(vec![mx(10, "mx1.e.test")]));
        scene.world.clear(&name("mx1.e.test"), RecordType::A);
        scene.serves(&POLICY.replace("mx: mx2.e.test\n", ""));
    };
    finds(nowhere, &["alarm host-without-address mx1.e.test"], false).await;
}

#[tokio::test]
async fn tlsa_records_by_themselves() {
    let fails =
        |kind| move |scene: &mut Scene| scene.set(TLSA1, RecordType::Tlsa, Scripted::Fails(kind));
    let waits = ["alarm tlsa-lookup-failed mx1.e.test"];
    finds(fails(FailureKind::Bogus), &waits, false).await;
    finds(fails(FailureKind::ServFail), &waits, false).await;
    finds(
        fails(FailureKind::Timeout),
        &["note lookup-unanswered mx1.e.test"],
        true,
    )
    .await;
    let unsigned = |scene: &mut Scene| {
        let own = RecordData::Tlsa(record(&scene.first, 3, 1).rdata());
        scene.set(TLSA1, RecordType::Tlsa, insecure(vec![own]));
    };
    finds(unsigned, &["warning tlsa-insecure mx1.e.test"], false).await;
    let missing = |scene: &mut Scene| scene.world.clear(&name(TLSA1), RecordType::Tlsa);
    finds(missing, &["warning tlsa-missing mx1.e.test"], false).await;
    let pkix = |scene: &mut Scene| {
        let own = TlsaRecord {
            usage: 1,
            ..record(&scene.first, 3, 1)
        };
        scene.tlsa("mx1.e.test", &[own]);
    };
    finds(pkix, &["warning tlsa-unusable mx1.e.test"], false).await;
    let beside = |scene: &mut Scene| {
        let good = record(&scene.first, 3, 1);
        let short = TlsaRecord {
            data: vec![1; 31],
            ..record(&scene.first, 3, 1)
        };
        scene.tlsa("mx1.e.test", &[good, short]);
    };
    finds(beside, &["note tlsa-unusable mx1.e.test"], false).await;
}

/// RFC 7672, 2.2.2: nobody asks for records of hosts in unsigned space, so a server that fails at them
/// harms nobody.
#[tokio::test]
async fn servers_in_unsigned_space_may_fail() {
    let unsigned = |scene: &mut Scene| {
        let address = RecordData::A([192, 0, 2, 1].into());
        scene.set("mx1.e.test", RecordType::A, insecure(vec![address]));
        scene.set(
            TLSA1,
            RecordType::Tlsa,
            Scripted::Fails(FailureKind::ServFail),
        );
    };
    finds(unsigned, &["warning tlsa-missing mx1.e.test"], false).await;
}

#[tokio::test]
async fn tlsa_records_against_what_is_shown() {
    let other_key = |scene: &mut Scene| {
        let next = scene.authority.issue("mx1.e.test", 0, 90);
        scene.shows("mx1.e.test", &next);
    };
    finds(other_key, &["alarm tlsa-no-match mx1.e.test"], false).await;
    let stale = |scene: &mut Scene| {
        let old = scene.authority.issue("mx1.e.test", -90, 0);
        let both = [record(&scene.first, 3, 1), record(&old, 3, 1)];
        scene.tlsa("mx1.e.test", &both);
    };
    finds(stale, &["note tlsa-stale mx1.e.test"], false).await;
    let no_issuer = |scene: &mut Scene| {
        scene.tlsa("mx1.e.test", &[record(&scene.first, 2, 1)]);
        let leaf = &scene.first[..1];
        scene.shows("mx1.e.test", leaf);
    };
    finds(no_issuer, &["alarm tlsa-anchor-missing mx1.e.test"], false).await;
    let anchored = |scene: &mut Scene| scene.tlsa("mx1.e.test", &[record(&scene.first, 2, 1)]);
    finds(anchored, &[], false).await;
    let other_name = |scene: &mut Scene| {
        scene.serves("version: STSv1\nmode: none\nmax_age: 1209600\n");
        let chain = scene.authority.issue("other.test", -10, 80);
        scene.tlsa("mx1.e.test", &[record(&chain, 2, 1)]);
        scene.shows("mx1.e.test", &chain);
    };
    let expected = [
        "alarm tlsa-name-mismatch mx1.e.test",
        "note sts-not-enforced",
    ];
    finds(other_name, &expected, false).await;
    let not_issuer = |scene: &mut Scene| {
        let (stranger, _) = Authority::new("Stranger");
        let mut chain = scene.first.clone();
        chain.push(stranger.certificate);
        let named = TlsaRecord::naming(&chain[2], 2, 1, 1).unwrap();
        scene.tlsa("mx1.e.test", &[named]);
        scene.shows("mx1.e.test", &chain);
    };
    finds(not_issuer, &["alarm tlsa-chain-invalid mx1.e.test"], false).await;
}

/// RFC 7671, 8.1 and 8.4: what is published for the next certificate must stand there before it is used.
#[tokio::test]
async fn the_next_certificate() {
    let lives = |left: i64, selector: u8, more: Option<&'static str>| {
        move |scene: &mut Scene| {
            let chain = scene.authority.issue("mx1.e.test", left - 90, left);
            let mut records = vec![record(&chain, 3, selector)];
            match more {
                Some("next") => {
                    let next = scene.authority.issue("mx1.e.test", 0, 90);
                    records.push(record(&next, 3, 1));
                }
                Some(_) => records.push(record(&chain, 2, 1)),
                None => {}
            }
            scene.tlsa("mx1.e.test", &records);
            scene.shows("mx1.e.test", &chain);
        }
    };
    let (soon, ends) = (
        "tlsa-rollover mx1.e.test",
        "warning certificate-expires mx1.e.test",
    );
    let (note, warning) = (format!("note {soon}"), format!("warning {soon}"));
    finds(lives(46, 1, None), &[], false).await;
    finds(lives(44, 1, None), &[&note], false).await;
    finds(lives(44, 0, None), &[&warning], false).await;
    finds(lives(12, 1, None), &[&warning, ends], false).await;
    let known = "note tlsa-stale mx1.e.test";
    finds(lives(44, 1, Some("next")), &[known], false).await;
    finds(lives(44, 1, Some("issuer")), &[], false).await;
}

/// The record to add is printed: for the same key where the certificate is named, and for the issuer where
/// the host sends it.
#[tokio::test]
async fn the_record_to_add_is_printed() {
    let mut scene = Scene::new();
    let chain = scene.authority.issue("mx1.e.test", -60, 30);
    scene.tlsa("mx1.e.test", &[record(&chain, 3, 0)]);
    scene.shows("mx1.e.test", &chain);
    let judged = scene.look().await;
    let finding = judged.findings.first().unwrap();
    for usage in [3, 2] {
        let line = format!("{TLSA1}. IN TLSA {}", record(&chain, usage, 1));
        assert!(finding.cure.contains(&line), "{}", finding.cure);
    }
    // One that would refuse the host is not advised.
    scene.shows("mx1.e.test", &chain[..1]);
    let judged = scene.look().await;
    let cure = &judged.findings.last().unwrap().cure;
    assert!(!cure.contains("TLSA 2 1 1"), "{cure}");
    let other = scene.authority.issue("other.test", -60, 30);
    scene.tlsa("mx1.e.test", &[record(&other, 3, 0)]);
    scene.shows("mx1.e.test", &other);
    let judged = scene.look().await;
    let is_ours = |own: &&Finding| own.kind == Kind::TlsaRollover;
    let cure = &judged.findings.iter().find(is_ours).unwrap().cure;
    assert!(
        cure.contains("TLSA 3 1 1") && !cure.contains("TLSA 2 1 1"),
        "{cure}"
    );
}

#[tokio::test]
async fn starttls() {
    let stops = |stage: Stage, dane: bool, enforced: bool| {
        move |scene: &mut Scene| {
            scene
                .world
                .host(name("mx1.e.test"), ScriptedHost::Stops(stage));
            if !dane {
                for host in ["mx1.e.test", "mx2.e.test"] {
                    let owner = name(&format!("_25._tcp.{host}"));
                    scene.world.clear(&owner, RecordType::Tlsa);
                }
            }
            if !enforced {
                scene.world.clear(&name("_mta-sts.e.test"), RecordType::Txt);
            }
        }
    };
    let reply = |code| SmtpReply {
        code,
        lines: vec!["no".to_owned()],
    };
    for (dane, enforced, severity) in [
        (true, true, "alarm"),
        (true, false, "alarm"),
        (false, true, "alarm"),
        (false, false, "warning"),
    ] {
        let expected = format!("{severity} starttls-not-offered mx1.e.test");
        finds(
            stops(Stage::NotOffered, dane, enforced),
            &[&expected],
            false,
        )
        .await;
        let expected = format!("{severity} starttls-failed mx1.e.test");
        let refused = Stage::StarttlsRefused(reply(454));
        finds(stops(refused, dane, enforced), &[&expected], false).await;
        let broken = Stage::HandshakeFailed {
            kind: HandshakeFailure::Alert,
            detail: String::new(),
        };
        finds(stops(broken, dane, enforced), &[&expected], false).await;
    }
    // What says nothing of the host raises nothing.
    let unclear = ["note host-inconclusive mx1.e.test"];
    let stage = Stage::BadGreeting(reply(554));
    finds(stops(stage, true, true), &unclear, true).await;
    let old = Stage::HandshakeFailed {
        kind: HandshakeFailure::PeerTooOld,
        detail: String::new(),
    };
    finds(stops(old, true, true), &unclear, true).await;
    let gone = || Stage::Unreachable {
        kind: UnreachableKind::Timeout,
        detail: "192.0.2.1:25: timed out".to_owned(),
    };
    // Mail servers pass it over as long as another is there.
    finds(
        stops(gone(), true, true),
        &["note host-unreachable mx1.e.test"],
        false,
    )
    .await;
    let both = move |scene: &mut Scene| {
        for host in ["mx1.e.test", "mx2.e.test"] {
            scene.world.host(name(host), ScriptedHost::Stops(gone()));
        }
    };
    let expected = [
        "note host-unreachable mx1.e.test",
        "note host-unreachable mx2.e.test",
    ];
    finds(both, &expected, true).await;
    assert_eq!(nothing("mx1.e.test").stage.starttls(), None);
}

/// RFC 7671, 5.1: dates count under DANE-TA and MTA-STS, and not under DANE-EE.
#[tokio::test]
async fn ends_of_certificates() {
    let ends = |left: i64, by_anchor: bool, enforced: bool| {
        move |scene: &mut Scene| {
            let chain = scene.authority.issue("mx1.e.test", -90, left);
            let usage = if by_anchor { 2 } else { 3 };
            let next = scene.authority.issue("mx1.e.test", 0, 90);
            scene.tlsa(
                "mx1.e.test",
                &[record(&chain, usage, 1), record(&next, 3, 1)],
            );
            scene.shows("mx1.e.test", &chain);
            if !enforced {
                scene.world.clear(&name("_mta-sts.e.test"), RecordType::Txt);
            }
        }
    };
    for (left, by_anchor, enforced, expected) in [
        (15, true, true, ""),
        (13, true, true, "warning certificate-expires"),
        (2, true, true, "alarm certificate-expires"),
        (2, true, false, "alarm certificate-expires"),
        (2, false, true, "alarm certificate-expires"),
        (2, false, false, "note certificate-expires"),
        (-1, false, true, "alarm certificate-expired"),
        (-1, true, false, "alarm certificate-expired"),
        (-1, false, false, "note certificate-expired"),
    ] {
        let mut scene = Scene::new();
        ends(left, by_anchor, enforced)(&mut scene);
        let (found, _) = scene.found().await;
        let ours: Vec<&String> = found
            .iter()
            .filter(|own| !own.contains("tlsa-stale"))
            .collect();
        let expected = match expected {
            "" => Vec::new(),
            words => vec![format!("{words} mx1.e.test")],
        };
        assert_eq!(
            ours,
            expected.iter().collect::<Vec<_>>(),
            "{left} {by_anchor} {enforced}"
        );
    }
    // Nobody's records, nobody's policy: some refuse it all the same.
    let plain = |scene: &mut Scene| {
        ends(-1, false, false)(scene);
        for host in ["mx1.e.test", "mx2.e.test"] {
            let owner = name(&format!("_25._tcp.{host}"));
            scene.world.clear(&owner, RecordType::Tlsa);
        }
        scene.txt("_smtp._tls.e.test", "nothing");
    };
    finds(plain, &["warning certificate-expired mx1.e.test"], false).await;
}

#[tokio::test]
async fn the_sts_record() {
    let record = |text: &'static str| move |scene: &mut Scene| scene.txt("_mta-sts.e.test", text);
    finds(record("v=STSv1;"), &["warning sts-record-invalid"], false).await;
    let twice = |scene: &mut Scene| {
        scene.add(
            "_mta-sts.e.test",
            RecordData::Txt(vec![b"v=STSv1; id=2;".to_vec()]),
        );
    };
    finds(twice, &["warning sts-record-invalid"], false).await;
    let fails = |kind| {
        move |scene: &mut Scene| {
            scene.set("_mta-sts.e.test", RecordType::Txt, Scripted::Fails(kind))
        }
    };
    finds(
        fails(FailureKind::Bogus),
        &["warning sts-record-lookup-failed"],
        false,
    )
    .await;
    finds(
        fails(FailureKind::Timeout),
        &["note lookup-unanswered"],
        true,
    )
    .await;
}

#[tokio::test]
async fn policies_that_cannot_be_had() {
    for (kind, is_doubtful, expected) in [
        (FetchFailureKind::Lookup, true, "warning sts-fetch-failed"),
        (
            FetchFailureKind::Connection,
            true,
            "warning sts-fetch-failed",
        ),
        (FetchFailureKind::Timeout, true, "warning sts-fetch-failed"),
        (FetchFailureKind::Refused, true, "note sts-fetch-failed"),
        (
            FetchFailureKind::TooLarge,
            false,
            "warning sts-fetch-failed",
        ),
        (
            FetchFailureKind::Protocol,
            false,
            "warning sts-fetch-failed",
        ),
        (
            FetchFailureKind::WebPki,
            false,
            "warning sts-policy-host-invalid",
        ),
    ] {
        let spoil = |scene: &mut Scene| scene.fetch_fails(kind);
        finds(spoil, &[expected], is_doubtful).await;
    }
    for (status, kind, body) in [
        (404, "text/plain", POLICY),
        (301, "text/plain", POLICY),
        (200, "text/html", POLICY),
        (200, "text/plain", "version: STSv1\n"),
    ] {
        let spoil = |scene: &mut Scene| scene.responds(status, kind, body, 80);
        finds(spoil, &["warning sts-policy-invalid"], false).await;
    }
    let ends = |scene: &mut Scene| scene.responds(200, "text/plain", POLICY, 13);
    finds(ends, &["warning sts-policy-host-expires"], false).await;
}

#[tokio::test]
async fn the_policy() {
    let serves = |from: &'static str, to: &'static str| {
        move |scene: &mut Scene| scene.serves(&POLICY.replace(from, to))
    };
    let unlisted = serves("mx: mx2.e.test\n", "");
    finds(unlisted, &["alarm sts-host-not-listed mx2.e.test"], false).await;
    let tested = |scene: &mut Scene| {
        scene.serves("version: STSv1\nmode: testing\nmx: mx1.e.test\nmax_age: 1209600\n");
    };
    let expected = [
        "warning sts-host-not-listed mx2.e.test",
        "note sts-not-enforced",
    ];
    finds(tested, &expected, false).await;
    let unused = serves("mx: mx2", "mx: old.e.test\nmx: *.f.test\nmx: mx2");
    finds(unused, &["note sts-pattern-unused"], false).await;
    finds(
        serves("1209600", "86399"),
        &["warning sts-max-age-short"],
        false,
    )
    .await;
    finds(
        serves("1209600", "86400"),
        &["note sts-max-age-short"],
        false,
    )
    .await;
    finds(serves("1209600", "604800"), &[], false).await;
    let wildcard = serves("mx: mx1.e.test\nmx: mx2.e.test", "mx: *.e.test");
    finds(wildcard, &[], false).await;
}

#[tokio::test]
async fn certificates_under_a_policy() {
    let other = |scene: &mut Scene| {
        let chain = scene.authority.issue("other.test", -10, 80);
        scene.tlsa("mx1.e.test", &[record(&chain, 3, 1)]);
        scene.shows("mx1.e.test", &chain);
    };
    finds(other, &["alarm sts-host-name mx1.e.test"], false).await;
    let private = |scene: &mut Scene| {
        let (stranger, _) = Authority::new("Stranger");
        let chain = stranger.issue("mx1.e.test", -10, 80);
        scene.tlsa("mx1.e.test", &[record(&chain, 3, 1)]);
        scene.shows("mx1.e.test", &chain);
    };
    finds(private, &["alarm sts-host-certificate mx1.e.test"], false).await;
    let tested = |scene: &mut Scene| {
        other(scene);
        scene.serves(&POLICY.replace("enforce", "testing"));
    };
    let expected = ["warning sts-host-name mx1.e.test", "note sts-not-enforced"];
    finds(tested, &expected, false).await;
}

/// RFC 8461, 3.1: id and policy change together.
#[tokio::test]
async fn policies_over_time() {
    let mut scene = Scene::new();
    assert_eq!(scene.found().await.0, [] as [&str; 0]);
    scene.serves(&POLICY.replace("1209600", "2419200"));
    assert_eq!(scene.found().await.0, ["warning sts-id-unchanged"]);
    assert_eq!(scene.found().await.0, ["warning sts-id-unchanged"]);
    scene.txt("_mta-sts.e.test", "v=STSv1; id=2;");
    assert_eq!(scene.found().await.0, [] as [&str; 0]);
    scene.txt("_mta-sts.e.test", "v=STSv1; id=3;");
    assert_eq!(scene.found().await.0, ["note sts-policy-unchanged"]);
    scene.world.pass(Duration::from_secs(86_400));
    assert_eq!(scene.found().await.0, [] as [&str; 0]);
    scene.world.clear(&name("_mta-sts.e.test"), RecordType::Txt);
    assert_eq!(scene.found().await.0, ["warning sts-record-gone"]);
    scene.txt("_mta-sts.e.test", "v=STSv1; id=4;");
    scene.serves(&POLICY.replace("enforce", "testing"));
    assert_eq!(scene.found().await.0, ["note sts-not-enforced"]);
    scene.world.pass(Duration::from_secs(86_400));
    let judged = scene.look().await;
    let what = &judged.findings.first().unwrap().what;
    assert!(
        what.ends_with("of mode testing, seen so since 2026-11-25"),
        "{what}"
    );
}

#[tokio::test]
async fn the_tlsrpt_record() {
    let owner = "_smtp._tls.e.test";
    let without = |scene: &mut Scene| scene.world.clear(&name(owner), RecordType::Txt);
    finds(without, &["note tlsrpt-missing"], false).await;
    let record = |text: &'static str| move |scene: &mut Scene| scene.txt(owner, text);
    finds(
        record("v=TLSRPTv1; rua=,,"),
        &["warning tlsrpt-invalid"],
        false,
    )
    .await;
    let twice = |scene: &mut Scene| {
        scene.add(
            owner,
            RecordData::Txt(vec![b"v=TLSRPTv1; rua=mailto:s@e.test".to_vec()]),
        );
    };
    finds(twice, &["warning tlsrpt-invalid"], false).await;
    let http = record("v=TLSRPTv1; rua=mailto:r@e.test,http://e.test/");
    finds(http, &["warning tlsrpt-target"], false).await;
    let silent = |scene: &mut Scene| {
        scene.set(
            owner,
            RecordType::Txt,
            Scripted::Fails(FailureKind::Timeout),
        );
    };
    finds(silent, &["note lookup-unanswered"], true).await;
    // There is nothing to report of.
    let plain = |scene: &mut Scene| {
        without(scene);
        scene.world.clear(&name("_mta-sts.e.test"), RecordType::Txt);
        for host in ["mx1.e.test", "mx2.e.test"] {
            let owner = name(&format!("_25._tcp.{host}"));
            scene.world.clear(&owner, RecordType::Tlsa);
        }
    };
    finds(plain, &[], false).await;
}

/// A resolver that does not validate says nothing against anybody's DNSSEC.
#[tokio::test]
async fn without_dnssec() {
    let blind = |scene: &mut Scene| {
        scene.world.validates(Validation::NotValidating);
        let own = RecordData::Tlsa(record(&scene.first, 3, 1).rdata());
        scene.set(TLSA1, RecordType::Tlsa, insecure(vec![own]));
        scene
            .world
            .clear(&name("_25._tcp.mx2.e.test"), RecordType::Tlsa);
    };
    finds(blind, &["note resolver-not-validating"], true).await;
}

/// Look after look: an alarm comes, outlives looks that reach nobody, and goes when a look finds it mended.
#[tokio::test]
async fn alarms_come_and_go() {
    let mut scene = Scene::new();
    let mut standing = Standing::default();
    let mut look = async |scene: &mut Scene| {
        let judged = scene.look().await;
        let changes = standing.take_over(judged, scene.world.now().wall);
        let words = |all: &[Finding]| all.iter().map(|own| own.kind.word()).collect::<Vec<_>>();
        (
            words(&changes.come),
            words(&changes.gone),
            standing.result(),
        )
    };
    assert_eq!(look(&mut scene).await, (vec![], vec![], "well"));
    let next = scene.authority.issue("mx1.e.test", 0, 90);
    scene.shows("mx1.e.test", &next);
    let raised = (vec!["tlsa-no-match"], vec![], "alarm");
    assert_eq!(look(&mut scene).await, raised);
    let nobody = Stage::Unreachable {
        kind: UnreachableKind::Timeout,
        detail: String::new(),
    };
    for host in ["mx1.e.test", "mx2.e.test"] {
        scene
            .world
            .host(name(host), ScriptedHost::Stops(nobody.clone()));
    }
    let (come, gone, result) = look(&mut scene).await;
    assert_eq!(come, ["host-unreachable", "host-unreachable"]);
    assert_eq!((gone, result), (vec![], "alarm"));
    scene.set(
        TLSA1,
        RecordType::Tlsa,
        Scripted::Fails(FailureKind::Timeout),
    );
    assert_eq!(look(&mut scene).await.2, "alarm");
    scene.tlsa("mx1.e.test", &[record(&next, 3, 1)]);
    scene.shows("mx1.e.test", &next);
    let (_, gone, result) = look(&mut scene).await;
    assert!(gone.contains(&"tlsa-no-match"), "{gone:?}");
    // The other is away still, and mail servers pass it over.
    assert_eq!(result, "well");
}

/// A machine without a name speaks to nobody, and says nothing of hosts.
#[tokio::test]
async fn without_a_name() {
    let silent = |scene: &mut Scene| scene.speaks = false;
    finds(silent, &["note not-probed"], true).await;
}

/// Each kind is provoked somewhere above, so that none can be lost, and has its row in the manual.
#[test]
fn every_kind_is_provoked_and_explained() {
    let (rows, page) = (
        include_str!("mod.rs"),
        include_str!("../../../../docs/watch.md"),
    );
    for kind in Kind::ALL {
        let word = kind.word();
        assert!(rows.contains(word), "{word}");
        assert!(page.contains(&format!("| `{word}` |")), "{word}");
    }
}
