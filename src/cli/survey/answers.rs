//! Answers as a survey keeps them, how weak they are, and their counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One destination and what it would be answered. The same line stands in the JSON of a survey and in
/// the file that it goes on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Surveyed {
    pub(crate) next_hop: String,
    pub(crate) weight: u64,
    /// One for each profile.
    pub(crate) answers: Vec<Answer>,
}

/// One answer, in the words of `hoplock query --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) profile: String,
    pub(crate) verdict: String,
    pub(crate) reply: String,
    pub(crate) row: String,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) detail: String,
}

/// Destinations and their weight, by verdict and reason.
pub(crate) type Counts = BTreeMap<(u8, String, String), Count>;

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) destinations: u64,
    pub(crate) weight: u64,
}

/// The answers for one profile, counted; the broken and the weak ones first.
pub(crate) fn counts(all: &[Surveyed], profile: &str) -> Counts {
    let mut counts = Counts::new();
    for own in all {
        for answer in own.answers.iter().filter(|own| own.profile == profile) {
            let key = (
                strength(&answer.verdict),
                answer.verdict.clone(),
                answer.reason.clone(),
            );
            let count = counts.entry(key).or_default();
            count.destinations += 1;
            count.weight = count.weight.saturating_add(own.weight);
        }
    }
    counts
}

/// The broken ones first, then the weak ones; the heavy ones first among equals.
pub(super) fn sort(all: &mut [Surveyed]) {
    let weakest = |own: &Surveyed| {
        let all = own.answers.iter();
        all.map(|answer| strength(&answer.verdict)).min()
    };
    let reason = |own: &Surveyed| own.answers.first().map(|answer| answer.reason.clone());
    all.sort_by_cached_key(|own| {
        let heavy = std::cmp::Reverse(own.weight);
        (weakest(own), reason(own), heavy, own.next_hop.clone())
    });
}

/// Mail that waits is broken; what is not encrypted for certain is weaker than what is, and that weaker
/// than what is authenticated. `dane` may be less than it sounds: some of the hosts may go without.
fn strength(verdict: &str) -> u8 {
    let order = [
        "defer",
        "none",
        "may",
        "encrypt",
        "dane",
        "verify",
        "secure",
        "fingerprint",
        "dane-only",
    ];
    let place = order.iter().position(|own| *own == verdict);
    place
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed(next_hop: &str, weight: u64, verdicts: [&str; 2]) -> Surveyed {
        let answer = |profile: &str, verdict: &str| Answer {
            profile: profile.to_owned(),
            verdict: verdict.to_owned(),
            reply: String::new(),
            row: String::new(),
            reason: "because".to_owned(),
            detail: String::new(),
        };
        let [first, second] = verdicts;
        Surveyed {
            next_hop: next_hop.to_owned(),
            weight,
            answers: vec![answer("one", first), answer("two", second)],
        }
    }

    #[test]
    fn the_broken_and_the_weak_first() {
        let mut all = [
            surveyed("strong.test", 9, ["dane-only", "secure"]),
            surveyed("light.test", 1, ["none", "none"]),
            surveyed("heavy.test", 5, ["none", "none"]),
            surveyed("broken.test", 1, ["dane-only", "defer"]),
            surveyed("mixed.test", 1, ["dane", "dane"]),
        ];
        sort(&mut all);
        let order: Vec<&str> = all.iter().map(|own| own.next_hop.as_str()).collect();
        assert_eq!(
            order,
            [
                "broken.test",
                "heavy.test",
                "light.test",
                "mixed.test",
                "strong.test"
            ]
        );
        let counts = counts(&all, "one");
        let none = counts.get(&(1, "none".to_owned(), "because".to_owned()));
        let expected = Count {
            destinations: 2,
            weight: 6,
        };
        assert_eq!(none, Some(&expected));
        assert_eq!(counts.len(), 3);
    }
}
