//! The TLSRPT record (RFC 8460, 3): whether senders can tell of failures.

use super::{Doubt, Finding, Kind, Notes, Seen, Severity};
use crate::report::record::Reporting;
use crate::watch::finding::Basis;

/// `publishes`: there is something whose failures are worth reports.
pub(super) fn judge(notes: &mut Notes, seen: &Seen, publishes: bool) {
    let domain = &seen.domain;
    match &seen.tlsrpt {
        Reporting::NotWanted(why) if publishes => notes.find(Finding::new(
            Kind::TlsrptMissing,
            Severity::Note,
            format!("{domain} asks nobody for TLS reports"),
            format!("{why}: whoever fails at its DANE or MTA-STS has nobody to tell"),
            format!("_smtp._tls.{domain}. IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@{domain}\""),
        )),
        Reporting::NotWanted(_) => {}
        Reporting::Invalid(why) => notes.find(Finding::new(
            Kind::TlsrptInvalid,
            Severity::Warning,
            format!("{domain} gets no TLS reports: its record is not valid"),
            why.clone(),
            format!(
                "exactly one record of this form: _smtp._tls.{domain}. IN TXT \
                 \"v=TLSRPTv1; rua=mailto:tls-reports@{domain}\" (RFC 8460, 3)"
            ),
        )),
        Reporting::Unknown(why) => {
            notes.doubt(Doubt::on(&[Basis::Tlsrpt]));
            notes.find(Finding::new(
                Kind::LookupUnanswered,
                Severity::Note,
                "the TLSRPT record could not be looked up",
                why.clone(),
                "look again; if it stays, see whether the name servers of the domain answer",
            ));
        }
        Reporting::Wanted(record) if record.ignored.is_empty() => {}
        Reporting::Wanted(record) => notes.find(Finding::new(
            Kind::TlsrptTarget,
            Severity::Warning,
            format!("no report can be sent to {}", record.ignored.join(", ")),
            "such a target is neither a mailto: address nor an https: URL, or is one too many",
            "write rua=mailto:ADDRESS or rua=https://HOST/PATH (RFC 8460, 3)",
        )),
    }
}
