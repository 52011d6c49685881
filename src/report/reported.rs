//! Session reports, from the words of their reporters to what is judged.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::{NextHop, NotADomain};
use hoplock_policy::sts::StsPolicy;
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use hoplock_policy::verify::{
    Certificate, Matched, Owed, Presented, ReferenceNames, Session, SessionVerdict, Sni, Starttls,
    TlsVersion,
};
use hoplock_wire::session::{MatchedLine, ReportedSession, ResultLine, VerdictLine};
use rustls_pki_types::TrustAnchor;

/// A report, read.
#[derive(Clone, Debug)]
pub struct Reported {
    /// What happened.
    pub session: Session,
    /// When, if the report says so.
    pub time: Option<Timestamp>,
    /// What the reporter knew of the policy.
    pub evidence: Evidence,
}

/// What came with a report to judge it by.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// TLSA records of the host.
    pub records: Option<TlsaSet>,
    /// Names that count under DANE-TA.
    pub names: Option<Vec<DomainName>>,
    /// The MTA-STS policy.
    pub sts: Option<StsPolicy>,
}

/// Reads what a reporter says.
///
/// # Errors
/// Words that name the key that cannot be what it should be.
pub fn read(line: &ReportedSession, tlsa: &TlsaOptions) -> Result<Reported, String> {
    let name = |key: &str, text: &str| {
        DomainName::parse(text).map_err(|why| format!("{key} is no host name: {why}"))
    };
    let next_hop = match &line.next_hop {
        None => None,
        Some(text) => Some(next_hop(text)?),
    };
    let mx_host = match &line.mx_host {
        None => None,
        Some(text) => Some(MxHost(name("mx_host", text)?)),
    };
    let sni = match &line.sni {
        // CM-31: a reporter who does not say is flagged like one who says none.
        hoplock_wire::session::Sni::Unknown | hoplock_wire::session::Sni::NotSent => Sni::NotSent,
        hoplock_wire::session::Sni::Sent(text) => Sni::Sent(name("sni", text)?),
    };
    let presented = match (&line.chain, &line.raw_key) {
        (Some(chain), _) if !chain.is_empty() => {
            Presented::Chain(chain.iter().cloned().map(Certificate::from_der).collect())
        }
        (_, Some(key)) => Presented::RawKey(key.clone()),
        (Some(_), None) | (None, None) => Presented::Unknown,
    };
    let session = Session {
        next_hop,
        mx_host,
        address: line.address,
        port: line.port,
        starttls: line.starttls.and_then(|own| Starttls::parse(own.word())),
        tls_version: line.tls_version.as_deref().and_then(TlsVersion::parse),
        cipher: line.cipher.clone(),
        sni,
        presented,
        resumed: line.resumed.unwrap_or(false),
    };
    Ok(Reported {
        session,
        time: line.time.as_deref().map(time).transpose()?,
        evidence: evidence(line, tlsa)?,
    })
}

fn next_hop(text: &str) -> Result<NextHop, String> {
    match NextHop::parse(text) {
        NextHop::NotADomain(NotADomain::Malformed(why)) => {
            Err(format!("next_hop is no destination: {why}"))
        }
        next_hop => Ok(next_hop),
    }
}

fn evidence(line: &ReportedSession, tlsa: &TlsaOptions) -> Result<Evidence, String> {
    let records = match &line.tlsa {
        None => None,
        Some(texts) => {
            let records: Vec<TlsaRecord> = texts
                .iter()
                .map(|text| text.parse().map_err(|why| format!("tlsa: {why}")))
                .collect::<Result<_, String>>()?;
            let rdata: Vec<Vec<u8>> = records.iter().map(TlsaRecord::rdata).collect();
            Some(TlsaSet::read(rdata.iter().map(Vec::as_slice), tlsa))
        }
    };
    let names = match &line.names {
        None => None,
        Some(texts) => Some(
            texts
                .iter()
                .map(|text| DomainName::parse(text).map_err(|why| format!("names: {why}")))
                .collect::<Result<_, String>>()?,
        ),
    };
    let sts = match &line.sts_policy {
        None => None,
        Some(text) => {
            let policy = StsPolicy::parse(text.as_bytes());
            Some(policy.map_err(|why| format!("sts_policy: {why}"))?)
        }
    };
    Ok(Evidence {
        records,
        names,
        sts,
    })
}

/// A time as RFC 3339 writes it.
///
/// # Errors
/// Words that say how it is written.
pub fn time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("{text:?} is no time as in 2026-11-22T10:00:00Z"))?;
    let millis = u64::try_from(time.as_millisecond());
    millis
        .map(Timestamp)
        .map_err(|_| format!("{text:?} is before 1970"))
}

impl Evidence {
    /// What the session owed by this evidence alone; `None` where there is none.
    ///
    /// Names that the report leaves out are those behind a secure MX set, as TLSA records imply one.
    #[must_use]
    pub fn owed<'a>(
        &'a self,
        session: &Session,
        authorities: &'a [TrustAnchor<'static>],
    ) -> Option<Owed<'a>> {
        let base = session.mx_host.as_ref();
        let base = base.map(|host| TlsaBaseDomain(host.0.clone()));
        let names = match &self.names {
            Some(names) => ReferenceNames::exactly(names.iter().cloned()),
            None => {
                let domain = session.next_hop.as_ref().and_then(NextHop::name);
                let names = base.as_ref().map(|base| &base.0).into_iter().chain(domain);
                ReferenceNames::exactly(names.cloned())
            }
        };
        let records = self.records.clone();
        Owed::by_evidence(records, names, base, self.sts.as_ref(), authorities)
    }
}

/// A verdict as one line of JSON, with its line feed.
pub fn encode(verdict: &SessionVerdict, id: Option<&str>, out: &mut Vec<u8>) {
    let record;
    let matched = match &verdict.matched {
        None => None,
        Some(Matched::Tlsa { record: own, depth }) => {
            record = own.to_string();
            Some(MatchedLine::Tlsa {
                tlsa: &record,
                depth: *depth,
            })
        }
        Some(Matched::Pin(pin)) => Some(MatchedLine::Pin { pin }),
        Some(Matched::Name(name)) => Some(MatchedLine::Name { name }),
    };
    let line = VerdictLine {
        verdict: verdict.outcome.word(),
        reason: verdict.reason.word(),
        matched,
        warnings: verdict.warnings.iter().map(|own| own.word()).collect(),
        results: verdict
            .results
            .iter()
            .map(|result| ResultLine {
                policy: result.policy.word(),
                verdict: result.outcome.word(),
                reason: result.reason.word(),
                detail: told(&result.detail),
            })
            .collect(),
        detail: told(&verdict.detail),
        id,
    };
    line.encode(out);
}

fn told(detail: &str) -> Option<&str> {
    (!detail.is_empty()).then_some(detail)
}
