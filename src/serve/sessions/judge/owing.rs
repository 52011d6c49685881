//! What a host owed, as far as it is known here.

use hoplock_policy::law::Answer;
use hoplock_policy::law::rows::Row;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::MxHost;
use hoplock_policy::profile::Floor;
use hoplock_policy::rules::Mode;
use hoplock_policy::verify::{Demand, Owed};

use super::{Case, JudgeOptions, SessionJudge};
use crate::answer::Answered;

/// What is known of a host's duty.
pub(super) enum Owing<'a> {
    /// All of it.
    Known(Owed<'a>),
    /// The destination binds its hosts, and this is none of them.
    Strange,
    /// The lookups failed, in words.
    Unknown(String),
}

impl SessionJudge {
    pub(super) fn owed<'a>(
        &'a self,
        answered: &'a Answered,
        case: &Case,
        host: &MxHost,
        options: &JudgeOptions,
    ) -> Owing<'a> {
        let verdict = &answered.verdict;
        // PD-03: a rule that leaves it to the destination what is owed does not make it known either.
        let is_ordered = verdict.row == Row::Rule
            || (verdict.rule.as_ref()).is_some_and(|rule| rule.mode == Mode::Mandatory);
        if verdict.answer == Answer::Temp && verdict.hosts.is_empty() && !is_ordered {
            return Owing::Unknown(verdict.detail.clone());
        }
        let findings = answered.findings.as_deref();
        let profile = self.answerer.profile(&answered.profile);
        let floor = profile.map_or(Floor::May, |profile| profile.floor);
        // What was in force then is judged as it was then.
        let at = Moment {
            wall: case.time,
            uptime: answered.made.uptime,
        };
        let owed = Owed::under(
            verdict,
            findings,
            &host.0,
            &options.tlsa,
            &self.authorities,
            at,
            floor,
        );
        let Ok(own) = owed else {
            return Owing::Strange;
        };
        let rule = verdict.rule.as_ref();
        if matches!(own.demand, Demand::Names(_))
            && rule.is_some_and(|rule| rule.authorities().is_some())
        {
            // OP-05: the mail server read that file when it asked, and we did not.
            let words = "a rule names authorities of its own (ca_file), which are not at hand here";
            return Owing::Unknown(words.to_owned());
        }
        match verdict.open_policy(own.duty, findings) {
            Some((_, words)) => Owing::Unknown(words),
            None => Owing::Known(own),
        }
    }
}

/// Postfix reports a host whose MX name is an alias under the name where that leads; duties and policies
/// go by the name in the MX record (RFC 8461, 4.1).
pub(super) fn by_its_mx_name(case: &Case, answered: &Answered) -> Case {
    let mut case = case.clone();
    let findings = answered.findings.as_deref();
    if let Some(host) = &mut case.session.mx_host
        && let Some(finding) = findings.and_then(|findings| findings.host_named(&host.0))
    {
        *host = finding.host.clone();
    }
    case
}

#[cfg(test)]
mod tests {
    use hoplock_policy::dns::{FailureKind, RecordType};
    use hoplock_policy::rules::{Mode, PinnedLevel, Rule, RulePattern, Rules};
    use hoplock_policy::verify::SessionOutcome;

    use super::super::tests::{case, certificate, judge_under, name, record, world};
    use crate::answer::Settings;
    use crate::world::scripted::Scripted;

    /// OP-05: what a rule rests on a file of authorities is not judged by others.
    #[tokio::test(start_paused = true)]
    async fn authorities_of_a_rule() {
        let world = world(&[]);
        let told = case(&world, "mx.e.test", &certificate("mx.e.test"));
        for (ca_file, expected) in [
            (None, SessionOutcome::Failed),
            (
                Some("/etc/ca.pem".to_owned()),
                SessionOutcome::Indeterminate,
            ),
        ] {
            let rule = Rule {
                answer: Some(PinnedLevel::Secure),
                names: vec![name("mx.e.test")],
                ca_file,
                ..Rule::new(RulePattern::Any, Mode::Opportunistic)
            };
            let settings = Settings {
                rules: Rules::new(vec![rule]),
                ..Settings::default()
            };
            let judged = judge_under(&world, settings).judge(&told).await.verdict;
            assert_eq!(judged.outcome, expected, "{judged:?}");
        }
    }

    /// PD-03, SV-04: where the MX lookup failed, a rule that leaves it to the destination what is owed makes
    /// nothing known; a session is neither good nor bad by it.
    #[tokio::test(start_paused = true)]
    async fn a_failed_lookup_under_a_rule() {
        let own = certificate("mx.e.test");
        let world = world(&[record(&own)]);
        let owner = name("e.test");
        world.set(
            owner,
            RecordType::Mx,
            Scripted::Fails(FailureKind::ServFail),
        );
        let rule = |mode| vec![Rule::new(RulePattern::Any, mode)];
        for rules in [Vec::new(), rule(Mode::Opportunistic)] {
            let settings = Settings {
                rules: Rules::new(rules),
                ..Settings::default()
            };
            let told = case(&world, "mx.e.test", &own);
            let judged = judge_under(&world, settings).judge(&told).await.verdict;
            assert_eq!(judged.outcome, SessionOutcome::Indeterminate, "{judged:?}");
        }
    }
}
