//! What people see of judged sessions: the journal over HTTP, alarms in `status`, metrics. Sessions are
//! noted as whoever judges them does it, through the library; all that shows them is the real thing.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hoplock::config::Config;
use hoplock::metrics::{AlarmKind, Metrics};
use hoplock::report::Sessions;
use hoplock::serve::admin::{Admin, Guard, router};
use hoplock::serve::connections::Connections;
use hoplock::serve::engine::{Engine, Memory, settings};
use hoplock::serve::negative_anchors::NegativeAnchors;
use hoplock::serve::reporting;
use hoplock::serve::rulebook::Rulebook;
use hoplock::serve::watching::Watching;
use hoplock::world::{JournalEntry, Judged, MatchedKind, MatchedText, SessionSource, Timing};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{
    PolicyKind, PolicyResult, Session, SessionOutcome, SessionVerdict, Starttls, TlsVersion,
    Warning,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::process::BINARY;

/// The daemon's insides with its control socket, without its listeners.
struct Inside {
    folder: TempDir,
    runtime: Runtime,
    admin: Arc<Admin>,
}

impl Inside {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        let text = format!(
            "[listen]\nsocketmap = []\nhttp = []\ncontrol = \"unix:{0}/control.sock\"\n\
             [dns]\nservers = [\"127.0.0.1:1\"]\nself_test = \"\"\n\
             [store]\npath = \"{0}/state.db\"\n[profile.postfix]\nown_dane = \"yes\"\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("hoplock.toml"), &text).unwrap();
        let config = Config::parse(&text, &[]).0.unwrap();
        let runtime = Runtime::new().unwrap();
        let admin = runtime.block_on(async {
            let memory = Memory::File(folder.path().join("state.db"));
            let engine = Engine::start(&config, &memory).await.unwrap();
            let sessions = Arc::new(Sessions::new(Arc::clone(&engine.journal)));
            let closing = CancellationToken::new();
            let tally = Arc::new(reporting::tally(&config, &engine));
            let post = Arc::new(reporting::post_office(&config, &engine).unwrap());
            let watch = Arc::new(Watching::new(&config, &engine));
            let metrics = Arc::new(Metrics::with(&engine.outside));
            let admin = Arc::new(Admin {
                tally,
                post,
                watch,
                rulebook: Rulebook::new(Arc::clone(&engine.answerer), settings(&config)),
                negative_anchors: NegativeAnchors::new(Arc::clone(&engine.answerer)),
                engine,
                metrics,
                connections: Connections::new(10, &closing),
                sessions,
            });
            let path = folder.path().join("control.sock");
            let _ = std::fs::remove_file(&path);
            let listener = tokio::net::UnixListener::bind(path).unwrap();
            let routes = router(Arc::clone(&admin), Guard::FilePermissions);
            tokio::spawn(async move { axum::serve(listener, routes).await });
            admin
        });
        Self {
            folder,
            runtime,
            admin,
        }
    }

    /// Ends it, and begins again in the same folder.
    fn restart(self) -> Self {
        let Self {
            folder,
            runtime,
            admin,
        } = self;
        drop(runtime);
        drop(admin);
        let again = Self::start_in(folder);
        let now = again.now();
        again
            .runtime
            .block_on(again.admin.sessions.begin(now))
            .unwrap();
        again
    }

    fn now(&self) -> Moment {
        self.admin.engine.clock.now()
    }

    fn note(&self, entry: JournalEntry) {
        self.admin.sessions.note(entry, self.now());
    }

    fn get(&self, target: &str) -> (String, String) {
        let mut stream = UnixStream::connect(self.folder.path().join("control.sock")).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap();
        (status.to_owned(), body.to_owned())
    }

    fn sessions(&self, query: &str) -> Vec<Value> {
        let (status, body) = self.get(&format!("/api/v1/sessions{query}"));
        assert_eq!(status, "200", "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(BINARY);
        let config = self.folder.path().join("hoplock.toml");
        let output = command.args(arguments).arg("--config").arg(config).output();
        let output = output.unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    }
}

fn entry(inside: &Inside, name: &str, outcome: SessionOutcome, reason: Reason) -> JournalEntry {
    let session = Session {
        next_hop: Some(NextHop::parse(name)),
        mx_host: Some(MxHost(DomainName::parse(&format!("mx1.{name}")).unwrap())),
        address: Some("192.0.2.1".parse().unwrap()),
        port: Some(25),
        starttls: Some(Starttls::Used),
        tls_version: Some(TlsVersion::Tls13),
        cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        ..Session::unknown()
    };
    let verdict = SessionVerdict {
        outcome,
        reason,
        detail: "the certificate is another one".to_owned(),
        matched: None,
        warnings: vec![Warning::SniMissing],
        results: Vec::new(),
    };
    let judged = Judged {
        time: inside.now().wall,
        source: SessionSource::Tlsrpt,
        timing: Timing::AfterDelivery,
        second_look: true,
    };
    JournalEntry::of(&session, verdict, judged)
}

/// SV-02, SV-08, SV-10: the list has each session as it was judged, newest first, and what is asked
/// for alone; a question that makes no sense is refused with the way out.
#[test]
fn the_journal_is_a_list() {
    let inside = Inside::start();
    assert_eq!(inside.sessions(""), [] as [Value; 0]);
    let result = |policy, outcome| PolicyResult {
        policy,
        outcome,
        reason: Reason::DaneAllHosts,
        detail: "so".to_owned(),
    };
    let dane = SessionOutcome::AuthenticatedDane;
    let mut good = entry(&inside, "a.test", dane, Reason::DaneAllHosts);
    good.time = Timestamp(1_793_000_000_000);
    good.matched = Some(MatchedText {
        kind: MatchedKind::Tlsa,
        text: TlsaRecord::from_rdata(&[3, 1, 0, 0xab])
            .unwrap()
            .to_string(),
        depth: Some(0),
    });
    good.results = vec![
        result(PolicyKind::Dane, dane),
        result(PolicyKind::Sts, SessionOutcome::Failed),
    ];
    inside.note(good);
    let failed = SessionOutcome::Failed;
    inside.note(entry(&inside, "b.test", failed, Reason::HalfDane));
    let list = inside.sessions("");
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["next_hop"], "b.test");
    let expected = json!({
        "id": 1, "time": "2026-10-26T07:33:20Z", "source": "tlsrpt", "judged": "after-delivery",
        "next_hop": "a.test", "mx_host": "mx1.a.test", "address": "192.0.2.1", "port": 25,
        "starttls": "used", "tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384",
        "verdict": "authenticated-dane", "reason": "dane-all-hosts",
        "detail": "the certificate is another one",
        "matched": {"tlsa": "3 1 0 ab", "depth": 0},
        "warnings": ["sni-missing"],
        "results": [
            {"policy": "tlsa", "verdict": "authenticated-dane", "reason": "dane-all-hosts", "detail": "so"},
            {"policy": "sts", "verdict": "failed", "reason": "dane-all-hosts", "detail": "so"},
        ],
        "second_look": true,
    });
    assert_eq!(list[1], expected);
    for (query, ids) in [
        ("?next_hop=B.test", &[2][..]),
        ("?outcome=failed", &[2]),
        ("?outcome=authenticated-dane", &[1]),
        ("?outcome=cleartext", &[]),
        ("?since=2026-10-26T07:33:21Z", &[2]),
        ("?until=2026-10-26T07:33:21Z", &[1]),
        ("?limit=1", &[2]),
        ("?limit=1&before=2", &[1]),
        ("?next_hop=a.test&outcome=failed", &[]),
    ] {
        let found = inside.sessions(query);
        let found: Vec<u64> = found
            .iter()
            .map(|line| line["id"].as_u64().unwrap())
            .collect();
        assert_eq!(found, ids, "{query}");
    }
    for (query, word) in [
        ("?outcome=good", "authenticated-dane, "),
        ("?since=yesterday", "2026-11-24T10:00:00Z"),
        ("?limit=0", "from 1 to 1000"),
        ("?limit=1001", "from 1 to 1000"),
        ("?next_hop=a..test", "no destination"),
        ("?limit=many", "limit"),
    ] {
        let (status, words) = inside.get(&format!("/api/v1/sessions{query}"));
        assert_eq!(status, "400", "{query}");
        assert!(words.contains(word), "{query}: {words}");
    }
}

/// SV-10, SV-11: a session below its policy is an alarm, with when, why, what helps, and whether it
/// could stop the mail; it outlives a restart. What is not below its policy is none.
#[test]
fn a_failed_session_is_an_alarm() {
    let inside = Inside::start();
    inside.note(entry(
        &inside,
        "a.test",
        SessionOutcome::AuthenticatedSts,
        Reason::StsEnforce,
    ));
    let (code, page) = inside.command(&["status"]);
    assert!(!page.contains("session-failed"), "{page}");
    assert!(
        page.contains("in the last hour: 1 authenticated-sts; 0 in the journal"),
        "{page}"
    );
    let before = code;
    for _ in 0..3 {
        let failed = SessionOutcome::Failed;
        inside.note(entry(&inside, "b.test", failed, Reason::TlsaNoMatch));
    }
    let (code, page) = inside.command(&["status"]);
    assert_eq!((code, before), (Some(1), before), "{page}");
    for words in [
        "session-failed: sessions below their policy: b.test: 3 in the last hour, last at 20",
        "with mx1.b.test (judged afterwards: the mail may have gone out)",
        "tlsa-no-match: the certificate is another one",
        "certificate and TLSA records do not fit",
        "hoplock explain 'b.test'",
        "1 authenticated-sts, 3 failed",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let (_, metrics) = inside.get("/metrics");
    for line in [
        "hoplock_sessions_total{outcome=\"failed\",reason=\"tlsa-no-match\"} 3",
        "hoplock_session_alarms 1",
        "hoplock_journal_sessions_limit 100000",
        "hoplock_connections_limit 10000",
        "hoplock_state_lasts 1",
        "hoplock_state_written 1",
        "hoplock_reports_enabled 0",
        "hoplock_policies_soonest_expiry_seconds NaN",
        "hoplock_sessions_dropped_total{why=\"journal-full\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    alarms_are_figures(&inside, &metrics);
    let inside = inside.restart();
    let (_, metrics) = inside.get("/metrics");
    for line in [
        "hoplock_journal_sessions 4",
        "hoplock_journal_sessions_failed 3",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let (code, text) = inside.command(&["status", "--json"]);
    assert_eq!(code, Some(1));
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        status["journal"],
        json!({"sessions": 4, "failed": 3, "not_kept": 0})
    );
    let alarms = status["alarms"].as_array().unwrap().iter();
    let mut alarms = alarms.filter(|alarm| alarm["alarm"] == "session-failed");
    let what = alarms.next().unwrap()["what"].as_str().unwrap();
    assert!(what.contains("b.test: 3 in the last hour"), "{what}");
    assert!(alarms.next().is_none());
    assert_eq!(inside.sessions("").len(), 4);
}

/// SV-11: however many destinations fail, `status` stays a page.
#[test]
fn many_alarms_are_one_page() {
    let inside = Inside::start();
    for number in 0..300 {
        let name = format!("d{number}.test");
        inside.note(entry(
            &inside,
            &name,
            SessionOutcome::Failed,
            Reason::HalfDane,
        ));
    }
    let (_, page) = inside.command(&["status"]);
    assert_eq!(page.matches("session-failed: ").count(), 21, "{page}");
    assert!(
        page.contains("280 more destinations, with 280 in the last hour"),
        "{page}"
    );
}

/// The daemon itself writes what was noted, a second later.
#[test]
fn what_waits_is_written() {
    let inside = Inside::start();
    let failed = SessionOutcome::Failed;
    inside.note(entry(&inside, "b.test", failed, Reason::HalfDane));
    assert_eq!(inside.admin.engine.journal.figures().alarms, 0);
    inside.admin.sessions.second();
    let started = inside.now().uptime;
    while inside.admin.engine.journal.figures().alarms == 0 {
        assert!(inside.now().uptime - started < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// MX-17, SV-10: the alarms of `status` and of the metrics are the same.
fn alarms_are_figures(inside: &Inside, metrics: &str) {
    let (_, text) = inside.command(&["status", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    let alarms = status["alarms"].as_array().unwrap();
    let mut shown = 0;
    for kind in AlarmKind::all() {
        let told = alarms.iter().filter(|own| own["alarm"] == kind.word());
        let count = told.count();
        let line = format!("hoplock_alarms{{alarm=\"{}\"}} {count}\n", kind.word());
        assert!(metrics.contains(&line), "{line}\n{metrics}");
        shown += count;
    }
    assert_eq!(shown, alarms.len(), "{text}");
    assert!(shown > 0, "{text}");
}
