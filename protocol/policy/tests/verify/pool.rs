//! Where properties draw from: certificates that are good, odd, crossed and false, and sessions of
//! every kind built of them.

use std::sync::LazyLock;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::MatchName;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::name::MxHost;
use hoplock_policy::verify::{
    Certificate, Demand, LeafDigests, Presented, ReferenceNames, Session, Sni, Starttls, TlsVersion,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use sha2::{Digest as _, Sha256, Sha512};

use crate::forge::{Party, YEAR, distinguished};
use crate::scene::{Scene, pin, policy};
use crate::{HOST, after, name, rdata};

/// What there is to draw from.
pub(crate) struct Pool {
    pub(crate) scene: Scene,
    /// Leaves with the host's own key.
    pub(crate) leaves: Vec<Certificate>,
    /// Leaves with the key of somebody who has signed nothing else, and whom nobody has signed.
    pub(crate) false_leaves: Vec<Certificate>,
    /// What may stand behind a leaf.
    pub(crate) others: Vec<Certificate>,
    /// RDATA for the host and those above it.
    pub(crate) genuine: Vec<Vec<u8>>,
    /// RDATA that is unusable, for the same.
    pub(crate) unusable: Vec<Vec<u8>>,
    /// RDATA for nobody who is here.
    pub(crate) foreign: Vec<Vec<u8>>,
    pub(crate) impostor: Party,
}

pub(crate) static POOL: LazyLock<Pool> = LazyLock::new(Pool::new);

impl Pool {
    fn new() -> Self {
        let scene = Scene::free();
        let (host, authority) = (scene.host.clone(), scene.authority.clone());
        let (issuer, second) = (Party::new("issuer"), Party::new("second"));
        let impostor = Party::new("impostor");
        let false_issuer = issuer.namesake();
        let common = host.leaf(&[]).subject(distinguished(&[HOST]));
        let leaves = vec![
            host.leaf(&[HOST]).signed_by(&issuer),
            host.leaf(&["e.test"]).signed_by(&authority),
            common.signed_by(&issuer),
            host.leaf(&["else.test"]).signed_by(&issuer),
            host.leaf(&[HOST]).expired().signed_by(&issuer),
            host.leaf(&[HOST]).signed_by(&host),
            host.leaf(&[HOST]).constraint(true, None).signed_by(&second),
        ];
        let false_leaf = impostor.leaf(&[HOST, "e.test"]);
        let false_leaves = vec![
            false_leaf.signed_by(&impostor),
            false_leaf.signed_by(&false_issuer),
            false_leaf.signed_by(&authority.namesake()),
            false_leaf.constraint(true, None).signed_by(&false_issuer),
            impostor.renamed("issuer").authority().signed_by(&impostor),
        ];
        let own = issuer.authority();
        let others = vec![
            own.signed_by(&authority),
            own.signed_by(&second),
            own.signed_by(&issuer),
            own.clone().expired().signed_by(&authority),
            own.clone().constraint(false, None).signed_by(&authority),
            own.only_names(&[], &["e.test"]).signed_by(&second),
            false_issuer.authority().signed_by(&authority.namesake()),
            authority.root(),
            authority.authority().expired().signed_by(&authority),
            authority.authority().signed_by(&second),
            second.authority().signed_by(&authority),
            second
                .authority()
                .constraint(true, Some(0))
                .signed_by(&second),
            leaves[0].clone(),
            Certificate::from_der(*b"no certificate"),
        ];
        let parties = [&host, &issuer, &authority, &second];
        let certificates = [&leaves[0], &others[0], &others[3], &others[7], &others[10]];
        let (stranger, unknown) = (Party::new("stranger"), Party::new("authority"));
        let root = stranger.root();
        Self {
            genuine: grid([2, 3], &parties, &certificates),
            unusable: grid([0, 1], &parties, &certificates),
            foreign: grid([2, 3], &[&stranger, &unknown], &[&root]),
            leaves,
            false_leaves,
            others,
            scene,
            impostor,
        }
    }
}

/// Records of every kind for these keys and certificates.
fn grid(usages: [u8; 2], parties: &[&Party], certificates: &[&Certificate]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for usage in usages {
        for matching in 0..=2 {
            let keys = parties
                .iter()
                .map(|own| rdata(usage, 1, matching, &own.spki()));
            all.extend(keys);
            let whole = certificates
                .iter()
                .map(|own| rdata(usage, 0, matching, own.der()));
            all.extend(whole);
        }
    }
    all
}

/// Certificates behind a leaf, each as often as it comes.
pub(crate) fn others() -> impl Strategy<Value = Vec<Certificate>> {
    vec(select(&POOL.others[..]), 0..7)
}

/// Records for those who are here, and for others.
pub(crate) fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let any_record = prop_oneof![
        8 => select(&POOL.genuine[..]),
        1 => select(&POOL.unusable[..]),
        1 => select(&POOL.foreign[..]),
    ];
    vec(any_record, 0..6)
}

/// A chain that begins with one of these.
pub(crate) fn chain(leaves: &'static [Certificate]) -> impl Strategy<Value = Vec<Certificate>> {
    let first = prop_oneof![Just(leaves[0].clone()), select(leaves)];
    (first, others()).prop_map(|(leaf, others)| [vec![leaf], others].concat())
}

fn presented() -> impl Strategy<Value = Presented> {
    let pool = &*POOL;
    let sha256 = |data: &[u8]| Sha256::digest(data).to_vec();
    let sha512 = |data: &[u8]| Sha512::digest(data).to_vec();
    let (leaf, key) = (pool.leaves[0].der(), pool.scene.host.spki());
    let digests = vec![
        LeafDigests {
            certificate: sha256(leaf),
            key: sha256(&key),
        },
        LeafDigests {
            certificate: sha512(leaf),
            key: sha512(&key),
        },
    ];
    let keys = vec![key, pool.impostor.spki(), Vec::new()];
    prop_oneof![
        6 => chain(&POOL.leaves).prop_map(Presented::Chain),
        2 => chain(&POOL.false_leaves).prop_map(Presented::Chain),
        1 => select(keys).prop_map(Presented::RawKey),
        1 => select(digests).prop_map(Presented::Digests),
        1 => Just(Presented::Unknown),
        1 => Just(Presented::Chain(Vec::new())),
    ]
}

fn ciphers() -> impl Strategy<Value = Option<String>> {
    let ordinary = Just("TLS_AES_256_GCM_SHA384");
    let odd = select(vec![
        "ECDHE-RSA-AES128-SHA",
        "ADH-AES256-SHA",
        "NULL-SHA256",
    ]);
    let names = prop_oneof![6 => ordinary, 1 => odd];
    option::weighted(0.95, names.prop_map(str::to_owned))
}

fn sessions() -> impl Strategy<Value = Session> {
    let starttls = prop_oneof![
        10 => Just(Starttls::Used),
        1 => select(vec![Starttls::NotOffered, Starttls::Refused, Starttls::Failed]),
    ];
    let versions = prop_oneof![
        10 => Just(TlsVersion::Tls13),
        1 => select(vec![TlsVersion::Ssl, TlsVersion::Tls11, TlsVersion::Tls12]),
    ];
    let sni = prop_oneof![
        Just(Sni::Unknown),
        Just(Sni::NotSent),
        select(vec![HOST, "e.test"]).prop_map(|text| Sni::Sent(name(text))),
    ];
    let hosts = prop_oneof![6 => Just(HOST), 1 => Just("other.test")];
    (
        option::weighted(0.95, hosts),
        option::weighted(0.95, starttls),
        option::weighted(0.95, versions),
        ciphers(),
        sni,
        presented(),
        any::<bool>(),
    )
        .prop_map(
            |(host, starttls, tls_version, cipher, sni, presented, resumed)| Session {
                mx_host: host.map(|text| MxHost(name(text))),
                starttls,
                tls_version,
                cipher,
                sni,
                presented,
                resumed,
                ..POOL.scene.session.clone()
            },
        )
}

fn demands() -> impl Strategy<Value = Demand> {
    let own = pin(&rdata(3, 1, 1, &POOL.scene.host.spki())[3..]);
    prop_oneof![
        6 => Just(Demand::Nothing),
        1 => Just(Demand::Pins(vec!["00".repeat(32), own])),
        1 => Just(Demand::Names(vec![MatchName::Host(name(HOST))])),
        1 => Just(Demand::Names(vec![MatchName::Below(name("test"))])),
    ]
}

/// Sessions of every kind, under obligations of every kind.
pub(crate) fn scenes() -> impl Strategy<Value = Scene> {
    let duties = prop_oneof![
        3 => Just(Duty::Dane),
        3 => select(vec![Duty::Free, Duty::Encrypt, Duty::WebPki, Duty::OwnWebPki]),
        1 => Just(Duty::Refuse),
    ];
    let statuses = prop_oneof![
        3 => Just(SecurityStatus::Secure),
        1 => select(vec![SecurityStatus::Insecure, SecurityStatus::Indeterminate]),
    ];
    let policies = (
        select(vec!["enforce", "testing", "none"]),
        select(vec![HOST, "*.e.test", "elsewhere.test"]),
    );
    let policies = policies.prop_map(|(mode, pattern)| policy(mode, &[pattern]));
    let names = select(vec![&[HOST][..], &[HOST, "e.test"], &["else.test"], &[]]);
    (
        sessions(),
        duties,
        option::weighted(0.9, records()),
        statuses,
        option::of(policies),
        names,
        demands(),
        any::<[bool; 3]>(),
        prop_oneof![8 => Just(0), 1 => Just(-30 * YEAR), 1 => Just(5 * YEAR)],
    )
        .prop_map(
            |(session, duty, rdata, mx, sts, names, demand, switches, seconds)| {
                let mut scene = Scene {
                    session,
                    duty,
                    rdata,
                    mx,
                    sts,
                    names: ReferenceNames::exactly(names.iter().map(|text| name(text))),
                    demand,
                    now: after(seconds),
                    ..POOL.scene.clone()
                };
                [
                    scene.options.ta_check_dates,
                    scene.options.common_name,
                    scene.options.multi_label_wildcards,
                ] = switches;
                scene
            },
        )
}
