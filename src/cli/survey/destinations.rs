//! The destinations of a survey: read from a list or a mail log, each once, with its weight.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;
use std::path::Path;

use hoplock_policy::next_hop::{NextHop, NotADomain};
use hoplock_wire::destinations::{Kind, LINE_LIMIT, delivered, domain_of, kind_of, listed};
use hoplock_wire::lines::{Found, LineFramer};

use super::super::certificates::open;

/// What the input names.
#[derive(Default)]
pub(crate) struct Destinations {
    /// Each once, in the order of their first lines.
    pub(crate) all: Vec<Destination>,
    /// Lines that name no destination and should.
    pub(crate) unreadable: u64,
}

/// One of them.
pub(crate) struct Destination {
    /// As keys are written.
    pub(crate) next_hop: String,
    /// Messages of the log, or lines of the list.
    pub(crate) weight: u64,
}

/// Reads a file, `-` being standard input; `complain` is told of each line that cannot be read.
pub(super) fn read(path: &Path, complain: impl FnMut(&str)) -> Result<Destinations, String> {
    read_from(open(path)?, complain).map_err(|why| format!("{}: {why}", path.display()))
}

fn read_from(mut input: impl Read, complain: impl FnMut(&str)) -> Result<Destinations, String> {
    let mut reading = Reading {
        complain,
        found: Destinations::default(),
        places: HashMap::new(),
        kind: None,
        first: Vec::new(),
        recent: Recent::default(),
    };
    let mut framer = LineFramer::new(LINE_LIMIT);
    let (mut kept, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let read = input.read(&mut chunk).map_err(|error| error.to_string())?;
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let mut start = 0;
        loop {
            let step = framer.decode(kept.get(start..).unwrap_or_default());
            start += step.consumed;
            let Some(found) = step.found else { break };
            reading.take(found)?;
        }
        kept.drain(..start);
        if read == 0 {
            break;
        }
    }
    if let Some(found) = framer.finish(&kept) {
        reading.take(found)?;
    }
    reading.decide()?;
    Ok(reading.found)
}

struct Reading<C> {
    complain: C,
    found: Destinations,
    /// Where each stands.
    places: HashMap<String, usize>,
    /// Once it is known.
    kind: Option<Kind>,
    /// Lines from before that.
    first: Vec<(u64, String)>,
    recent: Recent,
}

impl<C: FnMut(&str)> Reading<C> {
    fn take(&mut self, found: Found<'_>) -> Result<(), String> {
        match found {
            Found::Overlong { number } => {
                self.decide()?;
                self.refuse(number, &format!("longer than {LINE_LIMIT} bytes"));
                Ok(())
            }
            Found::Line { number, bytes } => {
                let line = String::from_utf8_lossy(bytes);
                if self.kind.is_some() {
                    return self.line(number, &line);
                }
                let shows = kind_of(&line);
                self.first.push((number, line.into_owned()));
                if shows == Some(Kind::MailLog) || self.first.len() >= TELLING {
                    self.decide()?;
                }
                Ok(())
            }
        }
    }

    /// The first line of a log may be cut, so that several decide.
    fn decide(&mut self) -> Result<(), String> {
        let is_log = |(_, line): &(u64, String)| kind_of(line) == Some(Kind::MailLog);
        if self.kind.is_none() {
            self.kind = Some(if self.first.iter().any(is_log) {
                Kind::MailLog
            } else {
                Kind::List
            });
        }
        for (number, line) in std::mem::take(&mut self.first) {
            self.line(number, &line)?;
        }
        Ok(())
    }

    fn line(&mut self, number: u64, line: &str) -> Result<(), String> {
        if self.kind == Some(Kind::MailLog) {
            return self.logged(number, line);
        }
        match listed(line) {
            Ok(None) => Ok(()),
            Ok(Some(entry)) => self.count(number, entry),
            Err(why) => {
                self.refuse(number, &why.to_string());
                Ok(())
            }
        }
    }

    fn logged(&mut self, number: u64, line: &str) -> Result<(), String> {
        let Some(delivery) = delivered(line) else {
            return Ok(());
        };
        for recipient in delivery.recipients {
            let Some(domain) = domain_of(recipient) else {
                self.refuse(number, "a recipient without a domain");
                continue;
            };
            // One message, however many recipients and attempts.
            let domain = domain.to_ascii_lowercase();
            if self.recent.is_new(delivery.queue_id, &domain) {
                self.count(number, &domain)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, number: u64, entry: &str) -> Result<(), String> {
        let next_hop = NextHop::parse(entry);
        match &next_hop {
            NextHop::NotADomain(NotADomain::Malformed(why)) => {
                let words = format!("{entry:?} is no destination: {why}");
                self.refuse(number, &words);
                return Ok(());
            }
            NextHop::NotADomain(NotADomain::Path | NotADomain::Port) => {
                self.refuse(number, &format!("{entry:?} is no destination"));
                return Ok(());
            }
            _ => {}
        }
        let next_hop = next_hop.to_string();
        let all = &mut self.found.all;
        if let Some(known) = self.places.get(&next_hop).and_then(|at| all.get_mut(*at)) {
            known.weight += 1;
            return Ok(());
        }
        if all.len() >= MOST {
            return Err(format!("more than {MOST} destinations; divide the file"));
        }
        self.places.insert(next_hop.clone(), all.len());
        all.push(Destination {
            next_hop,
            weight: 1,
        });
        Ok(())
    }

    fn refuse(&mut self, number: u64, why: &str) {
        self.found.unreadable += 1;
        (self.complain)(&format!("line {number}: {why}"));
    }
}

/// Messages that were counted lately, so that a retry does not count again.
#[derive(Default)]
struct Recent {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    fn is_new(&mut self, queue_id: &str, domain: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (queue_id, domain).hash(&mut hasher);
        let key = hasher.finish();
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MESSAGES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// Read at once.
const CHUNK: usize = 64 * 1024;
/// Lines that tell what kind of file it is.
const TELLING: usize = 10;
/// About 200 MB with their answers.
const MOST: usize = 500_000;
/// A few dozen megabytes, and more messages than wait for a retry at a time.
const MESSAGES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Vec<(String, u64)>, Vec<String>) {
        let mut words = Vec::new();
        let found = read_from(text.as_bytes(), |why| words.push(why.to_owned())).unwrap();
        assert_eq!(found.unreadable, words.len() as u64);
        let all = found.all.into_iter();
        (all.map(|own| (own.next_hop, own.weight)).collect(), words)
    }

    fn counted(list: &[(&str, u64)]) -> Vec<(String, u64)> {
        list.iter()
            .map(|(name, weight)| ((*name).to_owned(), *weight))
            .collect()
    }

    /// Each destination once, under any spelling; what is none is told with its line.
    #[test]
    fn a_list() {
        let long = "x".repeat(LINE_LIMIT + 1);
        let text = format!(
            "# mine\na.test\nUser@A.test\n\n[MX.a.test]:587\nb\u{fc}cher.test # x\ntwo words\n\
             a..test\n{long}\n[192.0.2.1]\nlast.test"
        );
        let (found, words) = all(&text);
        let expected = [
            ("a.test", 2),
            ("[mx.a.test]:587", 1),
            ("xn--bcher-kva.test", 1),
            ("[192.0.2.1]", 1),
            ("last.test", 1),
        ];
        assert_eq!(found, counted(&expected));
        assert_eq!(words.len(), 3);
        for (words, line) in words.iter().zip(["line 7:", "line 8:", "line 9:"]) {
            assert!(words.starts_with(line), "{words}");
        }
    }

    /// Messages count, not recipients or attempts; a log may begin in the middle of a line.
    #[test]
    fn a_log() {
        let line = |id: &str, to: &str, status: &str| {
            format!(
                "Nov 26 10:00:01 out postfix/smtp[7]: {id}: to=<{to}>, \
                 relay=mx.a.test[192.0.2.1]:25, delay=1, delays=0/0/0.5/0.4, dsn=2.0.0, \
                 status={status} (x)\n"
            )
        };
        let text = [
            "ut postfix/qmgr[1]: 4c1: removed\n".to_owned(),
            line("4c1", "u@a.test", "deferred"),
            line("4c1", "u@a.test", "sent"),
            line("4c1", "v@A.test", "sent"),
            line("4c1", "v@b.test", "sent"),
            line("4c2", "v@a.test", "sent"),
            "Nov 26 10:00:01 out cron[1]: nothing\n".to_owned(),
            line("4c3", "root", "sent"),
        ];
        let (found, words) = all(&text.concat());
        assert_eq!(found, counted(&[("a.test", 2), ("b.test", 1)]));
        assert_eq!(words, ["line 8: a recipient without a domain"]);
    }
}
