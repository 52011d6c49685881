//! The hours and days after: a receiver that refuses, the operator's commands, and that reports about
//! reports do not go on for ever.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::arrivals::{arrivals, mails};
use super::clock::{DAY, MINUTE};
use super::published::{MATCH, NO_MATCH, domain};
use super::single::{Box, ROUND};

/// All of it.
pub(super) fn all(own: &mut Box<'_>) {
    commands(own);
    despite_tls(own);
    schedule(own);
    two_more_days(own);
}

/// Lets the clock go on to this time, and stops on the way wherever the refused report is to be tried again.
pub(super) fn walk(own: &Box<'_>, until: i64) {
    loop {
        let tries = tries(own);
        let due = tries.last().map(|last| {
            // After the last of them it is at the end of the 24 hours, and then never again.
            let pause = PAUSES.get(tries.len() - 1);
            let next = pause.map_or(i64::MAX, |pause| last + pause * MINUTE);
            let ends = tries[0] + DAY;
            if *last < ends {
                next.min(ends)
            } else {
                i64::MAX
            }
        });
        match due.filter(|due| *due <= until) {
            Some(due) => {
                own.clock.put(due - 1);
                let started = Instant::now();
                let before = tries.len();
                while self::tries(own).len() == before && started.elapsed() < ROUND * 2 {
                    sleep(Duration::from_millis(50));
                }
                if self::tries(own).len() == before {
                    return;
                }
            }
            None => break,
        }
    }
    own.clock.put(until);
    sleep(ROUND);
}

/// When the refused report was tried.
fn tries(own: &Box<'_>) -> Vec<i64> {
    own.scene.posts.refused()
}

/// `hoplock report list`, `show`, `send` and `read`, as a user types them.
fn commands(own: &mut Box<'_>) {
    let (day, number) = (own.clock.name(0), domain(12));
    let told = |output: std::process::Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text, error)
    };
    let listed = told(own.node.tool(&["report", "list", "--day", &day]));
    let line = listed.1.lines().find(|line| line.contains(&number));
    let line = line.unwrap_or_default().to_owned();
    own.report
        .check(listed.0 == Some(0) && line.contains("delivered"), || {
            format!("report list: {listed:?}")
        });
    let shown = told(own.node.tool(&["report", "show", &number, "--day", &day]));
    let found = mails(own.scene.sessions, "solo")
        .into_iter()
        .find(|(_, mail)| {
            let text = String::from_utf8_lossy(mail);
            text.contains(&format!("TLS-Report-Domain: {number}\r\n"))
        });
    let Some((_, mail)) = found else {
        own.report
            .check(false, || format!("no mail about {number}"));
        return;
    };
    // The page of the report as it arrived is that of the report as it stands here.
    let read = told(own.node.fed(&["report", "read", "-"], &mail));
    own.report.check(
        read.0 == Some(0) && read.1.contains("sessions") && shown.1.starts_with(&read.1),
        || format!("report read: {read:?}\nreport show: {shown:?}"),
    );
    let listed = told(own.node.tool(&["report", "list"]));
    own.report.check(listed.1.contains("report-id"), || {
        format!("report list without what was read: {listed:?}")
    });
    // Sent once more it is not, and one that is refused still is.
    let before = mails(own.scene.sessions, "solo").len();
    let again = told(own.node.tool(&["report", "send", &number, "--day", &day]));
    own.report
        .check(again.0 == Some(0) && again.1.contains("delivered"), || {
            format!("report send: {again:?}")
        });
    let today = own.clock.name(1);
    let early = told(
        own.node
            .tool(&["report", "send", &domain(0), "--day", &today]),
    );
    own.report.check(early.0 == Some(1), || {
        format!("report send of today: {early:?}")
    });
    for gone in [10, 11] {
        let none = told(
            own.node
                .tool(&["report", "show", &domain(gone), "--day", &day]),
        );
        own.report
            .check(none.1.contains("it will not leave"), || format!("{none:?}"));
    }
    sleep(Duration::from_secs(1));
    let now = mails(own.scene.sessions, "solo").len();
    own.report
        .check(now == before, || "report send sent one twice".to_owned());
}

/// RP-13: the destination whose policy fails got its report all the same, and that session counts nowhere.
fn despite_tls(own: &mut Box<'_>) {
    let all = mails(own.scene.sessions, "solo");
    let there = all
        .iter()
        .filter(|(host, _)| host == "mx.nomatch.rpt.test")
        .count();
    own.report
        .check(there == 1, || format!("{there} reports reached {NO_MATCH}"));
    let postfix = &own.office.postfix;
    let waits = postfix
        .outcome(&format!("a@{NO_MATCH}"))
        .unwrap_or_default();
    let report = postfix
        .outcome(&format!("r@{NO_MATCH}"))
        .unwrap_or_default();
    own.report.check(
        waits.contains("status=deferred") && report.contains("status=sent"),
        || format!("{waits}\n{report}"),
    );
    let today = own.clock.name(1);
    for name in [NO_MATCH, MATCH, &domain(12)] {
        let shown = own.node.told(&["report", "show", name, "--day", &today]);
        let policies = shown["document"]["policies"].as_array().map(Vec::len);
        own.report
            .check(policies == Some(0), || format!("{name} today: {shown}"));
    }
    println!(
        "reports: {} reached {NO_MATCH}, whose mail waits; no session of it is counted",
        there
    );
}

/// RP-15: the refused report is tried by the schedule, and given up after 24 hours.
fn schedule(own: &mut Box<'_>) {
    let first = tries(own)[0];
    walk(own, first + DAY + 30);
    walk(own, first + DAY + 5 * 60 * MINUTE);
    let tries = tries(own);
    let minutes: Vec<i64> = tries.iter().map(|at| (at - first) / MINUTE).collect();
    println!("reports: refused with 503, tried after minutes {minutes:?}");
    let expected = [0, 5, 15, 35, 75, 155, 315, 555, 795, 1_035, 1_275, 1_440];
    // Each is made by the first round at or after its time.
    let fits = |(found, expected): (&i64, &i64)| (0..=1).contains(&(found - expected));
    own.report.check(
        minutes.len() == expected.len() && minutes.iter().zip(&expected).all(fits),
        || format!("tried after minutes {minutes:?}"),
    );
    let day = own.clock.name(0);
    let listed = own.node.told(&["report", "list", "--day", &day]);
    let sent = listed["sent"].as_array().cloned().unwrap_or_default();
    let refused = sent.iter().find(|line| line["domain"] == domain(9));
    let given_up = refused.is_some_and(|line| line["standing"] == "given up");
    own.report
        .check(given_up, || format!("the refused report: {refused:?}"));
    let others = sent
        .iter()
        .filter(|line| line["standing"] == "delivered")
        .count();
    own.report
        .check(others + 1 == sent.len(), || format!("{sent:?}"));
}

/// RP-13: nothing but the report of what came after midnight leaves on the second day, and nothing on the
/// third and fourth.
fn two_more_days(own: &mut Box<'_>) {
    let (second, third) = (own.clock.name(1), own.clock.name(2));
    // Standing, claiming and sending have a round of their own each.
    let started = Instant::now();
    let is_sent = || {
        let listed = own.node.told(&["report", "list", "--day", &second]);
        listed["sent"].as_array().is_some_and(|sent| {
            !sent.is_empty() && sent.iter().all(|own| own["standing"] == "delivered")
        })
    };
    while !is_sent() && started.elapsed() < ROUND * 10 {
        sleep(Duration::from_millis(200));
    }
    sleep(Duration::from_secs(1));
    let arrived = arrivals(own.scene, "solo", own.clock);
    let late: Vec<&super::arrivals::Arrival> =
        arrived.iter().filter(|own| own.day() == second).collect();
    let counts = late
        .iter()
        .map(|own| super::tally::sessions(&own.tally()))
        .sum::<u64>();
    own.report.check(
        late.len() == 1 && late[0].domain() == domain(0) && counts == 50,
        || {
            format!(
                "{} reports of the second day, with {counts} sessions",
                late.len()
            )
        },
    );
    let before = mails(own.scene.sessions, "solo").len() + own.scene.posts.of("solo").len();
    for day in [3, 4] {
        walk(own, own.clock.midnight(day) + 3 * MINUTE);
        walk(own, own.clock.midnight(day) + 70 * MINUTE);
        sleep(ROUND);
    }
    let now = mails(own.scene.sessions, "solo").len() + own.scene.posts.of("solo").len();
    own.report.check(now == before, || {
        format!(
            "{} more reports left on the third and fourth day",
            now - before
        )
    });
    let listed = own.node.told(&["report", "list", "--day", &third]);
    let none = listed["sent"].as_array().is_some_and(Vec::is_empty);
    own.report
        .check(none, || format!("reports of the third day: {listed}"));
    let status: Value = own.node.told(&["status"]);
    let lost = &status["reports"]["sessions_lost"];
    own.report
        .check(*lost == 0, || format!("sessions lost: {lost}"));
    println!("reports: two more days, and no report about reports");
}

/// Minutes between attempts.
const PAUSES: [i64; 11] = [5, 10, 20, 40, 80, 160, 240, 240, 240, 240, 240];
