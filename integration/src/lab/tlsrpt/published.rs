//! What the stage publishes: domains that ask for reports in each way, where reports go, and the keys that
//! sign them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;
use crate::lab::servers::must;
use crate::lab::zones::Plan;

/// What the stage needs of it.
pub(in crate::lab) struct Published {
    /// The TLS of the receiver by HTTPS.
    pub(super) receiver: Arc<ServerConfig>,
}

/// Where a domain's reports go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Mail,
    Post,
    /// Both.
    Two,
    /// A receiver that refuses for ever.
    Refused,
    /// It asked when mail was sent, and asks no more.
    Gone,
    /// It has two records.
    Ambiguous,
}

/// The domain of this number, of [`DOMAINS`].
pub(super) fn domain(number: usize) -> String {
    format!("d{number:02}.rpt.test")
}

/// Where its reports go.
pub(super) fn target(number: usize) -> Target {
    match number {
        3..=6 => Target::Post,
        7 | 8 => Target::Two,
        9 => Target::Refused,
        10 => Target::Gone,
        11 => Target::Ambiguous,
        _ => Target::Mail,
    }
}

/// The record that a mail server sees.
pub(super) fn record(number: usize) -> String {
    let own = domain(number);
    let mail = format!("mailto:r@{own}");
    let rua = match target(number) {
        Target::Mail | Target::Gone | Target::Ambiguous => mail,
        Target::Post => format!("https://{RECEIVER}/{own}"),
        Target::Two => format!("{mail},https://{RECEIVER}/{own}"),
        Target::Refused => format!("https://{RECEIVER}/refused"),
    };
    format!("v=TLSRPTv1; rua={rua}")
}

/// Plans all of it.
pub(in crate::lab) fn plan(plan: &mut Plan, folder: &Path) -> Published {
    let sink = plan.host(SINK, Manner::Good, Flaw::None);
    plan.tlsa(SINK, &sink.end_entity(1, 1));
    for number in 0..DOMAINS {
        let own = domain(number);
        plan.mx(&own, 10, SINK);
        let mut records = vec![record(number)];
        match target(number) {
            Target::Gone => records.clear(),
            Target::Ambiguous => records.push("v=TLSRPTv1; rua=mailto:other@rpt.test".to_owned()),
            _ => {}
        }
        for record in records {
            plan.record(&format!("_smtp._tls.{own}. 300 IN TXT \"{record}\""));
        }
    }
    // Mail for it waits for ever, and its reports go there.
    plan.mx(NO_MATCH, 10, "mx.nomatch.rpt.test");
    plan.host("mx.nomatch.rpt.test", Manner::Good, Flaw::None);
    plan.tlsa("mx.nomatch.rpt.test", &format!("3 1 1 {}", "5a".repeat(32)));
    plan.asks_for_reports(NO_MATCH);
    // And one without any flaw for real mail.
    plan.mx(MATCH, 10, SINK);
    plan.asks_for_reports(MATCH);
    plan.record(&format!("{RECEIVER}. 300 IN A {RECEIVER_ADDRESS}"));
    sign_as(plan, folder);
    Published {
        receiver: plan.authority.issue(RECEIVER, Flaw::None).tls,
    }
}

/// One key for all installations of the stage, in a record for each.
fn sign_as(plan: &mut Plan, folder: &Path) {
    let key = folder.join("dkim.pem");
    must(
        Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(&key)
            .arg("2048"),
    );
    must(Command::new("chmod").arg("640").arg(&key));
    let mut public = Command::new("openssl");
    public.args(["pkey", "-pubout", "-in"]).arg(&key);
    let pem = must(&mut public);
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    fs::write(folder.join("dkim.public"), &base64).unwrap();
    let (front, rest) = base64.split_at(200);
    for installation in INSTALLATIONS {
        plan.record(&format!(
            "{SELECTOR}._domainkey.{installation}.client.lab.test. 300 IN TXT \
             \"v=DKIM1; k=rsa; s=tlsrpt; p={front}\" \"{rest}\""
        ));
    }
}

/// Those that report in this stage.
const INSTALLATIONS: [&str; 5] = ["solo", "older", "redis", "valkey", "pair"];
pub(super) const DOMAINS: usize = 40;
pub(super) const SELECTOR: &str = "tls";
/// The host where all report mail arrives.
pub(super) const SINK: &str = "mx.rpt.test";
/// Its DANE records match nothing.
pub(super) const NO_MATCH: &str = "nomatch.rpt.test";
/// Its mail arrives.
pub(super) const MATCH: &str = "match.rpt.test";
/// The receiver by HTTPS.
pub(super) const RECEIVER: &str = "tls-reports.rpt.test";
pub(super) const RECEIVER_ADDRESS: &str = "127.0.2.5";
