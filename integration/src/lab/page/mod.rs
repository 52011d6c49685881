//! The page, in a real browser: what it shows of a daemon that has had trouble, a way through it by clicks,
//! on a desktop and on a phone, light and dark, with scripts and without.

mod browser;
mod screens;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use self::browser::{Browser, Driver};
use super::hoplock::Hoplock;
use super::servers::until;
use super::sessions::journal;
use super::stage::{Lab, Mapped};

/// All of it. Pictures are kept in the folder that `LAB_PICTURES` names, else in the lab's own.
pub(super) fn all(lab: &mut Lab<'_>, mapped: &Mapped) {
    fill(lab, mapped);
    let pictures = std::env::var_os("LAB_PICTURES");
    let pictures = pictures.map_or_else(|| lab.folder.join("pictures"), PathBuf::from);
    fs::create_dir_all(&pictures).unwrap();
    let driver = Driver::start(lab.folder);
    let browser = Browser::open(&lab.folder.join("browser"), true);
    first_page(lab, &browser);
    by_clicks(lab, &browser);
    lists(lab, &browser);
    screens::all(lab, &browser, &pictures);
    refreshed(lab, &browser);
    silent(lab, &browser, "in the end");
    drop(browser);
    without_scripts(lab);
    drop(driver);
}

/// Real mail by a real Postfix: kept DANE, a policy, nothing, and a host with a wrong certificate; a rule
/// that ends soon, one of a hostile name, a report of somebody else's.
fn fill(lab: &mut Lab<'_>, mapped: &Mapped) {
    let domains = ["dane.test", "sts.test", WRONG, "plain.test"];
    for domain in domains {
        let to = format!("page@{domain}");
        mapped.postfix.send(&to);
        until(
            "the deliveries for the page",
            Duration::from_secs(60),
            || mapped.postfix.attempts(&to) > 0,
        );
    }
    // Postfix gives up on its MX records by itself, and asks nobody.
    let told = Hoplock::ask("postfix", "bogus.test").unwrap_or_default();
    expect(lab, told.starts_with("TEMP "), "bogus.test", &told);
    until("the journal", Duration::from_secs(60), || {
        journal("")
            .iter()
            .any(|own| own["next_hop"] == WRONG && own["verdict"] == "failed")
    });
    let rule = [
        "rule",
        "add",
        "soon.test",
        "--answer",
        "encrypt",
        "--until",
        "30m",
        "--comment",
        EVIL,
    ];
    let added = lab.hoplock.tool(&rule);
    lab.report.check(added.status.success(), || {
        format!("rule: {}", String::from_utf8_lossy(&added.stderr))
    });
    let report = lab.folder.join("received.json");
    fs::write(&report, received().to_string()).unwrap();
    let read = lab
        .hoplock
        .tool(&["report", "read", &report.display().to_string()]);
    lab.report.check(read.status.success(), || {
        format!("report read: {}", String::from_utf8_lossy(&read.stderr))
    });
}

fn received() -> Value {
    serde_json::json!({
        "organization-name": EVIL,
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "contact-info": "tls@reporter.test",
        "report-id": "page-1@reporter.test",
        "policies": [{
            "policy": {"policy-type": "no-policy-found", "policy-domain": "our.test"},
            "summary": {"total-successful-session-count": 7, "total-failure-session-count": 2},
        }],
    })
}

/// What stands out comes first, and everything that is promised is there.
fn first_page(lab: &mut Lab<'_>, browser: &Browser) {
    browser.go(PAGE);
    let alarms = browser.texts("#alarms .alarm[data-alarm=session-failed]");
    let about = |alarm: &String| alarm.contains(WRONG) && alarm.contains("What helps:");
    expect(lab, alarms.iter().any(about), "the alarm", &alarms);
    let order = browser
        .run("return [...document.querySelectorAll('main > section')].map(section => section.id)");
    let order: Vec<&str> = order
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    expect(
        lab,
        order.starts_with(&["alarms", "failures"]),
        "what stands out comes first",
        &order,
    );
    for section in [
        "waiting",
        "protection",
        "health",
        "policies",
        "rules",
        "reports",
    ] {
        expect(lab, order.contains(&section), section, &order);
    }
    let failures = browser.texts("#failures tbody tr");
    let wrong = |row: &String| row.contains(WRONG) && row.contains("failed");
    expect(
        lab,
        failures.iter().any(wrong),
        "the session that failed",
        &failures,
    );
    let waiting = browser.texts("#waiting tbody tr");
    expect(
        lab,
        waiting.iter().any(|row| row.contains("bogus.test")),
        "mail that waits",
        &waiting,
    );
    let legend = browser.texts("#protection .legend li");
    let drawn = browser.count("#protection svg.chart path.column");
    expect(
        lab,
        legend.len() == 6 && drawn == 6,
        "kinds of protection",
        &legend,
    );
    for (kind, least) in [("DANE", 2), ("MTA-STS", 1), ("clear", 1), ("waiting", 1)] {
        let own = legend
            .iter()
            .find(|item| item.contains(kind))
            .cloned()
            .unwrap_or_default();
        let number = own
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        expect(
            lab,
            number.is_some_and(|number| number >= least),
            kind,
            &own,
        );
    }
    what_is_kept(lab, browser);
    // What came from elsewhere is text and nothing else.
    let injected = browser.count("main script, main img, main iframe");
    expect(lab, injected == 0, "texts stay texts", &injected);
    silent(lab, browser, "on the first page");
}

/// Resolver, state, policies, rules and reports.
fn what_is_kept(lab: &mut Lab<'_>, browser: &Browser) {
    let resolver = browser.text("#resolver");
    expect(
        lab,
        resolver.contains("validating"),
        "the resolver",
        &resolver,
    );
    let store = browser.text("#store");
    expect(
        lab,
        store.contains("policies remembered") || store.contains("policy remembered"),
        "state",
        &store,
    );
    let policy = browser.text("#policies tbody tr");
    expect(lab, !policy.is_empty(), "the policy", &policy);
    let rule = browser.text("#rules tr[data-pattern='soon.test']");
    expect(
        lab,
        rule.contains("ends soon") && rule.contains(EVIL),
        "the rule near its end",
        &rule,
    );
    let received = browser.text("#reports table.received tbody tr");
    expect(
        lab,
        received.contains(EVIL),
        "the report of somebody else",
        &received,
    );
}

/// From the alarm's domain, typed into the search box, to the certificate that was wrong, and back.
fn by_clicks(lab: &mut Lab<'_>, browser: &Browser) {
    browser.type_into("#next_hop", WRONG);
    browser.follow("form button");
    let title = browser.text("h1.verdict");
    expect(
        lab,
        title.contains(WRONG) && title.contains("DANE"),
        "what explain says",
        &title,
    );
    let steps = browser.run(
        "return [...document.querySelectorAll('.hosts li:first-child .steps > li')].map(step => \
         [step.dataset.step, step.className].join(' '))",
    );
    let steps: Vec<String> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step.as_str().unwrap_or_default().to_owned())
        .collect();
    let expected = [
        "host box good",
        "addresses box good",
        "tlsa box good",
        "certificate box bad",
        "use box end good",
    ];
    expect(lab, steps == expected, "the chain", &steps);
    let certificate = browser.text("li[data-step=certificate]");
    expect(
        lab,
        certificate.contains("failed"),
        "the wrong certificate",
        &certificate,
    );
    let tlsa = browser.text("li[data-step=tlsa]");
    expect(lab, tlsa.contains("3 1 1 "), "the TLSA record", &tlsa);
    browser.click("summary");
    let explain = browser.text("details pre");
    let told = lab.hoplock.explain_text(WRONG);
    let first = told.lines().next().unwrap_or_default();
    expect(
        lab,
        !first.is_empty() && explain.contains(first),
        "explain",
        &explain,
    );
    browser.follow("nav a[href='/sessions']");
    browser.follow(".filters a[href='/sessions?outcome=failed']");
    expect(
        lab,
        browser.address().ends_with("/sessions?outcome=failed"),
        "the filter",
        &browser.address(),
    );
    let rows = browser.texts("table.sessions tbody tr");
    let all_failed = !rows.is_empty() && rows.iter().all(|row| row.contains("failed"));
    expect(lab, all_failed, "sessions that failed", &rows);
    browser.follow("table.sessions a");
    let title = browser.text("h1.verdict");
    expect(
        lab,
        title.contains(WRONG),
        "back at the destination",
        &title,
    );
    browser.type_into("#next_hop", "somebody@dane.test");
    browser.follow("form button");
    let good = browser.text("li[data-step=certificate]");
    expect(
        lab,
        good.contains("authenticated-dane"),
        "the certificate that fits",
        &good,
    );
    browser.go(&format!(
        "{PAGE}destination?next_hop=%3Cscript%3Ealert(1)%3C/script%3E"
    ));
    let injected = browser.count("main script");
    expect(lab, injected == 0, "a hostile name", &injected);
    browser.follow("a.name");
    expect(lab, browser.address() == PAGE, "home", &browser.address());
    silent(lab, browser, "by clicks");
}

/// Each list by its link.
fn lists(lab: &mut Lab<'_>, browser: &Browser) {
    for (link, row) in [
        ("/destinations", "table.destinations tbody tr"),
        ("/sessions", "table.sessions tbody tr"),
        ("/policies", "table.policies tbody tr"),
        ("/reports", "table.received tbody tr"),
    ] {
        browser.follow(&format!("nav a[href='{link}']"));
        let here = browser.text("nav [aria-current=page]");
        let rows = browser.count(row);
        expect(lab, rows > 0 && !here.is_empty(), link, &rows);
    }
    browser.go(&format!("{PAGE}destinations?protection=waiting"));
    let rows = browser.texts("table.destinations tbody tr");
    let waiting = rows.iter().any(|row| row.contains("bogus.test"))
        && rows.iter().all(|row| row.contains("waiting"));
    expect(lab, waiting, "destinations that wait", &rows);
    silent(lab, browser, "in the lists");
}

/// The script takes over what has changed, and says so when nobody answers.
fn refreshed(lab: &mut Lab<'_>, browser: &Browser) {
    browser.go(PAGE);
    let removed = lab.hoplock.tool(&["rule", "remove", "soon.test"]);
    expect(
        lab,
        removed.status.success(),
        "the rule is removed",
        &removed.status,
    );
    let refresh = "refresh().then(arguments[arguments.length - 1])";
    browser.run_to_its_end(refresh);
    let rules = browser.text("#rules");
    expect(lab, !rules.contains("soon.test"), "refreshed", &rules);
    let note = browser.text("#refreshed");
    expect(lab, note.starts_with("Refreshed at "), "the note", &note);
    silent(lab, browser, "refreshed");
    lab.hoplock.kill();
    browser.run_to_its_end(refresh);
    let note = browser.text("#refreshed");
    expect(
        lab,
        note.contains("does not answer"),
        "nobody answers",
        &note,
    );
    // That it was not reached is told there, rightly.
    browser.console();
    lab.hoplock.restart();
    browser.run_to_its_end(refresh);
    let note = browser.text("#refreshed");
    expect(
        lab,
        note.starts_with("Refreshed at "),
        "it answers again",
        &note,
    );
}

/// The same page to a browser that runs no scripts.
fn without_scripts(lab: &mut Lab<'_>) {
    let browser = Browser::open(&lab.folder.join("browser-without"), false);
    browser.go(PAGE);
    let ran = browser.text("#refreshed");
    expect(lab, ran.is_empty(), "no script runs", &ran);
    browser.type_into("#next_hop", WRONG);
    browser.follow("form button");
    let certificate = browser.text("li[data-step=certificate]");
    expect(
        lab,
        certificate.contains("failed"),
        "the chain without scripts",
        &certificate,
    );
}

fn silent(lab: &mut Lab<'_>, browser: &Browser, place: &str) {
    let console = browser.console();
    expect(
        lab,
        console.is_empty(),
        &format!("console {place}"),
        &console,
    );
}

fn expect(lab: &mut Lab<'_>, good: bool, what: &str, seen: &dyn std::fmt::Debug) {
    lab.report.check(good, || format!("page: {what}: {seen:?}"));
}

const PAGE: &str = "http://127.0.0.1:8426/";
/// A DANE destination whose host shows a certificate of another key.
const WRONG: &str = "wrong-key.test";
/// A text that would be more than a text, were it not escaped.
const EVIL: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";
