//! Tables that more than one page shows.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{SessionOutcome, Starttls, TlsVersion};
use maud::{Markup, html};

use super::words::{at, from_now};
use crate::serve::rulebook::{Listed, Standing};
use crate::serve::target::percent_encoded;
use crate::world::JournalEntry;

/// A link to what is known of a destination.
pub(super) fn destination(name: &str) -> Markup {
    html! { a href={ "/destination?next_hop=" (percent_encoded(name)) } { (name) } }
}

/// Sessions, as they come.
pub(super) fn sessions(entries: &[(u64, JournalEntry)]) -> Markup {
    html! {
        div.scroll {
            table.sessions {
                thead {
                    tr {
                        th { "Time" } th { "Destination" } th { "Host" } th { "TLS" } th { "Verdict" }
                        th { "Why" }
                    }
                }
                tbody {
                    @for (number, entry) in entries {
                        tr id={ "session-" (number) } {
                            td data-label="Time" { (at(entry.time)) }
                            td data-label="Destination" {
                                @match &entry.next_hop {
                                    Some(next_hop) => { (destination(&next_hop.to_string())) }
                                    None => { "not told" }
                                }
                            }
                            td data-label="Host" { (entry.mx_host.as_ref().map(ToString::to_string).unwrap_or_default()) }
                            td data-label="TLS" { (transport(entry)) }
                            td data-label="Verdict" { (outcome(entry.outcome)) }
                            td.long data-label="Why" { (why(entry.reason, &entry.detail)) }
                        }
                    }
                }
            }
        }
    }
}

fn transport(entry: &JournalEntry) -> String {
    match (entry.tls_version, entry.starttls) {
        (Some(version), _) => TlsVersion::word(version).to_owned(),
        (None, Some(starttls)) => Starttls::word(starttls).to_owned(),
        (None, None) => String::new(),
    }
}

/// A verdict on a session, as a mark with a word in it.
pub(super) fn outcome(outcome: SessionOutcome) -> Markup {
    let class = match outcome {
        SessionOutcome::AuthenticatedDane => "dane",
        SessionOutcome::AuthenticatedSts => "mta-sts",
        SessionOutcome::AuthenticatedPinned => "pinned",
        SessionOutcome::Encrypted => "encrypted",
        SessionOutcome::Cleartext => "clear",
        SessionOutcome::Failed => "waiting",
        SessionOutcome::Indeterminate => "unknown",
    };
    html! { span class={ "mark " (class) } { (outcome.word()) } }
}

fn why(reason: Reason, detail: &str) -> Markup {
    html! { (reason.word()) @if !detail.is_empty() { ": " (detail) } }
}

/// Rules, no more than `most`: those that end soon or have ended while they protected, first.
pub(super) fn rules(listed: &[Listed], now: Timestamp, most: usize) -> Markup {
    let mut sorted: Vec<&Listed> = listed.iter().collect();
    let order = |own: &Listed| match own.standing {
        Standing::NotUnderstood | Standing::ExpiredProtection => 0,
        Standing::NearExpiry => 1,
        Standing::Active => 2,
        Standing::Overlaid => 3,
        Standing::Expired => 4,
    };
    sorted.sort_by_key(|own| (order(own), own.rule.expires.map_or(u64::MAX, |end| end.0)));
    html! {
        div.scroll {
            table.rules {
                thead {
                    tr { th { "For" } th { "Says" } th { "Standing" } th { "Ends" } th { "Why" } }
                }
                tbody {
                    @for own in sorted.iter().take(most) {
                        tr data-pattern=(own.rule.pattern) {
                            td data-label="For" { (own.rule.pattern) }
                            td.long data-label="Says" { (own.says) }
                            td data-label="Standing" { (standing(own.standing)) }
                            td data-label="Ends" {
                                @if let Some(end) = own.rule.expires {
                                    (from_now(end, now)) " (" (at(end)) ")"
                                } @else { "never" }
                            }
                            td data-label="Why" {
                                (own.rule.comment)
                                @if let Some((by, _)) = &own.added { small { " by " (by) } }
                            }
                        }
                    }
                }
            }
        }
        @if listed.len() > most { p { a href="/policies#rules" { "All " (listed.len()) } } }
    }
}

fn standing(standing: Standing) -> Markup {
    let (class, words) = match standing {
        Standing::Active => ("plain", "in force"),
        Standing::NearExpiry => ("clear", "ends soon"),
        Standing::Expired => ("unknown", "ended"),
        Standing::ExpiredProtection => ("waiting", "ended, and it protected"),
        Standing::Overlaid => ("unknown", "another one counts"),
        Standing::NotUnderstood => ("waiting", "not understood"),
    };
    html! { span class={ "mark " (class) } { (words) } }
}
