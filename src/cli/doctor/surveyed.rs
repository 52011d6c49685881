//! What a survey found: how many destinations wait, and why (`--survey FILE`).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::super::certificates::open;
use super::super::survey::Surveyed;
use super::Findings;

/// Destinations that wait, by profile and reason.
#[derive(Default)]
struct Waiting {
    destinations: u64,
    weight: u64,
    /// Those that weigh most.
    names: Vec<(u64, String)>,
}

/// Reads what `hoplock survey --json` printed, or its `--resume` file.
pub(super) fn survey(findings: &mut Findings, path: &Path) {
    const CHECK: &str = "survey";
    let (asked, waiting) = match read(path) {
        Ok(read) => read,
        Err(why) => {
            findings.problem(
                CHECK,
                format!("{}: {why}", path.display()),
                "name what `hoplock survey --json` printed, or its --resume file",
            );
            return;
        }
    };
    if waiting.is_empty() {
        findings.fine(CHECK, format!("{asked} destinations, and none waits"));
    }
    for ((profile, reason), own) in waiting {
        let names: Vec<&str> = own.names.iter().map(|(_, name)| name.as_str()).collect();
        let (most, first) = (names.join(", "), names.first().unwrap_or(&"DOMAIN"));
        findings.problem(
            CHECK,
            format!(
                "{profile}: {} of {asked} destinations wait ({reason}), weight {}: {most}",
                own.destinations, own.weight
            ),
            cure(&reason, first),
        );
    }
}

type Read = (u64, BTreeMap<(String, String), Waiting>);

fn read(path: &Path) -> Result<Read, String> {
    let mut asked = 0;
    let mut waiting: BTreeMap<(String, String), Waiting> = BTreeMap::new();
    for (number, line) in BufReader::new(open(path)?).lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        // Its head, and its counts.
        if line.starts_with("{\"survey\":") || line.starts_with("{\"summary\":") {
            continue;
        }
        let own: Surveyed = serde_json::from_str(&line)
            .map_err(|_| format!("line {} is none of a survey", number + 1))?;
        asked += 1;
        for answer in own.answers.iter().filter(|own| own.verdict == "defer") {
            let key = (answer.profile.clone(), answer.reason.clone());
            let known = waiting.entry(key).or_default();
            known.destinations += 1;
            known.weight = known.weight.saturating_add(own.weight);
            known.names.push((own.weight, own.next_hop.clone()));
            known.names.sort_by(|left, right| right.cmp(left));
            known.names.truncate(EXAMPLES);
        }
    }
    Ok((asked, waiting))
}

/// Whose trouble it is, by the reason.
fn cure(reason: &str, name: &str) -> String {
    let words = match reason {
        "mta-cannot-authenticate" => {
            "yours: the mail server's own DNSSEC must work, or its profile say what it can do; the other \
             findings here say where"
        }
        "rule" => "yours: a rule says so; `hoplock rule list`",
        "dane-required" | "mx-insecure" => "yours: a rule demands DANE there; see its fallback",
        "resolver-not-validating" => "yours: the resolver must validate",
        "deadline" | "busy" => "ask again: the lookups took too long, and may be quicker now",
        "mx-lookup-failed" | "tlsa-lookup-failed" | "address-lookup-failed" => {
            "theirs: their DNS is broken, or somebody is in between; where it is DNSSEC, `hoplock rule add \
             DOMAIN --survive-dnssec-trouble` says what helps"
        }
        "sts-no-mx-matches" => "theirs: their policy lists none of their hosts",
        _ => "see what it rests on",
    };
    format!("{words}; `hoplock explain {name}` shows the evidence")
}

/// Named for each reason.
const EXAMPLES: usize = 5;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write files")]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn how_many_wait_and_why() {
        let line = |name: &str, weight: u64, verdict: &str, reason: &str| {
            format!(
                "{{\"next_hop\":\"{name}\",\"weight\":{weight},\"answers\":[{{\"profile\":\"postfix\",\
                 \"verdict\":\"{verdict}\",\"reply\":\"\",\"row\":\"\",\"reason\":\"{reason}\"}}]}}\n"
            )
        };
        let text = [
            "{\"survey\":1,\"profiles\":[\"postfix\"],\"direct\":false}\n".to_owned(),
            line("light.test", 1, "defer", "mx-lookup-failed"),
            line("heavy.test", 7, "defer", "mx-lookup-failed"),
            line("own.test", 1, "defer", "rule"),
            line("well.test", 1, "none", "no-policy"),
            "{\"summary\":{}}\n".to_owned(),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("survey");
        std::fs::write(&path, text.concat()).unwrap();
        let mut findings = Findings::default();
        survey(&mut findings, &path);
        let what: Vec<&str> = findings.0.iter().map(|own| own.what.as_str()).collect();
        let expected = [
            "postfix: 2 of 4 destinations wait (mx-lookup-failed), weight 8: heavy.test, light.test",
            "postfix: 1 of 4 destinations wait (rule), weight 1: own.test",
        ];
        assert_eq!(what, expected);
        assert!(findings.0[0].cure.contains("explain heavy.test"));
        std::fs::write(&path, "a.test\n").unwrap();
        let mut findings = Findings::default();
        survey(&mut findings, &path);
        assert_eq!(findings.count(State::Problem), 1);
    }
}
