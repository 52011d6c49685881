//! What was found of a host, for people: one block.

use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{
    Certificate, CertificateFacts, Demand, Matched, SessionVerdict, Sni, Warning,
};

use super::advice::advice;
use super::judge::{CheckedAddress, Compared, Standing};
use super::page::safe;
use super::probe::{CheckedHost, Tlsa};
use crate::cli::page::Page;
use crate::cli::verify::day;
use crate::world::probe::TlsSeen;

/// One host.
pub(super) fn host(host: &CheckedHost) -> String {
    let mut page = Page::default();
    let standing = standing(host.standing());
    page.line(&format!(
        "{}, preference {}: {standing}",
        host.host, host.preference
    ));
    page.fact("owes", owes(host));
    match (&host.tlsa, without_records(host)) {
        (Some(tlsa), _) => records(&mut page, tlsa),
        (None, Some(words)) => page.fact("TLSA", words),
        (None, None) => {}
    }
    for note in &host.notes {
        page.fact("note", &safe(note));
    }
    if host.addresses.is_empty() {
        without_address(&mut page, host);
    }
    let mut shown: Vec<&CheckedAddress> = Vec::new();
    for address in &host.addresses {
        let same = shown.iter().find(|other| {
            let (own, other) = (&address.probed.chain, &other.probed.chain);
            !own.is_empty() && own == other
        });
        session(&mut page, host, address, same.copied());
        shown.push(address);
    }
    page.into_text()
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Unreachable => "not reachable",
        Standing::Kept => "keeps its duty",
        Standing::Inconclusive => "INCONCLUSIVE",
        Standing::Failed => "FAILS its duty",
    }
}

fn owes(host: &CheckedHost) -> &'static str {
    match (host.duty, &host.demand) {
        (None, _) => "nobody knows what",
        (Some(_), Demand::Pins(_)) => "one of the keys that your rule lists",
        (Some(_), Demand::Names(_)) => "a valid certificate for a name that you demand",
        (Some(Duty::Free), _) => "nothing",
        (Some(Duty::Encrypt), _) => "TLS, and nobody is authenticated",
        (Some(Duty::WebPki | Duty::OwnWebPki), _) => {
            "a certificate that a public authority issued for it (MTA-STS)"
        }
        (Some(Duty::Dane), _) => "TLS that its TLSA records authenticate (DANE)",
        (Some(Duty::Refuse), _) => "no session: mail must not go to it",
    }
}

fn without_records(host: &CheckedHost) -> Option<&'static str> {
    Some(match host.state? {
        HostState::NoneSecure => "none, as DNSSEC proves",
        HostState::NoneInsecure => "none that DNSSEC signs",
        HostState::Failed => "not known: the lookup failed",
        _ => return None,
    })
}

fn records(page: &mut Page, tlsa: &Tlsa) {
    let owner = tlsa.owner.as_ref().map(ToString::to_string);
    let mut label = "TLSA";
    let mut fact = |words: &str| {
        page.fact(label, words);
        label = "";
    };
    fact(&format!("at {}", owner.unwrap_or_default()));
    for record in &tlsa.usable {
        fact(&short(record));
    }
    for (rdata, why) in &tlsa.unusable {
        let record = TlsaRecord::from_rdata(rdata);
        let text = record.map_or_else(|_| format!("{} octets", rdata.len()), |own| short(&own));
        fact(&format!("{text}   NOT USABLE: {why}"));
    }
}

/// Whole certificates and keys only by their beginning.
fn short(record: &TlsaRecord) -> String {
    let text = record.to_string();
    if record.data.len() <= LONGEST_DIGEST {
        return text;
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}... ({} octets)", record.data.len())
}

fn without_address(page: &mut Page, host: &CheckedHost) {
    match &host.verdict {
        None => page.fact("address", "none: mail servers pass it over"),
        Some(verdict) => {
            page.fact("verdict", &judged(verdict));
            for words in advice(host, None) {
                page.fact("do", &words);
            }
        }
    }
}

/// One address.
fn session(
    page: &mut Page,
    host: &CheckedHost,
    address: &CheckedAddress,
    same: Option<&CheckedAddress>,
) {
    let probed = &address.probed;
    let at = probed.target.address;
    // The stage of a connection that failed begins with the address.
    let stage = probed.stage.to_string().replace(&format!("{at}: "), "");
    page.fact("address", &format!("{at}: {}", safe(&stage)));
    if address.standing == Standing::Unreachable {
        for words in advice(host, Some(address)) {
            page.fact("do", &words);
        }
        return;
    }
    if let Some(tls) = &probed.tls {
        page.fact("TLS", &tls_words(tls));
    }
    match probed.session().map(|session| session.sni) {
        Some(Sni::Sent(name)) => page.fact("asked for", name.as_str()),
        Some(Sni::NotSent) => page.fact("asked for", "no name: TLS cannot carry this one"),
        Some(Sni::Unknown) | None => {}
    }
    match same {
        Some(other) => page.fact(
            "certificate",
            &format!("the same as at {}", other.probed.target.address.ip()),
        ),
        None => chain(page, &probed.chain),
    }
    if let Some(trouble) = &probed.trouble {
        page.fact("note", &format!("after that, {}", safe(trouble)));
    }
    by_the_engine(page, address);
    page.fact("verdict", &judged(&address.verdict));
    for warning in &address.verdict.warnings {
        page.fact("note", told(*warning));
    }
    besides(page, host, address);
    for words in advice(host, Some(address)) {
        page.fact("do", &words);
    }
}

fn tls_words(tls: &TlsSeen) -> String {
    let version = tls.version.map_or("unknown version", |own| own.word());
    let cipher = safe(&tls.cipher);
    let group = tls.group.as_deref();
    let group = group.map_or_else(|| "no key exchange".to_owned(), safe);
    format!("{version}, {cipher}, {group}")
}

/// What a host shows is whatever it likes: printable, and of bounded length.
fn chain(page: &mut Page, chain: &[Certificate]) {
    for (depth, certificate) in chain.iter().take(DEPTHS).enumerate() {
        let label = if depth == 0 { "certificate" } else { "" };
        page.fact(label, &format!("{depth}: {}", facts(certificate)));
    }
    let more = chain.len().saturating_sub(DEPTHS);
    if more > 0 {
        page.fact("", &format!("and {more} more"));
    }
}

fn facts(certificate: &Certificate) -> String {
    let Some(facts) = CertificateFacts::of(certificate) else {
        return format!("{} octets that cannot be read", certificate.der().len());
    };
    let shown = facts.names.len().min(NAMES);
    let more = facts.names.len() - shown;
    let mut names = facts.names.get(..shown).unwrap_or_default().join(" ");
    if more > 0 {
        names.push_str(&format!(" and {more} more"));
    }
    let names = if names.is_empty() {
        "no name".to_owned()
    } else {
        names
    };
    format!(
        "{}, for {}, by {}, {} to {}, {}",
        safe(&facts.subject),
        safe(&names),
        safe(&facts.issuer),
        day(facts.not_before),
        day(facts.not_after),
        safe(&facts.key)
    )
}

fn judged(verdict: &SessionVerdict) -> String {
    let (outcome, reason) = (verdict.outcome.word(), verdict.reason.word());
    let mut words = format!("{outcome} ({reason})");
    if let Some(matched) = &verdict.matched {
        words.push_str(&format!(": {}", matching(matched)));
    }
    if !verdict.detail.is_empty() {
        words.push_str(&format!(": {}", safe(&verdict.detail)));
    }
    words
}

fn matching(matched: &Matched) -> String {
    match matched {
        Matched::Tlsa { record, depth } => {
            let digits: String = record.to_string().chars().take(ABBREVIATED).collect();
            format!("{digits}... matches at depth {depth}")
        }
        Matched::Pin(pin) => format!("pin {} matches", safe(pin)),
        Matched::Name(name) => format!("valid for {}", safe(name)),
    }
}

/// What OpenSSL itself says of the records, where it was asked.
fn by_the_engine(page: &mut Page, address: &CheckedAddress) {
    let Some(own) = &address.probed.verdict else {
        return;
    };
    let words = own.matched.as_ref().unwrap_or(&own.words);
    page.fact("OpenSSL", &format!("says {}", safe(words)));
    if let Some(compared) = &address.by_tlsa
        && compared.is_ok() != own.authenticated
    {
        let words = "hoplock does not agree with OpenSSL on these records; of names, OpenSSL was told the \
                     host's alone";
        page.fact("note", words);
    }
}

/// What its certificate would be worth under what does not bind here.
fn besides(page: &mut Page, host: &CheckedHost, address: &CheckedAddress) {
    let duty = host.duty;
    let told = |compared: &Compared| match compared {
        Ok(found) => matching(&found.matched),
        Err(refused) => format!("{}: {}", refused.reason, safe(&refused.detail)),
    };
    let is_told = duty == Some(Duty::Dane) || address.verdict.matched.is_some();
    if let (Some(compared), false) = (&address.by_tlsa, is_told) {
        page.fact("by TLSA", &told(compared));
    }
    let by_policy = matches!(duty, Some(Duty::WebPki | Duty::OwnWebPki));
    if let (Some(compared), false) = (&address.by_web_pki, by_policy) {
        page.fact("by web PKI", &told(compared));
    }
}

fn told(warning: Warning) -> &'static str {
    match warning {
        Warning::SniMissing => "no server name was asked for",
        Warning::SniOther => "another server name was asked for than the TLSA base domain",
        Warning::AnchorExpired => {
            "the issuer that matches has expired; it is an intermediate, of which OpenSSL does not \
             mind"
        }
        Warning::CommonName => {
            "the name stands in the subject alone; the alternative names lack it"
        }
        Warning::TlsVersionOld => "TLS before 1.2 authenticates nobody any more",
        Warning::StaleCache => "the record matched only when it was looked up anew",
        Warning::DaneDisagrees => {
            "its TLSA records bind nothing here, and do not match its certificate"
        }
        Warning::MxInsecure => {
            "a TLSA record matches, but unsigned MX records name this host: that proves nothing"
        }
        Warning::RawKeyUnexpected => "a bare key, where not every record can match one",
        Warning::MtaWord | Warning::MtaDisagrees => "by the mail server's word",
        Warning::CertificateDates => {
            "the certificate is out of date, which its DANE-EE record does not mind"
        }
    }
}

/// The longest digest, which is shown whole.
const LONGEST_DIGEST: usize = 64;
/// Characters of a record that is listed whole above.
const ABBREVIATED: usize = 14;
/// Characters shown of longer data.
const SHOWN: usize = 40;
/// Certificates shown of a chain.
const DEPTHS: usize = 8;
/// Names shown of a certificate.
const NAMES: usize = 6;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hoplock_policy::name::DomainName;
    use hoplock_policy::reason::Reason;

    use super::*;
    use crate::world::probe::{Engine, Phase, ProbeTarget, Probed, SmtpReply, Stage};

    const EVIL: &str = "\u{1b}[2J\u{202e}\u{7}evil\r\n";

    fn shown(stage: Stage) -> String {
        let name = DomainName::parse("mx.e.test").unwrap();
        let target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name.clone());
        let probed = Probed {
            stage,
            trouble: Some(EVIL.to_owned()),
            chain: vec![Certificate::from_der(EVIL.as_bytes())],
            tls: Some(TlsSeen {
                version: None,
                cipher: EVIL.to_owned(),
                group: Some(EVIL.to_owned()),
                signature: crate::world::probe::Signature::Proved,
            }),
            ..Probed::nothing(target, Engine::Rustls)
        };
        host(&CheckedHost {
            host: name,
            preference: 10,
            state: Some(HostState::NoneSecure),
            duty: Some(Duty::Free),
            demand: Demand::Nothing,
            barred_by: None,
            tlsa: None,
            addresses: vec![CheckedAddress {
                probed,
                standing: Standing::Inconclusive,
                verdict: SessionVerdict::unknown(Reason::HostNotReady, EVIL),
                by_tlsa: None,
                by_web_pki: None,
            }],
            verdict: None,
            notes: vec![EVIL.to_owned()],
        })
    }

    /// ID-04: whatever a peer says reaches the terminal as printable ASCII.
    #[test]
    fn peers_do_not_write_to_the_terminal() {
        let reply = SmtpReply {
            code: 554,
            lines: vec![EVIL.to_owned()],
        };
        for stage in [
            Stage::Established,
            Stage::BadGreeting(reply),
            Stage::Injected {
                text: EVIL.to_owned(),
            },
            Stage::Lost {
                phase: Phase::Ehlo,
                detail: EVIL.to_owned(),
            },
        ] {
            let text = shown(stage);
            let plain = |c: char| matches!(c, ' '..='~' | '\n');
            assert!(text.chars().all(plain), "{text:?}");
            assert!(text.contains("evil") && text.lines().count() > 6, "{text}");
        }
    }
}
