//! What a survey prints: a table, CSV (RFC 4180), or JSON lines; and the counts.

use serde_json::json;

use super::super::table::table;
use super::answers::{Surveyed, counts};
use super::{Form, Outcome};

/// All answers in the form that was asked for, with the counts where they have a place in it.
pub(super) fn page(outcome: &Outcome, form: Form) -> String {
    match form {
        Form::Table => {
            let mut text = rows(outcome);
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&summary(outcome));
            text
        }
        Form::Csv => csv(&outcome.all),
        Form::Json => lines(outcome),
    }
}

fn rows(outcome: &Outcome) -> String {
    let mut heads = vec!["DESTINATION".to_owned(), "WEIGHT".to_owned()];
    for profile in &outcome.profiles {
        heads.extend([profile.to_uppercase(), "REASON".to_owned()]);
    }
    let mut rows = vec![heads];
    for own in &outcome.all {
        let mut row = vec![own.next_hop.clone(), own.weight.to_string()];
        for answer in &own.answers {
            row.extend([answer.verdict.clone(), answer.reason.clone()]);
        }
        rows.push(row);
    }
    table(&rows)
}

/// The counts, for people.
pub(super) fn summary(outcome: &Outcome) -> String {
    let mut text = format!(
        "{} of {} destinations asked",
        outcome.all.len(),
        outcome.total
    );
    let weight: u64 = outcome.all.iter().map(|own| own.weight).sum();
    text.push_str(&format!(", weight {weight}"));
    match outcome.unreadable {
        0 => {}
        1 => text.push_str("; one line could not be read"),
        count => text.push_str(&format!("; {count} lines could not be read")),
    }
    text.push('\n');
    for profile in &outcome.profiles {
        let heads = ["ANSWER", "REASON", "DESTINATIONS", "WEIGHT"];
        let mut rows = vec![heads.map(ToOwned::to_owned).to_vec()];
        for ((_, verdict, reason), count) in counts(&outcome.all, profile) {
            rows.push(vec![
                verdict,
                reason,
                count.destinations.to_string(),
                count.weight.to_string(),
            ]);
        }
        text.push_str(&format!("\n{profile}\n{}", table(&rows)));
    }
    text
}

/// A row for each destination and profile.
fn csv(all: &[Surveyed]) -> String {
    let mut text = String::from("next_hop,weight,profile,verdict,reason,row,reply,detail\r\n");
    for own in all {
        let weight = own.weight.to_string();
        for answer in &own.answers {
            let cells = [
                &own.next_hop,
                &weight,
                &answer.profile,
                &answer.verdict,
                &answer.reason,
                &answer.row,
                &answer.reply,
                &answer.detail,
            ];
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
    }
    text
}

/// RFC 4180, 2: quoted where it must be.
fn quoted(cell: &str) -> String {
    let cell = cell.trim_end();
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// An object for each destination, and one with the counts at the end.
fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for own in &outcome.all {
        if let Ok(line) = serde_json::to_string(own) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let profiles: serde_json::Map<String, serde_json::Value> = outcome
        .profiles
        .iter()
        .map(|profile| {
            let counts = counts(&outcome.all, profile);
            let counts: Vec<_> = counts
                .into_iter()
                .map(|((_, verdict, reason), count)| {
                    json!({
                        "verdict": verdict,
                        "reason": reason,
                        "destinations": count.destinations,
                        "weight": count.weight,
                    })
                })
                .collect();
            (profile.clone(), counts.into())
        })
        .collect();
    let summary = json!({
        "summary": {
            "complete": outcome.all.len() == outcome.total,
            "destinations": outcome.total,
            "asked": outcome.all.len(),
            "unreadable_lines": outcome.unreadable,
            "profiles": profiles,
        }
    });
    text.push_str(&format!("{summary}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::super::answers::Answer;
    use super::*;

    fn outcome() -> Outcome {
        let answer = Answer {
            profile: "postfix".to_owned(),
            verdict: "defer".to_owned(),
            reply: "TEMP mx-lookup-failed: \"a\", or b".to_owned(),
            row: "DT-02".to_owned(),
            reason: "mx-lookup-failed".to_owned(),
            detail: "x".to_owned(),
        };
        Outcome {
            profiles: vec!["postfix".to_owned()],
            all: vec![Surveyed {
                next_hop: "a.test".to_owned(),
                weight: 3,
                answers: vec![answer],
            }],
            total: 2,
            unreadable: 1,
        }
    }

    #[test]
    fn three_forms() {
        let csv = page(&outcome(), Form::Csv);
        let expected = "a.test,3,postfix,defer,mx-lookup-failed,DT-02,\
                        \"TEMP mx-lookup-failed: \"\"a\"\", or b\",x\r\n";
        assert_eq!(csv.split_once("\r\n").unwrap().1, expected);
        let json = page(&outcome(), Form::Json);
        let summary = json.lines().last().unwrap();
        let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
        assert_eq!(summary["summary"]["complete"], false);
        assert_eq!(summary["summary"]["profiles"]["postfix"][0]["weight"], 3);
        let text = page(&outcome(), Form::Table);
        for words in [
            "a.test",
            "POSTFIX",
            "1 of 2 destinations asked",
            "one line could not",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
}
