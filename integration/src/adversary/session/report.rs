//! What the mail server says of a session. Of keys and of what was agreed on it tells the truth, or
//! nothing; what it knows of policies it has from a DNS that may be the attacker's.

use hoplock::report::reported::Evidence as Brought;
use hoplock::serve::sessions::{Carries, Case};
use hoplock_model::{Answer, Data, Duty, Rule, Settings, State, Truth, Type, truth_at};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsPolicy;
use hoplock_policy::tlsa::{TlsaOptions, TlsaSet};
use hoplock_policy::verify::{
    self, LeafDigests, MtaWord, PolicyKind, Presented, Session, Sni, TlsVersion,
};
use sha2::{Digest as _, Sha256};

use super::super::judge::question;
use super::super::life::wall;
use super::super::mta::as_attacked;
use super::super::orders::given;
use super::super::plan::{Event, Key, Plan};
use super::super::site::StsHost;
use super::certificates::{Vouching, impostor_digest, issuer_digest, key_digest, public_key};
use super::happened::{End, Happened};
use super::keeping::Keeping;
use super::{Contact, Evidence, Part, Starttls, Strength, Word};

/// The report of what happened, as the service takes it in.
pub(in super::super) fn case(plan: &Plan, event: usize, contact: &Contact, own: &Happened) -> Case {
    Case {
        session: session(plan, event, contact, own),
        time: Timestamp(wall(own.at, plan.stepped(own.at))),
        evidence: evidence(plan, contact, own),
        word: word(plan, contact, own),
        carries: Carries::Mail,
    }
}

fn session(plan: &Plan, event: usize, contact: &Contact, own: &Happened) -> Session {
    let says = |part| !contact.report.lacks(part);
    let host = match &own.alias {
        Some(alias) if plan.names_by_alias() => alias,
        _ => &own.host,
    };
    let host = DomainName::parse(host).ok();
    let is_tls = own.starttls == Starttls::Untouched;
    let (version, cipher) = agreed(own.strength, event);
    Session {
        next_hop: says(Part::NextHop).then(|| NextHop::parse(&plan.key(&contact.key))),
        mx_host: host.clone().filter(|_| says(Part::Host)).map(MxHost),
        address: says(Part::Address).then(|| [192, 0, 2, 1].into()),
        port: says(Part::Port).then(|| contact.key.port()),
        starttls: says(Part::Starttls).then_some(match own.starttls {
            Starttls::Untouched => verify::Starttls::Used,
            Starttls::Stripped => verify::Starttls::NotOffered,
            Starttls::Refused => verify::Starttls::Refused,
            Starttls::Spoiled => verify::Starttls::Failed,
        }),
        tls_version: (is_tls && says(Part::Version)).then_some(version),
        cipher: (is_tls && says(Part::Cipher)).then(|| cipher.to_owned()),
        sni: match host {
            Some(host) if says(Part::Sni) => Sni::Sent(host),
            _ => Sni::NotSent,
        },
        presented: match &own.end {
            Some(end) if is_tls && !own.resumed && says(Part::Shown) => shown(contact, end),
            _ => Presented::Unknown,
        },
        resumed: own.resumed && says(Part::Resumed),
    }
}

/// Version and cipher, in the words of one TLS library or another.
fn agreed(strength: Strength, event: usize) -> (TlsVersion, &'static str) {
    let (version, ciphers): (_, &[&str]) = match strength {
        Strength::Modern => (
            TlsVersion::Tls13,
            &["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
        ),
        Strength::Withdrawn => (TlsVersion::Tls10, &["ECDHE-ECDSA-AES256-SHA"]),
        Strength::Anonymous => (
            TlsVersion::Tls12,
            &[
                "ADH-AES256-GCM-SHA384",
                "AECDH-AES256-SHA",
                "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
                "TLS_ECDH_ANON_AES_256_CBC_SHA1",
            ],
        ),
        Strength::Null => (
            TlsVersion::Tls12,
            &[
                "ECDHE-ECDSA-NULL-SHA",
                "TLS_ECDHE_ECDSA_WITH_NULL_SHA",
                "TLS_RSA_NULL_SHA256",
            ],
        ),
    };
    (version, ciphers[event % ciphers.len()])
}

fn shown(contact: &Contact, end: &End) -> Presented {
    let Some(certificate) = &end.certificate else {
        return Presented::RawKey(public_key(end.key));
    };
    let chain = certificate.leaf.chain();
    if contact.report.digests {
        return Presented::Digests(LeafDigests {
            certificate: Sha256::digest(chain[0].der()).to_vec(),
            key: key_digest(end.key).to_vec(),
        });
    }
    let mut chain = chain.to_vec();
    if let Some(padding) = &end.padding {
        let issuer = chain.pop();
        chain.extend(padding.chain().iter().cloned());
        chain.extend(issuer);
    }
    Presented::Chain(chain)
}

fn evidence(plan: &Plan, contact: &Contact, own: &Happened) -> Brought {
    let set = |rdata: &[Vec<u8>]| {
        let options = TlsaOptions::default();
        Some(TlsaSet::read(rdata.iter().map(Vec::as_slice), &options))
    };
    let record = |usage: u8, digest: [u8; 32]| [&[usage, 1, 1], &digest[..]].concat();
    let policy = |text: &str| StsPolicy::parse(text.as_bytes()).ok();
    let leaf = own.end.as_ref().and_then(|end| end.certificate.as_ref());
    let leaf = leaf.map(|certificate| &certificate.leaf);
    let mut brought = Brought::default();
    match contact.report.evidence {
        Evidence::None => {}
        Evidence::True => {
            let binds = view(plan, &contact.key, own).is_some_and(|view| has_records(&view, own));
            let published = published(plan, contact, own).filter(|_| binds);
            brought.records = published.and_then(|rdata| set(&rdata));
            let site = plan.site(contact.key.site(), own.at);
            let sts = site.and_then(|site| site.sts.as_ref());
            // RFC 8461, 1: for mail to a domain, and for nothing else.
            let is_for_mail = matches!(contact.key, Key::Domain(_));
            let sts =
                sts.filter(|sts| is_for_mail && sts.host == StsHost::Serves && sts.id.is_some());
            brought.sts = sts.and_then(|sts| policy(&sts.text()));
        }
        Evidence::Nothing => brought.records = set(&[]),
        Evidence::ShownKey => {
            let end = own.end.as_ref();
            brought.records = end.and_then(|end| set(&[record(3, key_digest(end.key))]));
        }
        Evidence::ShownIssuer => {
            let digest = leaf.map(|leaf| match leaf.issuer {
                Vouching::Public(number) | Vouching::Private(number) => issuer_digest(number),
                Vouching::Impostor(number) => impostor_digest(number),
            });
            brought.records = digest.and_then(|digest| set(&[record(2, digest)]));
            let names = leaf.map(|leaf| leaf.names.iter());
            brought.names = names.map(|names| {
                names
                    .filter_map(|name| DomainName::parse(name).ok())
                    .collect()
            });
        }
        Evidence::Policy => {
            let host = &own.host;
            let text =
                format!("version: STSv1\nmode: enforce\nmx: {host}\nmx: *.test\nmax_age: 9999\n");
            brought.sts = policy(&text);
        }
        Evidence::NoPolicy => {
            brought.sts = policy("version: STSv1\nmode: none\nmax_age: 9999\n");
        }
    }
    brought
}

/// True where the host has records that the mail server may go by (RFC 7672, 2.2.1 and 2.2.2).
fn has_records(view: &Truth, own: &Happened) -> bool {
    let mut hosts = view.hosts.iter().filter(|host| host.name == own.host);
    let binds = hosts.any(|host| matches!(host.state, State::Usable(_) | State::Unusable));
    view.mx_secure() && binds
}

/// The host's secure records.
fn published(plan: &Plan, contact: &Contact, own: &Happened) -> Option<Vec<Vec<u8>>> {
    let world = plan.site(contact.key.site(), own.at)?.published();
    let bases = own.alias.iter().chain([&own.host]);
    bases
        .map(|base| world.lookup(&format!("_{}._tcp.{base}", contact.key.port()), Type::Tlsa))
        .find_map(|answer| match answer {
            Answer::Records {
                secure: true, data, ..
            } => Some(data.into_iter().filter_map(|data| match data {
                Data::Tlsa(rdata) => Some(rdata),
                _ => None,
            })),
            _ => None,
        })
        .map(Iterator::collect)
}

/// What the mail server makes of the session, by its own lookups of that moment.
fn word(plan: &Plan, contact: &Contact, own: &Happened) -> MtaWord {
    // No mail server says of these that it has checked, or hidden, anything.
    let is_worth = own.starttls == Starttls::Untouched && own.strength != Strength::Null;
    match contact.report.word {
        Word::Nothing => MtaWord::Nothing,
        _ if !is_worth => MtaWord::Nothing,
        Word::Careless => MtaWord::Encrypted,
        Word::Policy => checked(plan, &contact.key, own, &Some),
        Word::Checked => checked(plan, &contact.key, own, &|_| None),
    }
}

/// True where the mail server itself says that the session failed.
pub(super) fn refuses(plan: &Plan, contact: &Contact, own: &Happened) -> bool {
    matches!(word(plan, contact, own), MtaWord::Refused { .. })
}

/// True where the mail server itself says that it used TLS and no more.
pub(super) fn authenticates_nobody(plan: &Plan, contact: &Contact, own: &Happened) -> bool {
    matches!(word(plan, contact, own), MtaWord::Encrypted)
}

fn checked(
    plan: &Plan,
    key: &Key,
    own: &Happened,
    told: &dyn Fn(PolicyKind) -> Option<PolicyKind>,
) -> MtaWord {
    let refused = |reason| MtaWord::Refused {
        reason,
        detail: String::new(),
    };
    let Some(truth) = view(plan, key, own) else {
        return MtaWord::Nothing;
    };
    let next_hop = own_name(plan, key);
    let keeping = Keeping {
        truth: &truth,
        happened: own,
        next_hop: &next_hop,
    };
    match keeping.ordered() {
        Some(true) => return MtaWord::Authenticated(None),
        Some(false) => return refused(Reason::CertificateNotTrusted),
        None => {}
    }
    match keeping.duty() {
        Duty::Dane if keeping.dane() => MtaWord::Authenticated(told(PolicyKind::Dane)),
        Duty::Dane => refused(Reason::TlsaNoMatch),
        Duty::WebPki if keeping.sts() => MtaWord::Authenticated(told(PolicyKind::Sts)),
        Duty::OwnNames if keeping.own_names() => MtaWord::Authenticated(None),
        Duty::WebPki | Duty::OwnNames => refused(Reason::CertificateNotTrusted),
        Duty::Encrypt | Duty::Free => MtaWord::Encrypted,
        Duty::Refuse => refused(Reason::MtaRefused),
    }
}

/// What the mail server's own lookups bring.
fn view(plan: &Plan, key: &Key, own: &Happened) -> Option<Truth> {
    let site = plan.site(key.site(), own.at)?;
    let settings = Settings {
        floor: plan.floor,
        half_dane: false,
        rule: Rule::None,
        believed: plan.believes(own.at),
        seen_with_dane: false,
    };
    let world = as_attacked(plan, site, own.at);
    let stepped = plan.stepped(own.at);
    let asker = hoplock_model::Site {
        rules: given(plan, own.at),
        now: wall(own.at, stepped) / 1000,
        ..hoplock_model::Site::default()
    };
    let question = question(plan, key, settings, None);
    Some(truth_at(&world, &question, &asker))
}

/// The name that a next hop goes by.
pub(super) fn own_name(plan: &Plan, key: &Key) -> String {
    let text = plan.key(key);
    let name = text.split(':').next().unwrap_or_default();
    name.trim_matches(['[', ']']).to_owned()
}

/// The contact of an event.
pub(in super::super) fn contact(plan: &Plan, event: usize) -> Option<&Contact> {
    match plan.events.get(event) {
        Some((_, Event::Session(contact))) => Some(contact),
        _ => None,
    }
}
