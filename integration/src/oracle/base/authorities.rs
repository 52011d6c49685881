//! Issuers that may issue what they issue (RFC 5280, 4.2.1.9 and 6.1).

use fastrand::Rng;

use crate::oracle::certificate::{Certificate, Maker, Version};
use crate::oracle::draw::{algorithm, between, chance, key, one_of, serial, word};
use crate::oracle::extension::{
    AlternativeName, CRL_SIGN, Content, DIGITAL_SIGNATURE, Extension, KEY_CERT_SIGN, Known, Purpose,
};
use crate::oracle::keys::Key;
use crate::oracle::plan::Plan;
use crate::oracle::subject::{Attribute, Encoding, Kind, Subject};

/// Puts issuers above the leaf, the topmost mostly self-signed.
pub(super) fn add(rng: &mut Rng, plan: &mut Plan, count: usize) {
    let self_signed_top = chance(rng, 65);
    for depth in 1..=count {
        let authority = if depth > 1 && chance(rng, 8) {
            with_older_key(rng, plan, depth)
        } else {
            authority(rng, plan, depth)
        };
        // What is below was made before its issuer was known.
        issue(rng, plan, depth - 1, &authority);
        plan.certificates.push(authority);
    }
    let top = plan.certificates.len() - 1;
    if self_signed_top || top == 0 && chance(rng, 50) {
        let own = plan.certificates[top].clone();
        issue(rng, plan, top, &own);
    } else {
        let unseen = authority(rng, plan, count + 1);
        issue(rng, plan, top, &unseen);
    }
}

/// An authority that has a new key below: the certificate of that is self-issued, and counts for no
/// path length (RFC 5280, 4.2.1.9).
fn with_older_key(rng: &mut Rng, plan: &mut Plan, depth: usize) -> Certificate {
    let mut older = authority(rng, plan, depth);
    let newer = &mut plan.certificates[depth - 1];
    older.subject = newer.subject.clone();
    if let Some(Content::BasicConstraints { path_length, .. }) =
        older.extension(Known::BasicConstraints)
    {
        let path_length = path_length.map(|length| length - 1);
        older.put(Extension::critical(Content::BasicConstraints {
            authority: true,
            path_length,
        }));
    }
    // OpenSSL tells the two apart by nothing else.
    for one in [&mut older, newer] {
        let own = identifier(one.key);
        one.put(Extension::plain(Content::SubjectKeyIdentifier(own)));
    }
    let below = &mut plan.certificates[depth - 2];
    let by = identifier(below.signed_by);
    below.put(Extension::plain(Content::AuthorityKeyIdentifier(by)));
    older
}

/// Makes `by` the issuer of the certificate at a place.
fn issue(rng: &mut Rng, plan: &mut Plan, place: usize, by: &Certificate) {
    let digest = if by.key.algorithm.is_rsa() && chance(rng, 30) {
        one_of(rng, &crate::oracle::mutate::RSA_DIGESTS)
    } else {
        by.key.algorithm.usual_digest()
    };
    let is_own_name = plan.certificates[place].subject == by.subject;
    let names_key = is_own_name || chance(rng, 60);
    let one = &mut plan.certificates[place];
    one.issuer = by.subject.clone();
    one.signed_by = by.key;
    one.digest = digest;
    if names_key {
        one.put(Extension::plain(Content::AuthorityKeyIdentifier(
            identifier(by.key),
        )));
    }
}

/// The key identifier that all certificates give a key.
pub(in crate::oracle) fn identifier(key: Key) -> Vec<u8> {
    let mut identifier = vec![0x5a; 20];
    identifier[0] = key.algorithm as u8;
    identifier[1] = key.number;
    identifier
}

fn authority(rng: &mut Rng, plan: &Plan, depth: usize) -> Certificate {
    let algorithm = algorithm(rng);
    let key = key(rng, algorithm, &plan.certificates);
    // No two share a name by chance.
    let name = format!("{} {depth}", word(rng));
    let mut subject = Subject::authority("Authorities of the Oracle", &format!("CA {name}"));
    match rng.u8(..20) {
        0..4 => subject
            .0
            .iter_mut()
            .for_each(|one| one.encoding = Encoding::Printable),
        4 => subject = odd_name(rng, &name),
        _ => {}
    }
    let mut authority = Certificate {
        version: Version::Three,
        serial: serial(rng),
        issuer: subject.clone(),
        subject,
        key,
        signed_by: key,
        digest: algorithm.usual_digest(),
        not_before: plan.now - between(rng, 3600, 300_000_000),
        not_after: plan.now + between(rng, 3600, 300_000_000),
        extensions: Vec::new(),
        damage: None,
        maker: if chance(rng, 50) {
            Maker::Rcgen
        } else {
            Maker::Ourselves
        },
    };
    let path_length = if chance(rng, 60) {
        None
    } else {
        // One more than needed, or exactly what is needed.
        u8::try_from(depth - 1 + rng.usize(..2)).ok()
    };
    authority.put(Extension {
        critical: chance(rng, 85),
        content: Content::BasicConstraints {
            authority: true,
            path_length,
        },
    });
    if chance(rng, 80) {
        let more = one_of(rng, &[0, CRL_SIGN, CRL_SIGN | DIGITAL_SIGNATURE]);
        authority.put(Extension::critical(Content::KeyUsage(KEY_CERT_SIGN | more)));
    }
    if chance(rng, 70) {
        authority.put(Extension::plain(Content::SubjectKeyIdentifier(identifier(
            key,
        ))));
    }
    if chance(rng, 15) {
        authority.put(Extension::plain(Content::ExtendedKeyUsage(vec![
            Purpose::Server,
            Purpose::Client,
        ])));
    }
    if chance(rng, 15) {
        constrain(rng, plan, &mut authority);
    }
    if chance(rng, 20) {
        authority.put(Extension::plain(Content::Policies));
    }
    authority
}

/// As some authorities are called, whatever the rules for strings say (X.680, 41.4).
fn odd_name(rng: &mut Rng, name: &str) -> Subject {
    let texts: [&[u8]; 5] = [
        b"Autorit\xe9 de certification",
        "Autorit\u{e9} de certification".as_bytes(),
        b"*.example",
        b"ca@example_1",
        b"",
    ];
    let text = one_of(rng, &texts);
    let encoding = match std::str::from_utf8(text) {
        Ok(_) => one_of(
            rng,
            &[
                Encoding::Utf8,
                Encoding::Printable,
                Encoding::Ia5,
                Encoding::Bmp,
            ],
        ),
        // What calls itself UTF-8 and is not, OpenSSL does not read.
        Err(_) => one_of(rng, &[Encoding::Printable, Encoding::Ia5, Encoding::Bmp]),
    };
    let mut subject = Subject::authority("Oddities", name);
    subject.0.push(Attribute {
        kind: Kind::Organization,
        encoding,
        text: text.to_vec(),
    });
    subject
}

/// Permits what the leaf is called, or excludes what it is not.
fn constrain(rng: &mut Rng, plan: &Plan, authority: &mut Certificate) {
    let fits = match plan.certificates[0].extension(Known::AlternativeNames) {
        Some(Content::AlternativeNames(names)) => names.iter().all(|name| match name {
            AlternativeName::Dns(text) => text.ends_with(b".example") || text.ends_with(b".test"),
            _ => false,
        }),
        _ => false,
    };
    let roots = vec![
        AlternativeName::dns("example"),
        AlternativeName::dns("test"),
    ];
    let elsewhere = vec![AlternativeName::dns(format!("{}.invalid", word(rng)))];
    let content = if fits && chance(rng, 60) {
        Content::NameConstraints {
            permitted: roots,
            excluded: Vec::new(),
        }
    } else {
        Content::NameConstraints {
            permitted: Vec::new(),
            excluded: elsewhere,
        }
    };
    authority.put(Extension {
        critical: chance(rng, 80),
        content,
    });
}
