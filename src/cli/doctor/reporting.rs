//! Whether TLS reports can leave: who tells of sessions, who takes mail, who signs it.

use std::path::Path;

use hoplock_policy::dns::{Answer, Question, RecordData, RecordType};
use hoplock_policy::name::DomainName;

use super::Findings;
use crate::adapters::dns::DnsStub;
use crate::adapters::key_file;
use crate::adapters::program;
use crate::config::{Config, Dkim, Mailer, ReportConfig};
use crate::report::dkim::DkimKey;
use crate::serve::engine::{dns_options, servers};
use crate::world::Resolver as _;

/// Nothing is said where no reports are made.
pub(super) async fn reporting(findings: &mut Findings, config: &Config) {
    let report = &config.report;
    if !report.counts() {
        return;
    }
    sources(findings, config);
    mailer(findings, report);
    if report.dkim == Dkim::Key {
        key(findings, config).await;
    }
    if let Some(to) = &report.redirect {
        findings.advice(
            "reports",
            format!("all TLS reports go to {to}, and none to the domains that ask for them"),
            "take [report] redirect out when you have seen enough",
        );
    }
}

fn sources(findings: &mut Findings, config: &Config) {
    let listen = &config.listen;
    let sockets = [&listen.tlsrpt, &listen.sessions, &listen.readsocket];
    let by_sendmail = config.profiles.values().any(|profile| profile.verifier);
    if sockets.iter().all(|own| own.is_empty())
        && config.sources.postfix_log.is_none()
        && !by_sendmail
    {
        findings.problem(
            "reports",
            "TLS reports are made, and nobody tells of sessions",
            "name [listen] tlsrpt for Postfix 3.10, [sources] postfix_log for an older one, [listen] \
             readsocket for Exim, or verifier = true in the profile of Sendmail",
        );
    }
}

fn mailer(findings: &mut Findings, report: &ReportConfig) {
    if let Mailer::Program(path) = &report.mailer {
        if program::may("-x", path, None) {
            findings.fine("reports", format!("{} takes report mail", path.display()));
            findings.advice(
                "reports-mailer",
                format!(
                    "{} needs rights that the packaged unit does not leave it (NoNewPrivileges)",
                    path.display()
                ),
                "[report] mailer = \"smtp:127.0.0.1:25\", where your mail server listens on loopback",
            );
        } else {
            findings.problem(
                "reports",
                format!("{} cannot be run, so no TLS report leaves by mail", path.display()),
                "[report] mailer = \"smtp:127.0.0.1:25\", or the path of your mail server's sendmail",
            );
        }
    }
}

/// RP-12: the key signs, and the world finds its other half.
async fn key(findings: &mut Findings, config: &Config) {
    let report = &config.report;
    let parts = report.dkim_key.as_ref().zip(report.dkim_selector.clone());
    let Some(((path, selector), domain)) = parts.zip(report.submitter()) else {
        // The configuration has its complaint already.
        return;
    };
    if let Some(words) = key_file::complaint(path) {
        findings.advice(
            "reports-key",
            words,
            format!("chmod 640 {}", path.display()),
        );
    }
    match read(path, domain, selector) {
        Err(words) => findings.problem(
            "reports-key",
            words,
            "make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out FILE",
        ),
        Ok(key) => published(findings, config, &key).await,
    }
}

fn read(path: &Path, domain: DomainName, selector: DomainName) -> Result<DkimKey, String> {
    let pem = key_file::read(path).map_err(|error| error.to_string())?;
    DkimKey::from_pem(&pem, domain, selector)
        .map_err(|error| format!("the key {}: {error}", path.display()))
}

async fn published(findings: &mut Findings, config: &Config, key: &DkimKey) {
    let owner = key.record();
    let Ok(name) = DomainName::parse(&owner) else {
        return;
    };
    let stub = DnsStub::new(dns_options(config), &servers(config));
    let reply = stub.lookup(Question::new(name, RecordType::Txt)).await;
    let cure = format!("publish the public half as a TXT record at {owner} (RFC 6376, 3.6.1)");
    match &reply.answer {
        Answer::Records { data, .. } => {
            let is_key = |record: &RecordData| match record {
                RecordData::Txt(strings) => {
                    String::from_utf8_lossy(&strings.concat()).contains("p=")
                }
                _ => false,
            };
            if data.iter().any(is_key) {
                findings.fine("reports-key", format!("{owner} has a key record"));
            } else {
                findings.problem("reports-key", format!("{owner} has no key record"), cure);
            }
        }
        Answer::NoData(_) | Answer::NxDomain(_) => {
            findings.problem("reports-key", format!("{owner} has no key record"), cure);
        }
        Answer::Failed(failure) => findings.advice(
            "reports-key",
            format!("{owner} cannot be looked up: {}", failure.detail),
            "look again when the resolver answers",
        ),
    }
}
