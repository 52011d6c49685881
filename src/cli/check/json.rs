//! What was found, for programs. Keys are stable, and always there.

use data_encoding::{BASE64, HEXLOWER};
use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::render::json;
use hoplock_policy::rules::Rules;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, CertificateFacts, Matched, SessionVerdict};
use serde_json::{Value, json};

use super::advice::advice;
use super::judge::{CheckedAddress, Compared};
use super::page::safe;
use super::probe::{Checked, CheckedHost, Tlsa};
use crate::report::reported;
use crate::world::probe::{Probed, Signature, SmtpReply, Stage, Took};

/// One destination with its hosts.
pub(super) fn destination(checked: &Checked, profile: &str, rules: &Rules) -> Value {
    let view = checked.answered.view(&checked.asked, profile, rules);
    let hosts: Vec<Value> = checked.hosts.iter().map(host).collect();
    json!({
        "next_hop": checked.asked,
        "time": rfc3339(checked.time),
        "result": checked.standing().word(),
        "resolver": validation(checked.validation),
        "policy": json::query(&view),
        "hosts": hosts,
    })
}

/// A time as RFC 3339 writes it, to the second.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let seconds = i64::try_from(time.0 / 1000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn validation(validation: Validation) -> &'static str {
    match validation {
        Validation::Validating => "validating",
        Validation::NotValidating => "not-validating",
        Validation::Unknown => "unknown",
    }
}

fn host(host: &CheckedHost) -> Value {
    let addresses: Vec<Value> = host
        .addresses
        .iter()
        .map(|own| address(host, own))
        .collect();
    let notes: Vec<String> = host.notes.iter().map(|note| safe(note)).collect();
    json!({
        "host": host.host.to_string(),
        "preference": host.preference,
        "state": host.state.map(|state| state.word()),
        "duty": host.duty.map(|duty| duty.word()),
        "barred_by_sts": host.barred_by.map(|mode| mode.word()),
        "result": host.standing().word(),
        "tlsa": host.tlsa.as_ref().map(tlsa),
        "addresses": addresses,
        "verdict": host.verdict.as_ref().map(verdict),
        "advice": advice(host, None),
        "notes": notes,
    })
}

fn tlsa(tlsa: &Tlsa) -> Value {
    let usable: Vec<String> = tlsa.usable.iter().map(ToString::to_string).collect();
    let unusable: Vec<Value> = tlsa
        .unusable
        .iter()
        .map(|(rdata, why)| {
            let record = TlsaRecord::from_rdata(rdata).map(|record| record.to_string());
            json!({
                "record": record.ok(),
                "rdata": HEXLOWER.encode(rdata),
                "why": why,
            })
        })
        .collect();
    json!({
        "owner": tlsa.owner.as_ref().map(ToString::to_string),
        "usable": usable,
        "unusable": unusable,
    })
}

fn address(host: &CheckedHost, address: &CheckedAddress) -> Value {
    let probed = &address.probed;
    let chain: Vec<Value> = probed.chain.iter().map(certificate).collect();
    let failure = match &probed.stage {
        Stage::HandshakeFailed { kind, .. } => Some(kind.word()),
        _ => None,
    };
    json!({
        "address": probed.target.address.ip().to_string(),
        "port": probed.target.address.port(),
        "result": address.standing.word(),
        "engine": probed.engine.word(),
        "stage": probed.stage.word(),
        "stage_detail": safe(&probed.stage.to_string()),
        "handshake_failure": failure,
        "banner": probed.banner.as_ref().map(reply),
        "extensions": probed.extensions,
        "extensions_inside": probed.extensions_inside,
        "sni": probed.server_name_sent.as_ref().map(ToString::to_string),
        "tls": tls(probed),
        "chain": chain,
        "trouble": probed.trouble.as_deref().map(safe),
        "engine_verdict": probed.verdict.as_ref().map(|own| json!({
            "authenticated": own.authenticated,
            "words": safe(&own.words),
            "matched": own.matched.as_deref().map(safe),
        })),
        "milliseconds": took(&probed.took),
        "verdict": verdict(&address.verdict),
        "by_tlsa": address.by_tlsa.as_ref().map(compared),
        "by_web_pki": address.by_web_pki.as_ref().map(compared),
        "advice": advice(host, Some(address)),
    })
}

fn reply(reply: &SmtpReply) -> Value {
    json!({"code": reply.code, "lines": reply.lines})
}

fn tls(probed: &Probed) -> Value {
    let Some(tls) = &probed.tls else {
        return Value::Null;
    };
    json!({
        "version": tls.version.map(|version| version.word()),
        "cipher": safe(&tls.cipher),
        "group": tls.group.as_deref().map(safe),
        "key_proved": tls.signature == Signature::Proved,
        "key_trouble": match tls.signature {
            Signature::Proved => None,
            Signature::NotVerifiable(why) => Some(why.word()),
        },
    })
}

fn certificate(certificate: &Certificate) -> Value {
    let facts = CertificateFacts::of(certificate);
    let record = |selector| {
        let record = TlsaRecord::naming(certificate, 3, selector, 1);
        record.map(|record| HEXLOWER.encode(&record.data))
    };
    let time = |seconds| jiff::Timestamp::from_second(seconds).map(|time| time.to_string());
    json!({
        "subject": facts.as_ref().map(|own| safe(&own.subject)),
        "issuer": facts.as_ref().map(|own| safe(&own.issuer)),
        "names": facts.as_ref().map(|own| own.names.iter().map(|name| safe(name)).collect::<Vec<_>>()),
        "not_before": facts.as_ref().and_then(|own| time(own.not_before).ok()),
        "not_after": facts.as_ref().and_then(|own| time(own.not_after).ok()),
        "key": facts.as_ref().map(|own| safe(&own.key)),
        "sha256": record(0),
        "key_sha256": record(1),
        "der": BASE64.encode(certificate.der()),
    })
}

fn took(took: &Took) -> Value {
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    json!({
        "connect": took.connect.map(millis),
        "greeting": took.greeting.map(millis),
        "ehlo": took.ehlo.map(millis),
        "starttls": took.starttls.map(millis),
        "handshake": took.handshake.map(millis),
        "all": millis(took.all),
    })
}

/// The object of the session JSON.
fn verdict(verdict: &SessionVerdict) -> Value {
    let mut line = Vec::new();
    reported::encode(verdict, None, &mut line);
    serde_json::from_slice(&line).unwrap_or(Value::Null)
}

fn compared(compared: &Compared) -> Value {
    match compared {
        Ok(found) => {
            let warnings: Vec<&str> = found.warnings.iter().map(|own| own.word()).collect();
            json!({
                "fits": true,
                "reason": null,
                "detail": null,
                "matched": matched(&found.matched),
                "warnings": warnings,
            })
        }
        Err(refused) => json!({
            "fits": false,
            "reason": refused.reason.word(),
            "detail": safe(&refused.detail),
            "matched": null,
            "warnings": [],
        }),
    }
}

fn matched(matched: &Matched) -> Value {
    match matched {
        Matched::Tlsa { record, depth } => json!({"tlsa": record.to_string(), "depth": depth}),
        Matched::Pin(pin) => json!({"pin": safe(pin)}),
        Matched::Name(name) => json!({"name": safe(name)}),
    }
}
