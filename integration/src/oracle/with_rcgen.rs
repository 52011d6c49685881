//! Plain certificates as rcgen writes them, so that not every octet comes from our own writer.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, SignatureAlgorithm, SigningKey, date_time_ymd,
};

use super::certificate::{Certificate, Maker, Version, key_bits};
use super::extension::{AlternativeName, Content, Extension, Purpose};
use super::keys::{Digest, Key, Signatory};
use super::subject::{Encoding, Kind, Subject};

/// The octets, where this certificate is meant for rcgen and rcgen can write it.
pub(super) fn write(certificate: &Certificate, signatory: &mut Signatory) -> Option<Vec<u8>> {
    let params = params(certificate)?;
    let key = Half::new(certificate.key, None, signatory)?;
    let by = Half::new(certificate.signed_by, Some(certificate.digest), signatory)?;
    // Of the issuer only its name and its key identifier are asked for.
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = name(&certificate.issuer)?;
    issuer.key_identifier_method = KeyIdMethod::PreSpecified(authority_identifier(certificate));
    let by = Signing {
        half: by,
        key: certificate.signed_by,
        digest: certificate.digest,
        signatory: RefCell::new(signatory),
    };
    let made = params.signed_by(&key, &Issuer::new(issuer, by)).unwrap();
    Some(made.der().to_vec())
}

fn params(certificate: &Certificate) -> Option<CertificateParams> {
    let plain = certificate.maker == Maker::Rcgen
        && certificate.version == Version::Three
        && certificate.damage.is_none()
        && !certificate.has_flawed_extensions()
        && certificate.not_before >= 0
        && matches!(certificate.serial[..], [1..=0x7f, ..]);
    if !plain {
        return None;
    }
    let at = |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.unsigned_abs());
    let mut params = CertificateParams::default();
    params.not_before = at(certificate.not_before);
    params.not_after = at(certificate.not_after);
    params.serial_number = Some(SerialNumber::from_slice(&certificate.serial));
    params.distinguished_name = name(&certificate.subject)?;
    for extension in &certificate.extensions {
        if !add(&mut params, extension, certificate) {
            params.custom_extensions.push(custom(extension));
        }
    }
    Some(params)
}

/// Adds an extension in rcgen's own words; false where it has none that come to the same.
fn add(params: &mut CertificateParams, extension: &Extension, whole: &Certificate) -> bool {
    match (&extension.content, extension.critical) {
        (Content::AlternativeNames(names), critical)
            if critical == whole.subject.0.is_empty() && !names.is_empty() =>
        {
            let names: Option<Vec<SanType>> = names.iter().map(alternative).collect();
            params.subject_alt_names = names.unwrap_or_default();
            !params.subject_alt_names.is_empty()
        }
        (Content::KeyUsage(bits), true) => {
            params.key_usages = USAGES
                .iter()
                .enumerate()
                .filter(|(place, _)| bits & (0x8000 >> place) != 0)
                .map(|(_, usage)| *usage)
                .collect();
            !params.key_usages.is_empty()
        }
        (Content::ExtendedKeyUsage(purposes), false) => {
            let purposes: Option<Vec<ExtendedKeyUsagePurpose>> = purposes
                .iter()
                .map(|purpose| purpose_of(*purpose))
                .collect();
            params.extended_key_usages = purposes.unwrap_or_default();
            !params.extended_key_usages.is_empty()
        }
        (Content::AuthorityKeyIdentifier(_), false) => {
            params.use_authority_key_identifier_extension = true;
            true
        }
        (
            Content::BasicConstraints {
                authority: true,
                path_length,
            },
            true,
        ) if subject_identifier(whole).is_some() => {
            params.is_ca = IsCa::Ca(match path_length {
                None => BasicConstraints::Unconstrained,
                Some(length) => BasicConstraints::Constrained(*length),
            });
            true
        }
        // Comes with the constraints above.
        (Content::SubjectKeyIdentifier(identifier), false) if is_plain_authority(whole) => {
            params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.clone());
            true
        }
        _ => false,
    }
}

fn custom(extension: &Extension) -> CustomExtension {
    let mut custom =
        CustomExtension::from_oid_content(extension.known().numbers(), extension.content.der());
    custom.set_criticality(extension.critical);
    custom
}

fn is_plain_authority(certificate: &Certificate) -> bool {
    certificate.extensions.iter().any(|extension| {
        extension.critical
            && matches!(
                extension.content,
                Content::BasicConstraints {
                    authority: true,
                    ..
                }
            )
    })
}

fn subject_identifier(certificate: &Certificate) -> Option<&[u8]> {
    certificate
        .extensions
        .iter()
        .find_map(|extension| match &extension.content {
            Content::SubjectKeyIdentifier(identifier) if !extension.critical => {
                Some(&identifier[..])
            }
            _ => None,
        })
}

fn authority_identifier(certificate: &Certificate) -> Vec<u8> {
    let found = certificate
        .extensions
        .iter()
        .find_map(|extension| match &extension.content {
            Content::AuthorityKeyIdentifier(identifier) => Some(identifier.clone()),
            _ => None,
        });
    found.unwrap_or_default()
}

/// rcgen takes each kind of attribute once.
fn name(subject: &Subject) -> Option<DistinguishedName> {
    let mut name = DistinguishedName::new();
    for attribute in &subject.0 {
        let kind = match attribute.kind {
            Kind::CommonName => DnType::CommonName,
            Kind::Organization => DnType::OrganizationName,
            Kind::Country => DnType::CountryName,
        };
        let text = String::from_utf8(attribute.text.clone()).ok()?;
        let value = match attribute.encoding {
            Encoding::Utf8 => DnValue::Utf8String(text),
            Encoding::Printable => DnValue::PrintableString(text.try_into().ok()?),
            Encoding::Ia5 | Encoding::Bmp => return None,
        };
        if name.get(&kind).is_some() {
            return None;
        }
        name.push(kind, value);
    }
    Some(name)
}

fn alternative(name: &AlternativeName) -> Option<SanType> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).ok()?.try_into().ok();
    match name {
        AlternativeName::Dns(octets) => text(octets).map(SanType::DnsName),
        AlternativeName::Email(octets) => text(octets).map(SanType::Rfc822Name),
        AlternativeName::Uri(octets) => text(octets).map(SanType::URI),
        AlternativeName::Address(octets) => {
            let four: Result<[u8; 4], _> = octets[..].try_into();
            let sixteen: Result<[u8; 16], _> = octets[..].try_into();
            let address = four.map(IpAddr::from).or(sixteen.map(IpAddr::from));
            address.ok().map(SanType::IpAddress)
        }
        AlternativeName::Directory(_) | AlternativeName::Other(_) => None,
    }
}

fn purpose_of(purpose: Purpose) -> Option<ExtendedKeyUsagePurpose> {
    match purpose {
        Purpose::Server => Some(ExtendedKeyUsagePurpose::ServerAuth),
        Purpose::Client => Some(ExtendedKeyUsagePurpose::ClientAuth),
        Purpose::Email => Some(ExtendedKeyUsagePurpose::EmailProtection),
        Purpose::Any => Some(ExtendedKeyUsagePurpose::Any),
        Purpose::Gated | Purpose::Unknown => None,
    }
}

/// The public half of a key in rcgen's words.
struct Half {
    bits: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl Half {
    fn new(key: Key, digest: Option<Digest>, signatory: &Signatory) -> Option<Self> {
        let digest = digest.unwrap_or_else(|| key.algorithm.usual_digest());
        let algorithm = digest.in_rcgen(key.algorithm)?;
        // Without the header and the number of unused bits.
        let bits = key_bits(signatory.pool.public(key));
        let header = if bits[1] < 0x80 {
            2
        } else {
            2 + usize::from(bits[1] & 0x7f)
        };
        Some(Self {
            bits: bits[header + 1..].to_vec(),
            algorithm,
        })
    }
}

impl PublicKeyData for Half {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// A key of the pool that signs for rcgen.
struct Signing<'a> {
    half: Half,
    key: Key,
    digest: Digest,
    /// rcgen signs through a shared reference.
    signatory: RefCell<&'a mut Signatory>,
}

impl PublicKeyData for Signing<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.half.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.half.algorithm
    }
}

impl SigningKey for Signing<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self
            .signatory
            .borrow_mut()
            .sign(self.key, self.digest, message);
        Ok(signature)
    }
}

/// In the order of RFC 5280, 4.2.1.3.
const USAGES: [KeyUsagePurpose; 9] = [
    KeyUsagePurpose::DigitalSignature,
    KeyUsagePurpose::ContentCommitment,
    KeyUsagePurpose::KeyEncipherment,
    KeyUsagePurpose::DataEncipherment,
    KeyUsagePurpose::KeyAgreement,
    KeyUsagePurpose::KeyCertSign,
    KeyUsagePurpose::CrlSign,
    KeyUsagePurpose::EncipherOnly,
    KeyUsagePurpose::DecipherOnly,
];
