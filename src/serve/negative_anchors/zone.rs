//! Which zone fails: from the lookup that failed upwards, to the topmost name that fails too.

use std::fmt;

use hoplock_policy::dns::{Answer, FailureKind, LookupFailure, Question, RecordType, Reply};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;

use crate::answer::Answerer;

/// A destination's trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The zone, as far as it shows.
    pub(super) zone: DomainName,
    /// The lookup that failed.
    pub(super) question: Question,
    /// Why, with the resolver's own words.
    pub(super) words: String,
}

/// Why there is none that a negative trust anchor would help against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTrouble {
    /// Every lookup was answered.
    AllAnswered,
    /// What failed, failed otherwise.
    Otherwise(String),
    /// Nothing was looked up in time.
    NotKnown,
}

impl fmt::Display for NoTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllAnswered => f.write_str(
                "none of its lookups fails now, so that there is nothing to survive; where it comes and \
                 goes, name the zone: --zone",
            ),
            Self::Otherwise(words) => write!(
                f,
                "its trouble is not DNSSEC ({words}), and setting that aside would not help; if you know \
                 better, name the zone: --zone"
            ),
            Self::NotKnown => f.write_str(
                "its lookups took too long to say what fails; try again, or name the zone: --zone",
            ),
        }
    }
}

/// Looks a destination up anew, and says what fails for DNSSEC.
pub(super) async fn trouble(
    answerer: &Answerer,
    domain: &DomainName,
) -> Result<Trouble, NoTrouble> {
    // What is kept may be older than the trouble; and a rule of the operator must not hide it.
    let replies = lookups(answerer, domain).await.ok_or(NoTrouble::NotKnown)?;
    let failed = || {
        replies.iter().filter_map(|reply| match &reply.answer {
            Answer::Failed(failure) => Some((&reply.question, failure)),
            _ => None,
        })
    };
    let of = |kind| failed().find(move |(_, failure)| failure.kind == kind);
    // A SERVFAIL without a word may be DNSSEC: older resolvers say no more.
    let found = of(FailureKind::Bogus).or_else(|| of(FailureKind::ServFail));
    let Some((question, failure)) = found else {
        return Err(match failed().next() {
            Some((question, failure)) => NoTrouble::Otherwise(words(question, failure)),
            None => NoTrouble::AllAnswered,
        });
    };
    Ok(Trouble {
        zone: topmost(answerer, &question.name).await,
        question: question.clone(),
        words: words(question, failure),
    })
}

async fn lookups(answerer: &Answerer, domain: &DomainName) -> Option<Vec<Reply>> {
    let profile = Profile::built_in("postfix")?;
    let findings = answerer.look(domain.as_str(), &profile).await?;
    Some(findings.lookups.clone())
}

/// The topmost name at or above this one that fails, below the names of one label: where those fail, it is
/// no single zone's trouble.
async fn topmost(answerer: &Answerer, name: &DomainName) -> DomainName {
    let mut zone = name.clone();
    while let Some(parent) = zone.parent().filter(|parent| !parent.is_single_label()) {
        let question = Question::new(parent.clone(), RecordType::Soa);
        let reply = answerer.world().resolver.lookup(question).await;
        if !is_dnssec(&reply.answer) {
            break;
        }
        zone = parent;
    }
    zone
}

/// True where a lookup fails as it does when signatures are wrong.
pub(super) fn is_dnssec(answer: &Answer) -> bool {
    let kinds = [FailureKind::Bogus, FailureKind::ServFail];
    matches!(answer, Answer::Failed(failure) if kinds.contains(&failure.kind))
}

/// A failed lookup in words.
pub(super) fn words(question: &Question, failure: &LookupFailure) -> String {
    let (name, kind) = (&question.name, failure.kind.word());
    let mut words = format!("{} of {name}: {kind}", question.record_type);
    if !failure.detail.is_empty() {
        words.push_str(&format!(", {}", failure.detail));
    }
    words
}
