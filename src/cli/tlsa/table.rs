//! The comparison for people, and what to do.

use std::time::Duration;

use hoplock_policy::next_hop::escaped;
use hoplock_policy::verify::Matched;

use super::compare::{Comparison, FileAt, Presence, Row, Served};
use super::published::Published;
use crate::cli::page::Page;
use crate::cli::table::table;

/// All of it.
pub(super) fn text(comparison: &Comparison<'_>) -> String {
    let mut page = Page::default();
    let host = &comparison.place.host;
    match comparison.wrong.as_slice() {
        [] => page.line(&format!("{host}: file, records and host agree.")),
        [one] => page.line(&format!("{host}: NO MATCH: {one}.")),
        several => {
            page.line(&format!("{host}: NO MATCH:"));
            for wrong in several {
                page.fact("", wrong);
            }
        }
    }
    page.gap();
    dns(&mut page, comparison);
    for served in &comparison.served {
        address(&mut page, served);
    }
    for advice in advice(comparison) {
        page.fact("do", &advice);
    }
    let mut text = page.into_text();
    text.push('\n');
    text.push_str(&table(&rows(&comparison.rows)));
    let missing: Vec<&Row> = comparison
        .rows
        .iter()
        .filter(|row| row.published == Presence::Missing)
        .collect();
    if !missing.is_empty() {
        text.push_str("\nNot published, ready for the zone:\n");
        for row in missing {
            let owner = &comparison.place.owner;
            text.push_str(&format!("{owner}. IN TLSA {}\n", row.record));
        }
    }
    text
}

fn dns(page: &mut Page, comparison: &Comparison<'_>) {
    let owner = &comparison.place.owner;
    let words = match &comparison.found.records {
        Published::Records { status, ttl, rdata } => format!(
            "{owner}: {} published, {}, for {} s more",
            rdata.len(),
            status.word(),
            ttl.as_secs()
        ),
        Published::None { status } => format!("{owner}: none ({})", status.word()),
        Published::Failed(failure) => format!(
            "{owner}: FAILED: {}, {}",
            failure.kind.word(),
            escaped(&failure.detail)
        ),
    };
    page.fact("records", &words);
    if comparison.found.validation != hoplock_policy::findings::Validation::Validating {
        let words = "your resolver was not seen to validate DNSSEC: whether the records are signed is \
                     not known here";
        page.fact("WARNING", words);
    }
    if let Some(alias) = &comparison.found.alias {
        let port = comparison.place.port;
        let words = format!(
            "the host is an alias of {alias}: where both are signed, mail servers look at \
             _{port}._tcp.{alias} first (RFC 7672, 2.2.2)"
        );
        page.fact("note", &words);
    }
}

fn address(page: &mut Page, served: &Served<'_>) {
    let probed = served.probed;
    let stage = probed.stage.to_string();
    page.fact(
        "host",
        &format!("{}: {}", probed.target.address, escaped(&stage)),
    );
    let shows = match served.file_at {
        Some(FileAt { depth: 0, whole }) if whole => "shows the certificate of the file".to_owned(),
        Some(FileAt { depth: 0, .. }) => {
            "shows another certificate, for the key of the file".to_owned()
        }
        Some(FileAt { depth, .. }) => {
            format!("shows the file's certificate or key at depth {depth}")
        }
        None if probed.tls.is_some() => "shows another key than the file's".to_owned(),
        None => return,
    };
    page.fact("", &shows);
    let by_records = match &served.by_records {
        None => return,
        Some(Ok(found)) => match &found.matched {
            Matched::Tlsa { depth, .. } => {
                format!("is authenticated by a published record, at depth {depth}")
            }
            Matched::Pin(_) | Matched::Name(_) => return,
        },
        Some(Err(refused)) => format!(
            "is NOT authenticated by the published records ({}): {}",
            refused.reason,
            escaped(&refused.detail)
        ),
    };
    page.fact("", &by_records);
}

fn rows(rows: &[Row]) -> Vec<Vec<String>> {
    let word = |fits: bool| if fits { "matches" } else { "no" };
    let head = ["published", "this file", "the host", "record"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let published = match (row.published, &row.unusable) {
            (Presence::Missing, _) => "NO".to_owned(),
            (Presence::Unknown, _) => "?".to_owned(),
            (Presence::There, None) => "yes".to_owned(),
            (Presence::There, Some(why)) => format!("UNUSABLE: {why}"),
        };
        let host = row.fits_host.map_or("?", word);
        let cells = [published.as_str(), word(row.fits_file), host, &row.record];
        cells.map(str::to_owned).to_vec()
    }));
    cells
}

/// RFC 7671, 8.1: records come before the key that they name, and go after it.
fn advice(comparison: &Comparison<'_>) -> Vec<String> {
    let wait = match &comparison.found.records {
        Published::Records { ttl, .. } => ttl.saturating_mul(2),
        Published::None { .. } | Published::Failed(_) => Duration::ZERO,
    };
    let wait = match wait.as_secs() {
        0 => "two TTLs".to_owned(),
        seconds => format!("two TTLs (at least {seconds} s)"),
    };
    let mut advice = Vec::new();
    let rows = comparison.rows.iter();
    let published: Vec<&Row> = rows.filter(|row| row.counts()).collect();
    let file_is_published = published.iter().any(|row| row.fits_file);
    let host_has_file = comparison.served.iter().any(|own| own.file_at.is_some());
    let reached = comparison.served.iter().any(|own| own.probed.tls.is_some());
    if reached && !host_has_file {
        advice.push(if file_is_published {
            format!(
                "let the host change to this key when the record has been published for {wait} \
                 (RFC 7671, 8.1)"
            )
        } else if published.is_empty() {
            "begin with a record for what the host serves: one for another key alone makes mail wait"
                .to_owned()
        } else {
            format!(
                "if the host is to change to this key: publish its record first, beside those that \
                 are there, and change {wait} later (RFC 7671, 8.1)"
            )
        });
    }
    let is_known = !matches!(comparison.found.records, Published::Failed(_));
    if host_has_file && !file_is_published && is_known {
        advice.push("publish the record now: the host uses this key already".to_owned());
    }
    let stray = published.iter().filter(|row| row.fits_host == Some(false));
    for row in stray {
        let record: String = row.record.chars().take(SHOWN).collect();
        advice.push(format!(
            "{record}... matches nothing that the host serves: leave it if it is for the next key, and \
             take it out {wait} after a change (RFC 7671, 8.1)"
        ));
    }
    advice
}

/// Enough of a record to tell it from others.
const SHOWN: usize = 22;
