//! The manual, as far as no server is needed: its blocks are known and few are left out, its links lead
//! somewhere, what it shows can be read, and the pages that list something list all of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hoplock::config::Config;
use hoplock_integration::manual::block::{Info, Program};
use hoplock_integration::manual::mark::Mark;
use hoplock_integration::manual::{Page, links, pages, root};
use hoplock_policy::reason::Reason;

fn all() -> Vec<Page> {
    pages().unwrap_or_else(|words| panic!("{words}"))
}

/// Each block says what it is, and of the commands at most one in ten is not run.
#[test]
fn nearly_all_commands_are_run() {
    let pages = all();
    let commands = pages
        .iter()
        .flat_map(|page| &page.blocks)
        .filter(|block| block.info.is_run());
    let (mut run, mut left) = (0, Vec::new());
    for block in commands {
        match &block.mark {
            Some(Mark::NotRun(_)) => left.push(&block.text),
            _ => run += 1,
        }
    }
    assert!(run >= 40, "only {run} blocks of commands were found");
    assert!(
        left.len() * 10 <= run + left.len(),
        "{} of {} are not run: {left:?}",
        left.len(),
        run + left.len()
    );
}

/// Configuration is accepted without a complaint, but where the page tells of one; JSON is JSON.
#[test]
fn what_is_shown_can_be_read() {
    let mut read = 0;
    for page in all() {
        for block in &page.blocks {
            let place = format!("{}:{}", page.name, block.line);
            match block.info {
                Info::Configuration(Program::Hoplock) => {
                    let (config, complaints) = Config::parse(&block.text, &[]);
                    let warns = block.mark == Some(Mark::Configuration("warns".to_owned()));
                    let said: Vec<String> = complaints.iter().map(ToString::to_string).collect();
                    assert!(config.is_some(), "{place}: {said:?}");
                    assert_eq!(said.is_empty(), !warns, "{place}: {said:?}");
                    read += 1;
                }
                Info::Json if block.mark.is_none() => {
                    serde_json::from_str::<serde_json::Value>(&block.text)
                        .unwrap_or_else(|error| panic!("{place}: {error}"));
                    read += 1;
                }
                _ => {}
            }
        }
    }
    assert!(read >= 25, "only {read} blocks were read");
}

/// Every link within the repository leads to a file, and to a heading of it; every page is reached.
#[test]
fn links_lead_somewhere() {
    let pages = all();
    let anchors: BTreeMap<&str, BTreeSet<String>> = pages
        .iter()
        .map(|page| (page.name.as_str(), links::anchors(page)))
        .collect();
    let mut followed = 0;
    for page in &pages {
        for (target, anchor) in links::links(page) {
            let name = target.to_str().unwrap();
            assert!(
                root().join(&target).exists(),
                "{}: {name} is not there",
                page.name
            );
            if let Some(anchor) = anchor {
                assert!(
                    anchors[name].contains(&anchor),
                    "{}: {name} has no #{anchor}",
                    page.name
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 100, "only {followed} links were found");
    for from in ["README.md", "docs/README.md"] {
        let lost = links::unreachable(&pages, &[from]);
        assert!(lost.is_empty(), "no way leads from {from} to {lost:?}");
    }
    let index = links::links(
        pages
            .iter()
            .find(|page| page.name == "docs/README.md")
            .unwrap(),
    );
    let index: BTreeSet<_> = index.iter().filter_map(|(page, _)| page.to_str()).collect();
    let missing: Vec<_> = pages
        .iter()
        .map(|page| page.name.as_str())
        .filter(|name| name.starts_with("docs/") && *name != "docs/README.md")
        .filter(|name| !index.contains(name))
        .collect();
    assert!(missing.is_empty(), "docs/README.md lacks {missing:?}");
}

/// When a reason makes mail wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defers {
    /// In the answer, before any connection.
    Before,
    /// Where a session is refused.
    InSession,
    Never,
}

/// A reason that is new does not compile here until somebody has decided; then the page needs it.
fn defers(reason: Reason) -> Defers {
    match reason {
        Reason::SrvOff
        | Reason::StsNoMxMatches
        | Reason::StsFirstContact
        | Reason::StoreFailed
        | Reason::MxLookupFailed
        | Reason::TlsaLookupFailed
        | Reason::AddressLookupFailed
        | Reason::DaneRequired
        | Reason::MxInsecure
        | Reason::ResolverNotValidating
        | Reason::MtaCannotAuthenticate
        | Reason::Rule
        | Reason::Deadline
        | Reason::UnknownMap
        | Reason::BadRequest
        | Reason::Busy
        | Reason::ReplyTooLong
        | Reason::Internal => Defers::Before,
        Reason::ResumedUnknown
        | Reason::ReportIncomplete
        | Reason::PolicyUnknown
        | Reason::StarttlsNotOffered
        | Reason::StarttlsRefused
        | Reason::HandshakeFailed
        | Reason::TlsVersionTooOld
        | Reason::CipherUnauthenticated
        | Reason::HostRefused
        | Reason::HostUnknown
        | Reason::TlsaNoMatch
        | Reason::AnchorNotInChain
        | Reason::AnchorIsLeaf
        | Reason::AnchorNotIssuer
        | Reason::IssuerNotAuthority
        | Reason::PathTooLong
        | Reason::NameNotPermitted
        | Reason::PurposeMismatch
        | Reason::SignatureInvalid
        | Reason::SignatureWeak
        | Reason::ExtensionUnknown
        | Reason::PathSearchExhausted
        | Reason::CertificateUnreadable
        | Reason::CertificateExpired
        | Reason::CertificateNotYetValid
        | Reason::CertificateNameMismatch
        | Reason::CertificateNotTrusted
        | Reason::RawKeyNotUsable
        | Reason::PinNoMatch
        | Reason::StsHostNotListed
        | Reason::MtaRefused
        | Reason::MtaPolicyWeaker => Defers::InSession,
        Reason::NotADomain
        | Reason::ParentKey
        | Reason::NoHosts
        | Reason::NoPolicy
        | Reason::DaneAllHosts
        | Reason::DaneSomeHosts
        | Reason::DaneEndEntityOnly
        | Reason::DaneTrustAnchors
        | Reason::PinsWouldBend
        | Reason::TlsaUnusable
        | Reason::ImplicitTls
        | Reason::HalfDane
        | Reason::StsEnforce
        | Reason::TlsRequiredNo
        | Reason::RuleFallback
        | Reason::RuleAudit
        | Reason::RuleOff
        | Reason::TlsaMatch
        | Reason::StsMatch
        | Reason::NameMatch
        | Reason::PinMatch
        | Reason::OpportunisticTls
        | Reason::EncryptedAsOwed
        | Reason::Resumed
        | Reason::PeerTooOld
        | Reason::HostNotReached
        | Reason::HostNotReady
        | Reason::MtaVerified => Defers::Never,
    }
}

/// `docs/deferred.md` has every reason for which mail waits, where it belongs, and no other.
#[test]
fn every_reason_to_wait_is_explained() {
    let page = fs::read_to_string(root().join("docs/deferred.md")).unwrap();
    for (section, when) in [
        ("## Reasons before any connection", Defers::Before),
        ("## Reasons in the session", Defers::InSession),
    ] {
        let (_, part) = page.split_once(section).unwrap();
        let part = part.split("\n## ").next().unwrap();
        let rows = part.lines().filter(|line| line.starts_with("| `"));
        let listed: Vec<&str> = rows
            .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
            .map(|word| word.trim().trim_matches('`'))
            .collect();
        let wanted: BTreeSet<&str> = Reason::ALL
            .iter()
            .filter(|reason| defers(**reason) == when)
            .map(|reason| reason.word())
            .collect();
        assert_eq!(
            listed.iter().copied().collect::<BTreeSet<_>>(),
            wanted,
            "{section}"
        );
        assert_eq!(listed.len(), wanted.len(), "{section}: one is there twice");
    }
    // What the scenarios saw deferred is nothing else: golden rows say which reasons come with TEMP.
    for reason in deferring_in_scenarios() {
        let known = Reason::ALL.iter().find(|own| own.word() == reason);
        assert!(
            known.is_some_and(|reason| defers(*reason) == Defers::Before),
            "a scenario is deferred for {reason:?}"
        );
    }
}

/// The reason words of TEMP replies that scenarios expect.
fn deferring_in_scenarios() -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    let mut folders = vec![root().join("integration/scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let replies = text.split("TEMP ").skip(1);
                let words = replies.filter_map(|rest| rest.split_once(':'));
                let is_word = |word: &&str| {
                    word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                };
                reasons.extend(
                    words
                        .map(|(word, _)| word)
                        .filter(is_word)
                        .map(str::to_owned),
                );
            }
        }
    }
    assert!(reasons.len() >= 5, "{reasons:?}");
    reasons
}

/// `docs/standards.md`: each clause names code that names the clause, and tests that name a requirement.
#[test]
fn clauses_lead_to_code_and_tests() {
    let page = fs::read_to_string(root().join("docs/standards.md")).unwrap();
    let (mut standard, mut rows) = (String::new(), 0);
    let mut wrong = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            standard = heading.split(':').next().unwrap().to_owned();
            continue;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", section, _, ids, code, tests, ""] = cells[..] else {
            continue;
        };
        if section == "section" || section.starts_with("---") {
            continue;
        }
        rows += 1;
        let ids: Vec<&str> = ids.split(',').map(str::trim).collect();
        for path in code.split(',').map(|cell| cell.trim().trim_matches('`')) {
            let named =
                |text: &str| text.contains(&standard) || ids.iter().any(|id| text.contains(id));
            if path.is_empty() || !names(path, named) {
                wrong.push(format!("{standard}, {section}: {path:?} does not name it"));
            }
        }
        for path in tests.split(',').map(|cell| cell.trim().trim_matches('`')) {
            if path.is_empty() || !names(path, |text| ids.iter().any(|id| text.contains(id))) {
                wrong.push(format!(
                    "{standard}, {section}: {path:?} names none of {ids:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows > 90, "only {rows} clauses were found");
}

fn names(path: &str, good: impl Fn(&str) -> bool) -> bool {
    let path = root().join(Path::new(path));
    fs::read_to_string(path).is_ok_and(|text| good(&text))
}
