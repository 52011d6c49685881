//! Rules that come and go between a session and its report.

use hoplock_policy::moment::Timestamp;

use super::*;

fn rule(mode: Mode) -> Rule {
    Rule::new(RulePattern::Any, mode)
}

fn under(rules: Vec<Rule>) -> Settings {
    Settings {
        rules: Rules::new(rules),
        ..Settings::default()
    }
}

fn in_clear(world: &ScriptedWorld, shown: &Certificate) -> Case {
    let mut told = case(world, "mx.e.test", shown);
    told.session.starttls = Some(Starttls::NotOffered);
    told
}

/// SV-04, PD-01: a rule says nothing of sessions from before it was given, nor does its end, or that it was
/// taken back, of those from before that. Each is judged by what was ordered when it happened, whether or not
/// anything was asked about the destination since.
#[tokio::test(start_paused = true)]
async fn a_session_is_judged_by_the_rules_of_its_time() {
    let own = certificate("mx.e.test");
    let pinned = Rule {
        answer: Some(PinnedLevel::May),
        ..rule(Mode::Opportunistic)
    };
    for lenient in [rule(Mode::Off), rule(Mode::Audit), pinned] {
        for asked in [false, true] {
            let world = world(&[record(&own)]);
            let judge = judge(&world);
            let mut outcomes = Vec::new();
            let before = in_clear(&world, &own);
            if asked {
                judge.judge(&case(&world, "mx.e.test", &own)).await;
            }
            world.pass(Duration::from_secs(10));
            judge.answerer.reload(under(vec![lenient.clone()]));
            world.pass(Duration::from_secs(10));
            let meanwhile = in_clear(&world, &own);
            if asked {
                judge.judge(&meanwhile).await;
            }
            outcomes.push(judge.judge(&before).await.verdict.outcome);
            world.pass(Duration::from_secs(10));
            judge.answerer.reload(under(Vec::new()));
            world.pass(Duration::from_secs(10));
            for told in [&before, &meanwhile, &in_clear(&world, &own)] {
                outcomes.push(judge.judge(told).await.verdict.outcome);
            }
            use SessionOutcome::{Cleartext, Failed};
            assert_eq!(outcomes, [Failed, Failed, Cleartext, Failed], "{lenient:?}");
        }
    }
}

/// PD-01, OP-05: a mail server that has checked a host before a rule asked for names of its own has checked
/// what the destination publishes; and a rule that has ended since was in force while it was.
#[tokio::test(start_paused = true)]
async fn a_word_from_before_a_rule_is_no_word_about_it() {
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let mut told = case(&world, "mx.e.test", &own);
    told.session.presented = Presented::Unknown;
    told.word = MtaWord::Authenticated(None);
    world.pass(Duration::from_secs(10));
    let names = Rule {
        answer: Some(PinnedLevel::Verify),
        names: vec![name("other.test")],
        expires: Some(Timestamp(world.now().wall.0 + 10_000)),
        ..rule(Mode::Opportunistic)
    };
    judge.answerer.reload(under(vec![names]));
    let judged = judge.judge(&told).await.verdict;
    assert_eq!(judged.outcome, SessionOutcome::AuthenticatedDane);
    told.time = world.now().wall;
    world.pass(Duration::from_secs(20));
    let judged = judge.judge(&told).await.verdict;
    assert_eq!(judged.outcome, SessionOutcome::AuthenticatedPinned);
}

/// SV-04, CA-07: what is looked up anew for a session's sake is judged by the rules of its time too.
#[tokio::test(start_paused = true)]
async fn a_second_look_is_by_the_rules_of_the_session() {
    let (old, new) = (certificate("mx.e.test"), certificate("mx.e.test"));
    let world = world(&[record(&old)]);
    let judge = judge(&world);
    judge.judge(&case(&world, "mx.e.test", &old)).await;
    let before = case(&world, "mx.e.test", &new);
    publish(&world, &[record(&new)]);
    world.pass(Duration::from_secs(10));
    judge.answerer.reload(under(vec![Rule {
        answer: Some(PinnedLevel::Defer),
        ..rule(Mode::Opportunistic)
    }]));
    let judged = judge.judge(&before).await;
    assert!(judged.second_look);
    assert_eq!(judged.verdict.outcome, SessionOutcome::AuthenticatedDane);
}

/// SV-04, ST-28: before the process began, a rule was in force since it was added, and one of the configuration
/// for as long as anybody knows. What an added one has replaced is not known; nor is when that was where a
/// clock that was ahead has said it.
#[tokio::test(start_paused = true)]
async fn sessions_from_before_the_process() {
    let own = certificate("mx.e.test");
    for (hours, expected) in [
        (None, SessionOutcome::Cleartext),
        (Some(2), SessionOutcome::Cleartext),
        (Some(1), SessionOutcome::Indeterminate),
        (Some(-1), SessionOutcome::Cleartext),
    ] {
        let world = world(&[record(&own)]);
        let hour = 3_600_000;
        world.pass(Duration::from_millis(3 * hour));
        let began = world.now().wall.0;
        let judge = judge(&world);
        judge.answerer.begin(under(vec![Rule {
            since: hours.map(|hours| Timestamp(began.saturating_add_signed(-hours * 3_600_000))),
            ..rule(Mode::Off)
        }]));
        world.pass(Duration::from_secs(10));
        let mut told = in_clear(&world, &own);
        told.time = Timestamp(began - hour - hour / 2);
        let judged = judge.judge(&told).await.verdict;
        assert_eq!(judged.outcome, expected, "{hours:?}");
    }
}

/// SV-04: of rules that changed too often since nobody knows any more, and so of what was owed.
#[tokio::test(start_paused = true)]
async fn rules_that_are_not_known_any_more() {
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let told = case(&world, "mx.e.test", &own);
    let mut outcomes = Vec::new();
    for number in 0..65 {
        outcomes.push(judge.judge(&told).await.verdict.outcome);
        world.pass(Duration::from_secs(1));
        let mode = [Mode::Off, Mode::Audit];
        judge.answerer.reload(under(vec![rule(mode[number % 2])]));
    }
    let judged = judge.judge(&told).await.verdict;
    assert!(outcomes.iter().all(|own| own.is_authenticated()));
    assert_eq!(judged.outcome, SessionOutcome::Indeterminate);
    assert_eq!(judged.reason, Reason::PolicyUnknown);
}

/// ST-28, SV-04: a clock that was set since the session leaves open whether that was before the rule or after
/// it; what waits for its verdict is under the rule of now.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_since() {
    let own = certificate("mx.e.test");
    for by in [-3_600_000, 864_000_000] {
        let world = world(&[record(&own)]);
        let judge = judge(&world);
        world.pass(Duration::from_secs(10));
        judge.answerer.reload(under(vec![rule(Mode::Off)]));
        world.pass(Duration::from_secs(10));
        let told = in_clear(&world, &own);
        world.step_wall(by);
        let judged = judge.judge(&told).await.verdict;
        let expected = if by > 0 {
            SessionOutcome::Indeterminate
        } else {
            SessionOutcome::Cleartext
        };
        assert_eq!(judged.outcome, expected, "{by}");
        let told = in_clear(&world, &own);
        let patience = Patience::of(Duration::from_secs(5));
        let judged = judge.judge_handshake(&told, "postfix", patience).await;
        assert_eq!(judged.verdict.outcome, SessionOutcome::Cleartext, "{by}");
        let judged = judge.judge(&told).await.verdict;
        assert_eq!(judged.outcome, SessionOutcome::Cleartext, "{by}");
    }
}
