//! The stub as the world's resolver: bounded lookups, and the self-test's word (MX-17).

use std::time::Duration;

use hoplock_policy::dns::{Answer, FailureKind, Question, Reply};
use hoplock_policy::findings::Validation;

use super::self_test;
use super::stub::{DnsStub, Server};
use crate::adapters::clock::Stopwatch;
use crate::world::{NameServer, Patience, Resolver, Waiting};

impl Resolver for DnsStub {
    fn lookup(&self, question: Question) -> Waiting<'_, Reply> {
        Box::pin(async move {
            let stopwatch = Stopwatch::start();
            let patience = Patience::of(self.options().timeout);
            let answer = match patience.wait(self.ask(&question)).await {
                Some(answer) => answer,
                None => {
                    let seconds = self.options().timeout.as_secs_f32();
                    let words = format!("no answer from the resolver within {seconds} s");
                    Answer::failed(FailureKind::Timeout, words)
                }
            };
            Reply {
                question,
                answer,
                took: stopwatch.elapsed(),
            }
        })
    }

    fn validation(&self) -> Validation {
        if !self.believes() {
            return Validation::NotValidating;
        }
        if self.options().self_test.is_none() {
            return Validation::Validating;
        }
        let servers = self.servers.load();
        let is = |wanted: Validation| move |server: &Server| server.observed.validation() == wanted;
        if servers.iter().any(is(Validation::Validating)) {
            Validation::Validating
        } else if !servers.is_empty() && servers.iter().all(is(Validation::NotValidating)) {
            Validation::NotValidating
        } else {
            Validation::Unknown
        }
    }

    fn test(&self) -> Waiting<'_, Validation> {
        Box::pin(async move {
            // Who asks while a test is under way waits for it and takes its word.
            let mut tested = self.tested.lock().await;
            if tested.is_none_or(Patience::is_over) {
                self_test::test(self).await;
                *tested = Some(Patience::of(BETWEEN_TESTS));
            }
            self.validation()
        })
    }

    fn is_believed(&self) -> bool {
        self.believes()
    }

    fn servers(&self) -> Vec<NameServer> {
        self.report()
    }
}

/// Destinations that change at the same time need one test among them.
const BETWEEN_TESTS: Duration = Duration::from_secs(5);
