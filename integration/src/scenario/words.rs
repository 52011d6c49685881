//! Words of scenario files: records, statuses, policies.

use std::time::Duration;

use hoplock::world::scripted::ScriptedPolicy;
use hoplock::world::{PolicyResponse, Validation};
use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::OwnDaneSeen;

use super::load::duration;

pub(super) fn policy(
    rest: &str,
    response: impl Fn(u16, &str, &str) -> PolicyResponse,
) -> Result<ScriptedPolicy, String> {
    let mut words = rest.split_whitespace();
    let mode = words.next().ok_or("no mode")?;
    if !["enforce", "testing", "none"].contains(&mode) {
        return Err(format!("unknown behaviour {rest:?}"));
    }
    let mut body = format!("version: STSv1\nmode: {mode}\n");
    let mut max_age = "86400".to_owned();
    let mut after = Duration::ZERO;
    for word in words {
        match word.split_once('=') {
            Some(("mx", pattern)) => body.push_str(&format!("mx: {pattern}\n")),
            Some(("max_age", seconds)) => seconds.clone_into(&mut max_age),
            Some(("after", delay)) => after = duration(delay)?,
            _ => return Err(format!("unknown word {word:?}")),
        }
    }
    body.push_str(&format!("max_age: {max_age}\n"));
    Ok(ScriptedPolicy::Responds(
        response(200, "text/plain", &body),
        after,
    ))
}

pub(super) fn record(record_type: RecordType, data: &[&str]) -> Result<RecordData, String> {
    Ok(match (record_type, data) {
        (RecordType::A, [address]) => RecordData::A(address.parse().map_err(|_| "a bad address")?),
        (RecordType::Aaaa, [address]) => {
            RecordData::Aaaa(address.parse().map_err(|_| "a bad address")?)
        }
        (RecordType::Cname, [target]) => RecordData::Cname(domain(target)?),
        (RecordType::Mx, [preference, exchange]) => RecordData::Mx {
            preference: preference.parse().map_err(|_| "a bad preference")?,
            exchange: exchange_of(exchange),
        },
        (RecordType::Srv, [priority, _weight, port, target]) => RecordData::Srv {
            priority: priority.parse().map_err(|_| "a bad priority")?,
            port: port.parse().map_err(|_| "a bad port")?,
            target: exchange_of(target),
        },
        (RecordType::Txt, strings) => {
            let joined = strings.join(" ");
            let parts = joined.split('|').map(|part| part.as_bytes().to_vec());
            RecordData::Txt(parts.collect())
        }
        (RecordType::Tlsa, words) => RecordData::Tlsa(tlsa(words)?),
        _ => return Err(format!("bad data {data:?}")),
    })
}

fn exchange_of(text: &str) -> Exchange {
    match (text, DomainName::parse(text)) {
        (".", _) => Exchange::Null,
        (_, Ok(name)) => Exchange::Host(name),
        (_, Err(_)) => Exchange::Malformed(text.to_owned()),
    }
}

/// `ee`, `ee2`, `ta`, `pkix`, `short`, or `U S M HEX`.
fn tlsa(words: &[&str]) -> Result<Vec<u8>, String> {
    let digest = |head: [u8; 3], byte| [&head[..], &[byte; 32]].concat();
    Ok(match words {
        ["ee"] => digest([3, 1, 1], 0xab),
        ["ee2"] => digest([3, 1, 1], 0xcd),
        ["ta"] => digest([2, 0, 1], 0xab),
        ["pkix"] => digest([1, 1, 1], 0xab),
        ["short"] => vec![3, 1],
        [usage, selector, matching, hex] => {
            let number = |text: &str| text.parse::<u8>().map_err(|_| "a bad number".to_owned());
            let mut rdata = vec![number(usage)?, number(selector)?, number(matching)?];
            for at in (0..hex.len()).step_by(2) {
                let pair = hex.get(at..at + 2).ok_or("odd hexadecimal")?;
                rdata.push(u8::from_str_radix(pair, 16).map_err(|_| "bad hexadecimal")?);
            }
            rdata
        }
        _ => return Err(format!("bad TLSA data {words:?}")),
    })
}

pub(super) fn domain(text: &str) -> Result<DomainName, String> {
    DomainName::parse(text).map_err(|why| format!("{text:?}: {why}"))
}

pub(super) fn status_of(word: &str) -> Option<SecurityStatus> {
    match word {
        "secure" => Some(SecurityStatus::Secure),
        "insecure" => Some(SecurityStatus::Insecure),
        _ => None,
    }
}

pub(super) fn failure(word: &str) -> Option<FailureKind> {
    Some(match word {
        "SERVFAIL" => FailureKind::ServFail,
        "BOGUS" => FailureKind::Bogus,
        "TIMEOUT" => FailureKind::Timeout,
        "REFUSED" => FailureKind::Refused,
        "MALFORMED" => FailureKind::Malformed,
        "UNREACHABLE" => FailureKind::Unreachable,
        _ => return None,
    })
}

pub(super) fn type_of(word: &str) -> Result<RecordType, String> {
    Ok(match word {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "CNAME" => RecordType::Cname,
        "MX" => RecordType::Mx,
        "TLSA" => RecordType::Tlsa,
        "SRV" => RecordType::Srv,
        "TXT" => RecordType::Txt,
        _ => return Err(format!("unknown type {word:?}")),
    })
}

/// What is known of a resolver, from here on.
pub(super) enum Looked {
    /// Ours.
    Resolver(Validation),
    /// Ours, once it is tested.
    WhenTested(Validation),
    /// Postfix's, with its settings.
    Postfix(OwnDaneSeen),
}

/// `validating`, or `postfix works`.
pub(super) fn resolver(words: &str) -> Result<Looked, String> {
    Ok(match words {
        "validating" => Looked::Resolver(Validation::Validating),
        "not-validating" => Looked::Resolver(Validation::NotValidating),
        "unknown" => Looked::Resolver(Validation::Unknown),
        "not-validating when tested" => Looked::WhenTested(Validation::NotValidating),
        "unknown when tested" => Looked::WhenTested(Validation::Unknown),
        "postfix works" => Looked::Postfix(OwnDaneSeen::Works),
        "postfix lookups-off" => Looked::Postfix(OwnDaneSeen::LookupsOff),
        "postfix not-validating" => Looked::Postfix(OwnDaneSeen::ResolverDoesNotValidate),
        "postfix unknown" => Looked::Postfix(OwnDaneSeen::ResolverUnknown),
        "postfix not-found" => Looked::Postfix(OwnDaneSeen::NotFound),
        _ => return Err(format!("unknown words {words:?}")),
    })
}
