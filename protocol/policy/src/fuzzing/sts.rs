//! The targets `sts_record` and `sts_policy`: what a domain publishes for MTA-STS, and what of it can
//! reach a mail server.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::Bytes;
use super::evidence::{address, known, trusted};
use super::reply;
use crate::dns::SecurityStatus;
use crate::findings::{
    DaneFinding, Findings, HostFinding, MxFinding, NoHosts, PolicySource, RememberedPolicy,
    Selection, StsFinding,
};
use crate::law::{Answer, LawOptions, MatchName, decide};
use crate::moment::Moment;
use crate::name::{DomainName, MxHost};
use crate::next_hop::NextHop;
use crate::profile::Profile;
use crate::render::render;
use crate::rules::Rules;
use crate::sts::{
    MxPattern, POLICY_LIMIT, PolicyResponseFault, StsMode, StsPolicy, StsRecordFinding,
    read_records, read_response,
};

/// The target `sts_record`: TXT records, 0x1e between them and 0x1f between strings of one.
pub fn sts_record(bytes: &[u8]) {
    let records: Vec<Vec<Vec<u8>>> = bytes
        .split(|byte| *byte == 0x1e)
        .map(|record| {
            record
                .split(|byte| *byte == 0x1f)
                .map(<[u8]>::to_vec)
                .collect()
        })
        .collect();
    let found = read_records(&records);
    // ST-02: strings are joined as they are, and order is of no consequence.
    let joined: Vec<Vec<Vec<u8>>> = records.iter().map(|record| vec![record.concat()]).collect();
    assert_eq!(read_records(&joined), found);
    let turned: Vec<_> = joined.iter().rev().cloned().collect();
    assert_eq!(read_records(&turned), found);
    let ours: Vec<Vec<u8>> = joined
        .concat()
        .into_iter()
        .filter(|text| is_ours(text))
        .collect();
    let mut foreign = joined.clone();
    foreign.push(vec![b"v=STSv2; id=1".to_vec()]);
    foreign.retain(|record| !is_ours(&record.concat()));
    assert_eq!(read_records(&foreign), StsRecordFinding::Absent);
    let agrees = match (&found, ours.as_slice()) {
        (StsRecordFinding::Absent, []) | (StsRecordFinding::Several, [_, _, ..]) => true,
        (StsRecordFinding::One(record), [text]) => {
            one_record(&joined, text, &found);
            Some(&record.id) == id_of(text).as_ref()
        }
        (StsRecordFinding::Malformed(_), [text]) => id_of(text).is_none(),
        _ => false,
    };
    assert!(agrees, "{found:?} of {ours:?}");
}

/// A second one takes the first away, and an extension changes nothing.
fn one_record(records: &[Vec<Vec<u8>>], text: &[u8], found: &StsRecordFinding) {
    let twice = [records.to_vec(), vec![vec![text.to_vec()]]].concat();
    assert_eq!(read_records(&twice), StsRecordFinding::Several);
    let bare = text.trim_ascii_end();
    if !bare.ends_with(b";") {
        let extended = vec![[bare, b";x=y"].concat()];
        assert_eq!(read_records(&[extended]), *found, "an extension counts");
    }
}

fn is_ours(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"v=STSv1").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.starts_with(b";"))
}

/// ST-03, stated anew: the id of a valid record.
fn id_of(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts: Vec<&str> = text.split(';').collect();
    let count = parts.len();
    for (at, part) in parts.iter_mut().enumerate() {
        // Blanks stand around semicolons: neither in front of the version nor behind the last field.
        *part = if at == 0 {
            part
        } else {
            part.trim_start_matches([' ', '\t'])
        };
        *part = if at + 1 == count {
            part
        } else {
            part.trim_end_matches([' ', '\t'])
        };
    }
    if parts.last() == Some(&"") {
        parts.pop();
    }
    let (version, fields) = parts.split_first()?;
    let mut ids = Vec::new();
    for field in fields {
        let (name, value) = field.split_once('=')?;
        let in_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let in_value = |c: char| matches!(c, '!'..='~') && !"=;".contains(c);
        let named = (1..=32).contains(&name.len())
            && name.chars().all(in_name)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !named || value.is_empty() || !value.chars().all(in_value) {
            return None;
        }
        ids.extend((name == "id").then_some(value));
    }
    match (*version, ids.as_slice()) {
        ("v=STSv1", [id]) => {
            let good =
                (1..=32).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric());
            good.then(|| (*id).to_owned())
        }
        _ => None,
    }
}

/// The target `sts_policy`: a line `STATUS MEDIA-TYPE` and the body; without such a line, a good
/// response with the bytes as its body.
pub fn sts_policy(bytes: &[u8]) {
    let (status, media_type, body) = response(bytes);
    let read = read_response(status, media_type.as_deref(), body);
    let bare = media_type.as_deref().unwrap_or_default().split(';').next();
    let plain = bare.is_some_and(|bare| bare.trim().eq_ignore_ascii_case("text/plain"));
    match &read {
        Ok(_) => assert!(status == 200 && plain && body.len() <= POLICY_LIMIT),
        Err(PolicyResponseFault::Status(_)) => assert_ne!(status, 200),
        Err(PolicyResponseFault::MediaType(_)) => assert!(!plain),
        Err(PolicyResponseFault::TooLong) => assert!(body.len() > POLICY_LIMIT),
        Err(PolicyResponseFault::Malformed(why)) => {
            assert_eq!(StsPolicy::parse(body).as_ref(), Err(why));
        }
    }
    let parsed = StsPolicy::parse(body).ok();
    let said = said(body);
    assert_eq!(
        parsed
            .as_ref()
            .map(|policy| (policy.mode, policy.max_age, policy.mx.clone())),
        said,
        "ST-15 to ST-18"
    );
    let Some(policy) = parsed else { return };
    assert_eq!(policy.text.as_bytes(), body, "what is stored is what came");
    let again = StsPolicy::parse(policy.text.as_bytes());
    assert_eq!(again.as_ref(), Ok(&policy), "what is stored reads back");
    same_in_other_words(&policy);
    permits(&policy);
    reaches_the_mta_as_names_only(&policy, bytes.first().copied().unwrap_or(0));
}

fn response(bytes: &[u8]) -> (u16, Option<String>, &[u8]) {
    let good = (200, Some("text/plain".to_owned()), bytes);
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return good;
    };
    let (line, body) = bytes.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return good;
    };
    let (status, media_type) = match line.split_once(' ') {
        Some((status, media_type)) => (status, Some(media_type.to_owned())),
        None => (line, None),
    };
    status
        .parse()
        .map_or(good, |status| (status, media_type, body))
}

/// ST-15 to ST-19, stated anew: what the text says, where it is a policy.
fn said(body: &[u8]) -> Option<(StsMode, Duration, Vec<MxPattern>)> {
    let text = std::str::from_utf8(body).ok()?;
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let line = line
            .strip_suffix("\r\n")
            .or(line.strip_suffix('\n'))
            .unwrap_or(line);
        if line.chars().all(char::is_whitespace) {
            continue;
        }
        let (key, value) = line.split_once(':')?;
        let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=32).contains(&key.len()) || !key.chars().all(known) {
            return None;
        }
        keys.push((key, value.trim_matches([' ', '\t'])));
    }
    let first = |wanted: &str| {
        keys.iter()
            .find(|(key, _)| *key == wanted)
            .map(|(_, value)| *value)
    };
    let mode = match (first("version")?, first("mode")?) {
        ("STSv1", "enforce") => StsMode::Enforce,
        ("STSv1", "testing") => StsMode::Testing,
        ("STSv1", "none") => StsMode::None,
        _ => return None,
    };
    let digits = first("max_age")?;
    if !(1..=10).contains(&digits.len()) || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.chars().filter_map(|c| c.to_digit(10));
    let seconds = seconds.fold(0, |sum: u64, digit| sum * 10 + u64::from(digit));
    let hosts = keys.iter().filter(|(key, _)| *key == "mx");
    let mx: Option<Vec<MxPattern>> = hosts.map(|(_, value)| MxPattern::parse(value)).collect();
    let mx = mx.filter(|mx| !mx.is_empty() || mode == StsMode::None)?;
    Some((mode, Duration::from_secs(seconds.min(31_557_600)), mx))
}

/// ST-15: line ends, unknown keys and repeated keys change nothing; and the values, written anew, are
/// the same policy.
fn same_in_other_words(policy: &StsPolicy) {
    let means = |text: &str| {
        StsPolicy::parse(text.as_bytes()).map(|read| (read.mode, read.max_age, read.mx))
    };
    let meant = Ok((policy.mode, policy.max_age, policy.mx.clone()));
    let unix = policy.text.replace("\r\n", "\n");
    if !unix.contains('\r') {
        assert_eq!(means(&unix), meant);
        assert_eq!(means(&unix.replace('\n', "\r\n")), meant);
        let end = if unix.ends_with('\n') { "" } else { "\n" };
        let more = "mode: none\nx-1: { match=evil }\nversion: 2\nmax_age: x\n";
        let longer = format!("{unix}{end}{more}");
        assert_eq!(means(&longer), meant, "the first of repeated keys counts");
    }
    let hosts: String = policy
        .mx
        .iter()
        .map(|pattern| format!("mx: {pattern}\n"))
        .collect();
    let (mode, seconds) = (policy.mode.word(), policy.max_age.as_secs());
    let anew = format!("version: STSv1\nmode: {mode}\n{hosts}max_age: {seconds}\n");
    assert_eq!(means(&anew), meant);
    assert!(policy.max_age <= Duration::from_secs(31_557_600), "ST-18");
}

/// ST-20: exactly the hosts that are named, and those one label below a wildcard.
fn permits(policy: &StsPolicy) {
    for pattern in &policy.mx {
        let (MxPattern::Exact(base) | MxPattern::Wildcard(base)) = pattern;
        let below = [base.child("m"), base.child("m.n"), base.parent()];
        for host in below.into_iter().flatten().chain([base.clone()]) {
            let expected = policy.mx.iter().any(|pattern| covers(pattern, &host));
            assert_eq!(policy.permits(&host), expected, "{host}: {:?}", policy.mx);
        }
    }
}

fn covers(pattern: &MxPattern, host: &DomainName) -> bool {
    let (MxPattern::Exact(base) | MxPattern::Wildcard(base)) = pattern;
    let skipped = usize::from(matches!(pattern, MxPattern::Wildcard(_)));
    let labels: Vec<&str> = host.as_str().split('.').collect();
    let wanted: Vec<&str> = base.as_str().split('.').collect();
    labels.len() == wanted.len() + skipped && labels.ends_with(&wanted)
}

/// ST-30, PF-12: whatever the policy says, only names that are hosts of the destination, or with no
/// host at all its patterns, stand in the reply, in their places.
fn reaches_the_mta_as_names_only(policy: &StsPolicy, salt: u8) {
    let mut hosts: Vec<DomainName> = Vec::new();
    for pattern in policy.mx.iter().take(4) {
        let (MxPattern::Exact(base) | MxPattern::Wildcard(base)) = pattern;
        hosts.extend(
            [Some(base.clone()), base.child("m"), base.child("m.n")]
                .into_iter()
                .flatten(),
        );
    }
    hosts.push(known("other.test"));
    hosts.sort();
    hosts.dedup();
    for (mx, hosts) in [
        (
            MxFinding::Hosts(Selection::Mx(SecurityStatus::Insecure)),
            hosts.clone(),
        ),
        (
            MxFinding::Hosts(Selection::Mx(SecurityStatus::Secure)),
            hosts,
        ),
        (
            MxFinding::NoHosts {
                why: NoHosts::NxDomain,
                status: SecurityStatus::Insecure,
            },
            Vec::new(),
        ),
    ] {
        let findings = destination(policy, mx, &hosts);
        let options = LawOptions {
            testing_as_enforce: salt & 1 == 1,
            ..LawOptions::default()
        };
        for name in ["postfix", "postfix310"] {
            let profile = Profile::built_in(name).unwrap_or_else(no_profile);
            let now = Moment::default();
            let verdict = decide(
                &findings,
                &Rules::default(),
                &profile,
                &options,
                trusted(now),
            );
            reply::check(&render(&verdict, &profile), &verdict, &profile);
            let Answer::Secure(names) = &verdict.answer else {
                continue;
            };
            for name in names {
                match name {
                    MatchName::Host(name) if hosts.is_empty() => {
                        assert!(
                            policy.mx.contains(&MxPattern::Exact(name.clone())),
                            "{name}"
                        );
                    }
                    MatchName::Below(name) => {
                        assert!(hosts.is_empty());
                        assert!(
                            policy.mx.contains(&MxPattern::Wildcard(name.clone())),
                            "{name}"
                        );
                    }
                    MatchName::Host(name) => {
                        assert!(hosts.contains(name), "{name} is no host");
                        let permitted = policy.mx.iter().any(|pattern| covers(pattern, name));
                        assert!(permitted, "{name} is not permitted");
                    }
                }
            }
        }
    }
}

fn destination(policy: &StsPolicy, mx: MxFinding, hosts: &[DomainName]) -> Findings {
    let host = |name: &DomainName| HostFinding {
        host: MxHost(name.clone()),
        preference: 10,
        aliased: false,
        ipv4: address(1),
        ipv6: address(0),
        dane: DaneFinding::NoneSecure,
    };
    let remembered = RememberedPolicy {
        policy: policy.clone(),
        id: "1".to_owned(),
        fetched: Moment::default(),
    };
    Findings {
        next_hop: NextHop::parse("e.test"),
        mx,
        hosts: hosts.iter().map(host).collect(),
        sts: StsFinding::Policy {
            remembered: Arc::new(remembered),
            source: PolicySource::Fetched,
            trouble: None,
        },
        anchors: Vec::new(),
        anchor_failures: Vec::new(),
        end_entity_failed: Vec::new(),
        lookups: Vec::new(),
        warnings: Vec::new(),
        gathered: Moment::default(),
        lifetime: Duration::from_secs(300),
    }
}

fn no_profile() -> Profile {
    super::orders::profile(&mut Bytes::new(&[]))
}
