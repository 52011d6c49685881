//! The targets `names` and `next_hop`: names, patterns and keys, as anybody may spell them.

use crate::name::{DomainName, TlsaBaseDomain};
use crate::next_hop::{NextHop, NotADomain, escaped};
use crate::sts::MxPattern;

/// The target `names`: the bytes as the text of a name, and of a pattern of an MTA-STS policy.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let name = DomainName::parse(&text);
    if text.is_ascii() && !text.to_ascii_lowercase().contains("xn--") {
        assert_eq!(
            name.is_ok(),
            is_name(&text.to_ascii_lowercase()),
            "{text:?}"
        );
    }
    if let Ok(name) = &name {
        good_name(name, &text);
    }
    let pattern = MxPattern::parse(&text);
    if let Some(pattern) = &pattern {
        good_pattern(pattern, &text);
    }
    if let Ok(name) = &name
        && text.is_ascii()
        && !text.ends_with('.')
        && !text.contains('_')
        && !name.is_address()
    {
        let exact = matches!(&pattern, Some(MxPattern::Exact(own)) if own == name);
        assert!(exact, "ST-19: {text:?}");
    }
    let safe = format!("{}", escaped(&text));
    assert!(
        safe.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "ID-04"
    );
    assert!(safe.len() < 320, "an echo of {} octets", safe.len());
}

/// RFC 1035, 2.3.4 and RFC 5890, 2.3.1, for a text in lower case without A-labels.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(good)
}

fn good_name(name: &DomainName, text: &str) {
    let written = name.to_string();
    assert_eq!(name.as_str(), written);
    assert!(is_name(&written) && !written.ends_with('.'), "{written:?}");
    let again = |text: &str| DomainName::parse(text).ok();
    assert_eq!(again(&written).as_ref(), Some(name), "{text:?}");
    assert_eq!(again(&format!("{written}.")).as_ref(), Some(name));
    assert_eq!(
        again(&text.to_ascii_uppercase()).as_ref(),
        Some(name),
        "{text:?}"
    );
    // ID-02: what people are shown is the same name, where it can be typed at all.
    let (shown, _) = idna::domain_to_unicode(&written);
    let typed = again(&shown);
    assert!(
        typed.is_none_or(|typed| typed == *name),
        "{written} is shown as {shown}"
    );
    let labels: Vec<&str> = name.as_str().split('.').collect();
    assert_eq!(labels.join("."), written);
    assert_eq!(name.is_single_label(), labels.len() == 1);
    match name.parent() {
        None => assert!(name.is_single_label()),
        Some(parent) => {
            assert_eq!(parent.as_str().split('.').count() + 1, labels.len());
            let first = labels.first().copied().unwrap_or_default();
            assert_eq!(parent.child(first).as_ref(), Some(name));
        }
    }
    let owner = TlsaBaseDomain(name.clone()).owner(65535);
    let expected = format!("_65535._tcp.{written}");
    let fits = expected.len() <= 253;
    assert_eq!(owner.map(|name| name.to_string()), fits.then_some(expected));
}

/// ST-19, ST-20: a host, or a wildcard over exactly the first label.
fn good_pattern(pattern: &MxPattern, text: &str) {
    assert!(text.is_ascii() && !text.ends_with('.'), "{text:?}");
    assert_eq!(pattern.to_string(), text.to_ascii_lowercase());
    assert_eq!(
        MxPattern::parse(&pattern.to_string()).as_ref(),
        Some(pattern)
    );
    let (MxPattern::Exact(base) | MxPattern::Wildcard(base)) = pattern;
    assert!(!base.is_address() && !base.as_str().contains(['_', '*']));
    let wild = matches!(pattern, MxPattern::Wildcard(_));
    assert_eq!(text.starts_with("*."), wild);
    assert_eq!(pattern.matches(base), !wild);
    let glued = DomainName::parse(&format!("x{base}"));
    assert!(!glued.is_ok_and(|name| pattern.matches(&name)), "{text:?}");
    if let Some(child) = base.child("m") {
        assert_eq!(pattern.matches(&child), wild, "{text:?}");
        let below = child.child("x");
        assert!(
            !below.is_some_and(|name| pattern.matches(&name)),
            "{text:?}"
        );
    }
    assert!(!base.parent().is_some_and(|name| pattern.matches(&name)));
}

/// The target `next_hop`: the bytes as the key of a lookup.
pub fn next_hop(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = NextHop::parse(&text);
    let written = read.to_string();
    assert!(
        written.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "ID-04: {written:?}"
    );
    match &read {
        NextHop::Domain { domain, port } => {
            is_asked_about(&domain.0, &text);
            assert_ne!(*port, 0);
        }
        NextHop::Host { host, port } => {
            is_asked_about(&host.0, &text);
            assert_ne!(*port, 0);
            assert!(written.starts_with('['));
        }
        NextHop::Service { domain, service } => {
            good_name(&domain.0, domain.0.as_str());
            assert!(service.owner(domain).is_some());
            assert_eq!(read.port(), None);
        }
        NextHop::Parent(_) => assert!(text.starts_with('.')),
        NextHop::NotADomain(what) => {
            assert_eq!((read.name(), read.port()), (None, None));
            let again = NextHop::parse(&written);
            match what {
                NotADomain::Address(address) => {
                    assert_eq!(what.address(), Some(*address));
                    assert_eq!(again, read, "{text:?}");
                }
                NotADomain::SingleLabel(_) => assert_eq!(again, read, "{text:?}"),
                NotADomain::Path | NotADomain::Port | NotADomain::Malformed(_) => {
                    assert!(matches!(again, NextHop::NotADomain(_)), "{written}");
                }
            }
            return;
        }
    }
    // ID-02: each spelling is the same destination, and so is the one in caches and in the store.
    assert_eq!(NextHop::parse(&written), read, "{text:?}");
    assert_eq!(NextHop::parse(&text.to_ascii_uppercase()), read, "{text:?}");
    let is_service = matches!(read, NextHop::Service { .. });
    let by_port = matches!(read.port(), Some(465 | 587));
    assert_eq!(read.is_submission(), is_service || by_port);
}

/// NX-03, NX-05: nothing that is asked about is an address, or a name of this host.
fn is_asked_about(name: &DomainName, text: &str) {
    good_name(name, name.as_str());
    let local = name.is_single_label() || name.as_str().ends_with(".localhost");
    assert!(!local && !name.is_address(), "{text:?} is asked about");
    assert!(!text.starts_with(['.', '/']), "{text:?}");
}
