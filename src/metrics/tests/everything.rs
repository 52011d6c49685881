//! A daemon in which everything happened once, so that each figure and each label is there.

use hoplock_policy::dns::{Answer, Denial, FailureKind, RecordType, SecurityStatus};
use hoplock_policy::law::rows::Row;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::verify::{Session, SessionOutcome, SessionVerdict};
use hoplock_wire::readsocket::Verb;

use super::super::*;
use crate::store::journal::MemoryJournal;
use crate::watch::finding::{Kind, Severity};
use crate::world::reports::FleetState;
use crate::world::{
    FetchFailure, FetchFailureKind, JournalBounds, JournalEntry, Judged, PolicyResponse,
    SessionSource, Timing,
};

const NOW: Moment = Moment {
    wall: Timestamp(1_795_478_400_000),
    uptime: Duration::from_secs(40 * 86_400),
};

/// A daemon in which everything happened once.
pub(super) fn everything() -> Metrics {
    let outside = Outside::default();
    let metrics = Metrics::with(&outside);
    everything_outside(&outside);
    for word in WORDS {
        let mut verdict = Verdict::temp(Row::Law, Reason::Busy, "words");
        verdict.would_fail = Some(Reason::HalfDane);
        metrics.answered(&verdict, Evidence::Kept, Duration::from_micros(5));
        let place = WORDS.iter().position(|own| *own == word).unwrap();
        metrics.answers.count(place * Reason::ALL.len());
    }
    for evidence in Evidence::ALL {
        let verdict = Verdict::temp(Row::Law, Reason::Deadline, "words");
        metrics.answered(&verdict, evidence, Duration::from_secs(2));
    }
    let verbs = [
        Verb::Level,
        Verb::Mx,
        Verb::Option,
        Verb::Cert,
        Verb::Event,
        Verb::Dnsdb,
        Verb::Unknown,
    ];
    let words = ["enforce", "may", "ok", "refuse", "defer", "value", "none"];
    for (verb, answer) in verbs.into_iter().zip(words) {
        metrics.asked_by_exim(verb.word(), answer);
    }
    for answer in ["ok", "refuse", "temp"] {
        metrics.asked_by_sendmail(answer);
    }
    for action in [
        "dunno", "defer", "reject", "hold", "warn", "filter", "prepend",
    ] {
        metrics.guarded(action);
    }
    for rcode in [
        "NOERROR", "NODATA", "NXDOMAIN", "SERVFAIL", "FORMERR", "NOTIMP", "REFUSED", "BADVERS",
    ] {
        metrics.asked_by_dns(rcode);
    }
    metrics.take_over(&sessions(), NOW);
    metrics.take_over_standing(Taken::default(), Standing::default());
    metrics.take_over_alarms(&[AlarmKind::NoState], 1);
    let figures = ReportFigures {
        fleet: Some(FleetState::Reached),
        ..ReportFigures::default()
    };
    metrics.take_over_reports(&figures, PostFigures::default());
    let severities = Severity::ALL.map(|severity| ((severity, Kind::TlsaStale), 1));
    let figures = WatchFigures {
        findings: BTreeMap::from(severities),
        looked: Some(NOW.wall),
        first_end: Some(1_800_000_000),
    };
    metrics.take_over_watch(&figures, NOW.wall);
    metrics
}

fn everything_outside(outside: &Outside) {
    let types = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Mx,
        RecordType::Soa,
        RecordType::Srv,
        RecordType::Tlsa,
        RecordType::Txt,
    ];
    let denial = || Denial {
        status: SecurityStatus::Secure,
        aliases: Vec::new(),
        ttl: Duration::ZERO,
    };
    let records = Answer::Records {
        status: SecurityStatus::Secure,
        aliases: Vec::new(),
        data: Vec::new(),
        ttl: Duration::ZERO,
    };
    let mut answers = vec![
        records,
        Answer::NoData(denial()),
        Answer::NxDomain(denial()),
    ];
    let failed = FailureKind::ALL.into_iter();
    answers.extend(failed.map(|kind| Answer::failed(kind, "words")));
    for record_type in types {
        for answer in &answers {
            outside.looked_up(record_type, answer, Duration::from_millis(3));
        }
    }
    let response = |status, media_type: &str, body: &str| PolicyResponse {
        status,
        media_type: Some(media_type.to_owned()),
        body: body.as_bytes().to_vec(),
        certificate: None,
    };
    let policy = "version: STSv1\nmode: none\nmax_age: 86400\n";
    for outcome in [
        response(200, "text/plain", policy),
        response(404, "text/plain", policy),
        response(200, "text/html", policy),
        response(200, "text/plain", "nonsense"),
    ] {
        outside.fetched(&Ok(outcome), Duration::from_millis(30));
    }
    for kind in FetchFailureKind::ALL {
        let detail = "words".to_owned();
        outside.fetched(&Err(FetchFailure { kind, detail }), Duration::from_secs(9));
    }
}

fn sessions() -> Sessions {
    let sessions = Sessions::new(Arc::new(MemoryJournal::new(JournalBounds::default())));
    for outcome in [
        SessionOutcome::AuthenticatedDane,
        SessionOutcome::AuthenticatedSts,
        SessionOutcome::AuthenticatedPinned,
        SessionOutcome::Encrypted,
        SessionOutcome::Cleartext,
        SessionOutcome::Failed,
        SessionOutcome::Indeterminate,
    ] {
        let verdict = SessionVerdict {
            outcome,
            reason: Reason::TlsaMatch,
            detail: String::new(),
            matched: None,
            warnings: Vec::new(),
            results: Vec::new(),
        };
        let judged = Judged {
            time: NOW.wall,
            source: SessionSource::Tlsrpt,
            timing: Timing::AfterDelivery,
            second_look: false,
        };
        let entry = JournalEntry::of(&Session::unknown(), verdict, judged);
        sessions.note(entry, NOW);
    }
    sessions
}
