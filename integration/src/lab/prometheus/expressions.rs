//! What Prometheus is asked: every expression of the rules, as it has read them itself, and of the dashboard.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::server::Rule;

/// One expression.
pub(super) struct Asked {
    /// Where it stands.
    pub from: String,
    pub query: String,
}

/// A recording rule is asked as it is, and by the name that it records. An alert compares, and a comparison
/// that is false brings nothing: so it is asked for what stands before its comparison, and for the whole with
/// `bool`, which brings 0 or 1 for each series in place of leaving it out.
pub(super) fn of_rules(rules: &[Rule]) -> Vec<Asked> {
    let asked = rules.iter().flat_map(|rule| {
        let queries = if rule.is_alert {
            let Some((left, comparison, number)) = compared(&rule.query) else {
                panic!("{}: no comparison with a number: {}", rule.name, rule.query)
            };
            [
                left.to_owned(),
                format!("{left} {comparison} bool {number}"),
            ]
        } else {
            [rule.query.clone(), rule.name.clone()]
        };
        queries.map(|query| Asked {
            from: rule.name.clone(),
            query,
        })
    });
    asked.collect()
}

/// `LEFT > 1`: its parts, where that is the whole of it. Prometheus writes one blank around operators. What
/// binds less than a comparison (`and`, `or`, `unless`) has no place in an alert.
fn compared(query: &str) -> Option<(&str, &str, &str)> {
    let (rest, number) = query.rsplit_once(' ')?;
    let (left, comparison) = rest.rsplit_once(' ')?;
    let is_comparison = ["==", "!=", ">", "<", ">=", "<="].contains(&comparison);
    let depth = |open: char, close: char| left.matches(open).count() == left.matches(close).count();
    let binds_less = [" and ", " or ", " unless "].map(|word| left.contains(word));
    let is_whole = depth('(', ')') && depth('{', '}') && binds_less == [false; 3];
    (is_comparison && is_whole && number.parse::<f64>().is_ok())
        .then_some((left, comparison, number))
}

/// Every query of every panel, and of the variables; variables are what Grafana would set them to.
pub(super) fn of_dashboard(file: &Path) -> Vec<Asked> {
    let board: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut asked = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            asked.push((format!("panel {title:?}"), substituted(query)));
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            let query = variable["query"]["query"].as_str().unwrap();
            let inner = query.strip_prefix("label_values(").unwrap();
            let (figure, label) = inner.trim_end_matches(')').split_once(", ").unwrap();
            let query = format!("group by ({label}) ({figure})");
            asked.push((format!("variable {}", variable["name"]), query));
        }
    }
    asked
        .into_iter()
        .map(|(from, query)| {
            assert!(!query.contains('$'), "{from}: unknown variable: {query}");
            Asked { from, query }
        })
        .collect()
}

fn substituted(query: &str) -> String {
    query
        .replace("$__rate_interval", "1m")
        .replace("$instance", ".*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_found() {
        let whole = "sum by (instance) (increase(a_total{b=~\"c|d\"}[1h])) > 0";
        let left = "sum by (instance) (increase(a_total{b=~\"c|d\"}[1h]))";
        assert_eq!(compared(whole), Some((left, ">", "0")));
        assert_eq!(
            compared("time() - a > 300"),
            Some(("time() - a", ">", "300"))
        );
        assert_eq!(compared("a == -1"), Some(("a", "==", "-1")));
        for other in [
            "a",
            "a > b",
            "a > 1 and b > 2",
            "sum(a > 1)",
            "a + 1",
            "(a > 1",
        ] {
            assert_eq!(compared(other), None, "{other}");
        }
    }
}
