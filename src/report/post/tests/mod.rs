//! The office under a clock that is set by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod forgetful;
mod scene;

use hoplock_policy::dns::{FailureKind, RecordType};
use hoplock_wire::tlsrpt::decode_document;

use self::forgetful::Forgetful;
use self::scene::{DAY, Scene, field, name, orders};
use super::*;
use crate::report::mail::gzip;
use crate::world::courier::Undelivered;
use crate::world::reports::tally::{Counter, Counts};
use crate::world::scripted::Scripted;

/// RP-10, RP-11, RP-13, RP-14: nothing leaves before midnight; then one report for each domain that asks, with
/// its own Message-ID and the mark that it may go out without TLS, or posted as what its type says, and never
/// a second one.
#[tokio::test]
async fn a_day_is_reported_once() {
    let scene = Scene::new(orders());
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
    scene.record("b.test", "v=TLSRPTv1; rua=mailto:r@b.test,https://b.test/r");
    for domain in ["a.test", "b.test", "none.test"] {
        scene.count(domain, 7, 3);
    }
    scene.hours(11).await;
    assert!(scene.mails().is_empty() && scene.report("a.test").await.is_none());
    scene.hours(30).await;
    let mails = scene.mails();
    let mut to: Vec<&str> = mails.iter().map(|(_, to, _)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["r@a.test", "r@b.test"]);
    let posts = scene.taken.posts.lock().unwrap().clone();
    let posted = scene.report("b.test").await.unwrap().document;
    let packed = gzip(&posted).unwrap();
    assert_eq!(posts, [("https://b.test/r".to_owned(), packed)]);
    let (from, _, message) = mails.iter().find(|(_, to, _)| to == "r@a.test").unwrap();
    assert_eq!(from, "tlsrpt@o.test");
    assert_eq!(field(message, "TLS-Required"), "No");
    assert_eq!(field(message, "TLS-Report-Domain"), "a.test");
    assert_eq!(field(message, "TLS-Report-Submitter"), "o.test");
    let report = scene.report("a.test").await.unwrap();
    assert_eq!(
        field(message, "Message-ID"),
        format!("<{}>", report.report_id)
    );
    assert_eq!((report.successful, report.failed), (7, 3));
    let document = decode_document(&report.document).unwrap();
    assert_eq!(document.report_id, report.report_id);
    assert_eq!(document.policies[0].failures[0].count, 3);
    assert_eq!(standing(&report), "delivered");
    assert!(scene.report("none.test").await.is_none());
    let figures = scene.office.figures();
    assert_eq!(
        (figures.claimed, figures.delivered, figures.failed),
        (2, 3, 0)
    );
}

/// RP-15: what is refused is tried by schedule and given up after 24 hours, always as the same mail.
#[tokio::test]
async fn refused_for_a_day() {
    let scene = Scene::new(orders());
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
    scene.count("a.test", 1, 0);
    *scene.taken.refuses.lock().unwrap() = Some(Undelivered::refused("554 no"));
    scene.hours(12 + 4 + 30).await;
    let mails = scene.mails();
    assert_eq!(mails.len(), 12, "as many as the schedule has");
    assert!(mails.iter().all(|mail| *mail == mails[0]));
    let report = scene.report("a.test").await.unwrap();
    assert_eq!(standing(&report), "given up");
    assert_eq!(report.deliveries[0].last, "554 no");
    assert_eq!(scene.office.figures().given_up, 1);
}

/// RP-11: what was claimed and not confirmed is sent again as it was, by whoever comes after; what was
/// confirmed is not.
#[tokio::test]
async fn an_unconfirmed_claim() {
    let scene = Scene::new(orders());
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
    scene.count("a.test", 1, 0);
    *scene.taken.refuses.lock().unwrap() = Some(Undelivered::temporary("killed in the middle"));
    scene.hours(12 + 5).await;
    let first = scene.mails();
    assert!(!first.is_empty());
    // Another process over the same store, after more was counted for that day.
    scene.count("a.test", 40, 2);
    let Scene { world, reports, .. } = scene;
    let after = Scene::over(world, reports, orders());
    after.hours(6).await;
    let second = after.mails();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0], first[0]);
    after.hours(2).await;
    assert_eq!(after.mails().len(), 1);
}

/// RP-01, RP-02: only exactly one good record has a report sent.
#[tokio::test]
async fn who_asks_for_reports() {
    let scene = Scene::new(orders());
    scene.record("two.test", "v=TLSRPTv1; rua=mailto:r@two.test");
    scene.record("two.test", "v=TLSRPTv1; rua=mailto:s@two.test");
    scene.record("later.test", "v=TLSRPTv10; rua=mailto:r@later.test");
    scene.record("http.test", "v=TLSRPTv1; rua=http://http.test/");
    scene.record(
        "one.test",
        "v=TLSRPTv1; rua=http://one.test/, mailto:r@one.test",
    );
    for domain in [
        "two.test",
        "later.test",
        "http.test",
        "one.test",
        "zero.test",
    ] {
        scene.count(domain, 1, 0);
    }
    scene.hours(12 + 5).await;
    let mails = scene.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].1, "r@one.test");
}

/// RP-01: a lookup that fails is no absence. It is made again, and where it goes on failing, what the mail
/// server saw counts: a domain with broken DNS is one that should hear of it.
#[tokio::test]
async fn a_record_that_cannot_be_looked_up() {
    let scene = Scene::new(orders());
    let fails = |domain: &str| {
        let owner = name(&format!("_smtp._tls.{domain}"));
        let fails = Scripted::Fails(FailureKind::ServFail);
        scene.world.set(owner, RecordType::Txt, fails);
    };
    for domain in ["back.test", "seen.test", "unseen.test"] {
        fails(domain);
        scene.count(domain, 5, 1);
    }
    let seen = Counter::Record("v=TLSRPTv1;rua=mailto:r@seen.test".to_owned());
    scene
        .reports
        .count(DAY, &name("seen.test"), Counts::from([(seen, 6)]));
    scene.hours(12 + 6).await;
    let to = |scene: &Scene| {
        let mut to: Vec<String> = scene.mails().into_iter().map(|(_, to, _)| to).collect();
        to.sort_unstable();
        to
    };
    assert_eq!(to(&scene), ["r@seen.test"]);
    scene
        .world
        .clear(&name("_smtp._tls.back.test"), RecordType::Txt);
    scene.record("back.test", "v=TLSRPTv1; rua=mailto:r@back.test");
    scene.hours(6).await;
    assert_eq!(to(&scene), ["r@back.test", "r@seen.test"]);
}

/// RP-12: where nobody signs, nothing leaves by mail, and it shows why.
#[tokio::test]
async fn unsigned_mail_does_not_leave() {
    let unsigned = Orders {
        signing: Err("nobody signs it".to_owned()),
        ..orders()
    };
    let scene = Scene::new(unsigned);
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test,https://a.test/");
    scene.count("a.test", 1, 0);
    scene.hours(12 + 5).await;
    assert!(scene.mails().is_empty());
    assert_eq!(scene.taken.posts.lock().unwrap().len(), 1, "no mail");
    let report = scene.report("a.test").await.unwrap();
    assert_eq!(report.deliveries[0].last, "nobody signs it");
    // A key that comes within the day is not too late.
    scene.office.reload(orders(), Box::new(scene.taken.clone()));
    scene.hours(5).await;
    assert_eq!(scene.mails().len(), 1);
}

/// RP-13: a report that may be about nothing but the delivery of earlier ones is not made, whatever became
/// of that delivery: it got through, was put off first, or is tried again for days.
#[tokio::test]
async fn no_report_about_reports() {
    for (good, failed, days_ago, is_own) in [
        (1, 0, 0, true),
        (3, 0, 1, true),
        (4, 0, 0, false),
        (1, 0, 2, false),
        (0, 40, 0, true),
        (0, 50, 5, true),
        (0, 1, 6, false),
        (0, 51, 3, false),
        (3, 50, 0, true),
    ] {
        let scene = Scene::new(orders());
        scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
        scene.count("a.test", good, failed);
        let mut day = DAY;
        for _ in 0..days_ago {
            day = day.before();
        }
        scene
            .reports
            .note_mailed(day, name("a.test"))
            .await
            .unwrap();
        scene.hours(12 + 5).await;
        let expected = usize::from(!is_own);
        let which = format!("{good} {failed} {days_ago}");
        assert_eq!(scene.mails().len(), expected, "{which}");
        let shown = scene.office.show(&key(DAY, name("a.test"))).await.unwrap();
        assert_eq!(shown.targets == Err(Nothing::OwnReports), is_own, "{which}");
        let today = Day::of(scene.now().wall);
        let mailed = scene.reports.mailed(today, name("a.test")).await;
        assert_eq!(mailed, Ok(expected as u64), "noted for the days to come");
    }
}

/// RP-10: what is sent by order is whole: not before its day is closed.
#[tokio::test]
async fn sent_by_order() {
    let scene = Scene::new(orders());
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
    scene.count("a.test", 1, 0);
    let key = key(DAY, name("a.test"));
    let sent = scene.office.send_now(&key).await.unwrap();
    assert!(matches!(sent, Err(Nothing::NotYet(_))), "{sent:?}");
    scene.world.pass(Duration::from_secs(12 * 3_600 + 200));
    scene.office.stand().await;
    let sent = scene.office.send_now(&key).await.unwrap().unwrap();
    assert_eq!(standing(&sent), "delivered");
    let again = scene.office.send_now(&key).await.unwrap().unwrap();
    assert_eq!(again, sent);
    scene.hours(6).await;
    assert_eq!(scene.mails().len(), 1);
}

/// What the operator says after a report was claimed counts for it too.
#[tokio::test]
async fn orders_that_come_late() {
    let pattern = |text: &str| RulePattern::Exact(name(text));
    for (late, expected) in [
        (
            Orders {
                deny: vec![pattern("a.test")],
                ..orders()
            },
            vec![],
        ),
        (
            Orders {
                redirect: ReportTarget::parse("mailto:me@o.test"),
                ..orders()
            },
            vec!["me@o.test"],
        ),
    ] {
        let scene = Scene::new(orders());
        scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
        scene.count("a.test", 1, 0);
        *scene.taken.refuses.lock().unwrap() = Some(Undelivered::temporary("later"));
        scene.hours(12 + 5).await;
        *scene.taken.refuses.lock().unwrap() = None;
        scene.taken.mails.lock().unwrap().clear();
        scene.office.reload(late, Box::new(scene.taken.clone()));
        scene.hours(5).await;
        let to: Vec<String> = scene.mails().into_iter().map(|(_, to, _)| to).collect();
        assert_eq!(to, expected);
    }
}

/// Lists, bounds and redirection: spam domains get nothing, trials go to the operator.
#[tokio::test]
async fn who_gets_reports() {
    let pattern = |text: &str| RulePattern::Exact(name(text));
    let all = ["a.test", "b.test", "few.test"];
    for (orders, expected) in [
        (orders(), vec!["r@a.test", "r@b.test", "r@few.test"]),
        (
            Orders {
                min_sessions: 5,
                ..orders()
            },
            vec!["r@a.test", "r@b.test"],
        ),
        (
            Orders {
                deny: vec![pattern("a.test")],
                ..orders()
            },
            vec!["r@b.test", "r@few.test"],
        ),
        (
            Orders {
                allow: vec![pattern("a.test")],
                ..orders()
            },
            vec!["r@a.test"],
        ),
        (
            Orders {
                redirect: ReportTarget::parse("mailto:me@o.test"),
                ..orders()
            },
            vec!["me@o.test"; 3],
        ),
    ] {
        let scene = Scene::new(orders);
        for domain in all {
            scene.record(domain, &format!("v=TLSRPTv1; rua=mailto:r@{domain}"));
            scene.count(domain, if domain == "few.test" { 4 } else { 5 }, 0);
        }
        scene.hours(12 + 5).await;
        let mut to: Vec<String> = scene.mails().into_iter().map(|(_, to, _)| to).collect();
        to.sort_unstable();
        assert_eq!(to, expected);
    }
    let scene = Scene::new(Orders {
        daily_limit: 2,
        ..orders()
    });
    for domain in all {
        scene.record(domain, &format!("v=TLSRPTv1; rua=mailto:r@{domain}"));
        scene.count(domain, 1, 0);
    }
    scene.hours(12 + 20).await;
    assert_eq!(scene.mails().len(), 2);
}

/// RP-15: a process that was away over midnight reports all the same, once.
#[tokio::test]
async fn away_over_midnight() {
    let scene = Scene::new(orders());
    scene.record("a.test", "v=TLSRPTv1; rua=mailto:r@a.test");
    scene.count("a.test", 2, 0);
    scene.world.pass(Duration::from_secs(30 * 3_600));
    scene.office.stand().await;
    scene.office.round().await;
    scene.office.deliveries().await;
    assert_eq!(scene.mails().len(), 1);
    scene.hours(1).await;
    assert_eq!(scene.mails().len(), 1);
}

/// RP-11: what cannot be written down is not sent, and what was sent and could not be confirmed is not sent
/// again at every round, but as after a failure, the same mail.
#[tokio::test]
async fn a_disk_that_fills_up() {
    let scene = Scene::new(orders());
    let forgetful = Arc::new(Forgetful {
        inner: Arc::clone(&scene.reports),
        refuses: AtomicBool::new(false),
    });
    let scene = Scene::over(scene.world, forgetful.clone(), orders());
    for domain in ["a.test", "b.test"] {
        scene.record(domain, &format!("v=TLSRPTv1; rua=mailto:r@{domain}"));
        scene.count(domain, 1, 0);
    }
    *scene.taken.refuses.lock().unwrap() = Some(Undelivered::temporary("later"));
    scene.hours(12 + 5).await;
    let before = scene.mails().len();
    assert!(before > 2);
    // Whatever is due from now on cannot be written down.
    forgetful.refuses.store(true, Ordering::Relaxed);
    *scene.taken.refuses.lock().unwrap() = None;
    scene.hours(6).await;
    assert_eq!(scene.mails().len(), before);
    forgetful.refuses.store(false, Ordering::Relaxed);
    scene.hours(1).await;
    assert_eq!(scene.mails().len(), before + 2);
    scene.hours(6).await;
    assert_eq!(scene.mails().len(), before + 2);
}
