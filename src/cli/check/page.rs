//! What was found, for people: a head for each destination, then one block for each host.

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{Findings, MxFinding, NoHosts, Selection, StsFinding, Validation};
use hoplock_policy::law::Answer;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{
    Certificate, CertificateFacts, Demand, Matched, SessionVerdict, Sni, Warning,
};

use super::advice::advice;
use super::judge::{CheckedAddress, Compared, Standing};
use super::probe::{Checked, CheckedHost, Tlsa};
use crate::cli::page::Page;
use crate::cli::verify::day;
use crate::world::probe::TlsSeen;

/// One destination, without its hosts.
pub(super) fn head(checked: &Checked) -> String {
    let mut page = Page::default();
    page.line(&format!(
        "{}: {}.",
        escaped(&checked.asked),
        sentence(checked)
    ));
    if checked.validation != Validation::Validating {
        page.fact(
            "WARNING",
            "your resolver was not seen to validate DNSSEC, so hosts may owe DANE and nothing here \
             shows it; see `hoplock doctor`",
        );
    }
    let answered = &checked.answered;
    if let Some(findings) = answered.findings.as_deref() {
        page.fact("MX records", &mx(findings));
        page.fact("MTA-STS", &sts(findings));
        for warning in &findings.warnings {
            page.fact("note", &safe(warning));
        }
    }
    let reply = answered.rendered.to_string();
    page.fact("Postfix", &format!("is told {:?}", reply.trim_end()));
    let detail = &answered.verdict.detail;
    if answered.verdict.answer == Answer::Temp && !reply.contains(detail) {
        page.fact("", &safe(detail));
    }
    if let Some(rule) = &answered.verdict.rule {
        page.fact("rule", &format!("{:?} counts", rule.pattern.to_string()));
    }
    page.into_text()
}

/// One host.
pub(super) fn host(host: &CheckedHost) -> String {
    let mut page = Page::default();
    let standing = standing(host.standing());
    page.line(&format!(
        "{}, preference {}: {standing}",
        host.host, host.preference
    ));
    page.fact("owes", &owes(host));
    if let Some(tlsa) = &host.tlsa {
        records(&mut page, tlsa);
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

fn sentence(checked: &Checked) -> String {
    let count = |standing| {
        let hosts = checked.hosts.iter();
        hosts.filter(|host| host.standing() == standing).count()
    };
    let all = checked.hosts.len();
    let (failed, kept) = (count(Standing::Failed), count(Standing::Kept));
    let (unclear, gone) = (count(Standing::Inconclusive), count(Standing::Unreachable));
    if all == 0 {
        return match checked.standing() {
            Standing::Inconclusive => "it is not known which hosts it has".to_owned(),
            _ => "no host takes mail for it".to_owned(),
        };
    }
    if gone == all {
        return "none of its hosts could be reached".to_owned();
    }
    let mut parts = Vec::new();
    let mut part = |count: usize, one: &str, many: &str| {
        if count > 0 {
            let words = if count == 1 { one } else { many };
            parts.push(format!("{count} {words}"));
        }
    };
    part(failed, "FAILS its duty", "FAIL their duty");
    part(kept, "keeps its duty", "keep their duty");
    part(unclear, "is inconclusive", "are inconclusive");
    part(gone, "could not be reached", "could not be reached");
    let hosts = if all == 1 { "host" } else { "hosts" };
    format!("of {all} {hosts} {}", parts.join(", "))
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Unreachable => "not reachable",
        Standing::Kept => "keeps its duty",
        Standing::Inconclusive => "INCONCLUSIVE",
        Standing::Failed => "FAILS its duty",
    }
}

fn mx(findings: &Findings) -> String {
    match &findings.mx {
        MxFinding::Hosts(Selection::Named) => "not asked for: the host is named".to_owned(),
        MxFinding::Hosts(Selection::Implicit(status)) => {
            format!(
                "none ({}), so the domain is its own mail host",
                status.word()
            )
        }
        MxFinding::Hosts(Selection::Mx(SecurityStatus::Secure)) => {
            "secure (proved by DNSSEC)".to_owned()
        }
        MxFinding::Hosts(Selection::Mx(status)) => {
            format!("{} (not proved by DNSSEC)", status.word())
        }
        MxFinding::NoHosts { why, status } => {
            let why = match why {
                NoHosts::NxDomain => "the domain does not exist",
                NoHosts::NullMx => "the domain takes no mail (null MX)",
                NoHosts::NoUsableExchange => "no record names a host",
            };
            format!("{why} ({})", status.word())
        }
        MxFinding::Failed(failure) => {
            let words = safe(&failure.detail);
            format!("the lookup FAILED: {}, {words}", failure.kind.word())
        }
    }
}

fn sts(findings: &Findings) -> String {
    match &findings.sts {
        StsFinding::NotApplicable => "does not apply here".to_owned(),
        StsFinding::Absent(_) => "none".to_owned(),
        StsFinding::Failed(failure) => {
            let words = safe(&failure.detail);
            format!("NOT KNOWN: {}, {words}", failure.kind.word())
        }
        StsFinding::Policy { remembered, .. } => {
            let policy = &remembered.policy;
            let patterns: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
            let shown = patterns.len().min(PATTERNS);
            let more = patterns.len() - shown;
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let shown = patterns.get(..shown).unwrap_or_default().join(" ");
            format!("{}, for {shown}{more}", policy.mode.word())
        }
    }
}

fn owes(host: &CheckedHost) -> String {
    let words = match (host.duty, &host.demand) {
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
    };
    let state = host.state.map_or("", |state| match state {
        HostState::NoneSecure => ", and is proved to have no TLSA records",
        HostState::NoneInsecure => ", and has no TLSA records that are signed",
        HostState::Failed => ", for its TLSA records cannot be looked up",
        _ => "",
    });
    format!("{words}{state}")
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
pub(in crate::cli) fn short(record: &TlsaRecord) -> String {
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

fn session(
    page: &mut Page,
    host: &CheckedHost,
    address: &CheckedAddress,
    same: Option<&CheckedAddress>,
) {
    let probed = &address.probed;
    page.fact(
        "address",
        &format!(
            "{}: {}",
            probed.target.address,
            safe(&probed.stage.to_string())
        ),
    );
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
            format!("{} matches at depth {depth}", short(record))
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
        page.fact("note", "OpenSSL and hoplock do not agree on these records");
    }
}

/// What its certificate would be worth under what does not bind here.
fn besides(page: &mut Page, host: &CheckedHost, address: &CheckedAddress) {
    let duty = host.duty;
    let told = |compared: &Compared| match compared {
        Ok(found) => matching(&found.matched),
        Err(refused) => format!("{}: {}", refused.reason, safe(&refused.detail)),
    };
    if let (Some(compared), false) = (&address.by_tlsa, duty == Some(Duty::Dane)) {
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

pub(super) fn safe(text: &str) -> String {
    escaped(text).to_string()
}

/// The longest digest, which is shown whole.
const LONGEST_DIGEST: usize = 64;
/// Characters shown of longer data.
const SHOWN: usize = 40;
/// Certificates shown of a chain.
const DEPTHS: usize = 8;
/// Names shown of a certificate.
const NAMES: usize = 6;
/// Patterns shown of a policy.
const PATTERNS: usize = 8;
