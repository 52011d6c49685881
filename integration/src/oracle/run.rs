//! Thousands of cases: a base that is to be accepted, two mutants of it, and now and then one with
//! several facts changed at once.

use fastrand::Rng;

use super::base::{Cell, base, crowd};
use super::case::{Case, Press};
use super::dump;
use super::keys::{KeyPool, Signatory};
use super::mutate::{break_one, change_one, change_several};
use super::ours::Ours;
use super::plan::Plan;
use super::program::{Judgement, Oracle, Programs, Verdict};
use super::tally::Tally;

/// A case, and how it came about.
#[derive(Debug)]
pub struct Trial {
    /// Names the group within the run.
    pub group: u64,
    pub made: Made,
    pub plan: Plan,
    pub case: Case,
    pub theirs: Judgement,
    pub ours: Ours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// To be accepted.
    Base,
    /// The base of its group with one fact changed.
    Mutant(&'static str),
    /// The base of its group with several facts changed.
    Wild,
}

/// Runs at least so many cases from a seed.
pub fn run(programs: &Programs, seed: u64, cases: u64) -> Tally {
    let mut groups = 0;
    let mut planned = 0;
    while planned < cases {
        planned += size(groups);
        groups += 1;
    }
    let pool = KeyPool::make(&mut programs.signer());
    let tallies = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let pool = pool.clone();
                scope.spawn(move || {
                    let mut bench = Bench::new(programs, pool);
                    (worker..groups)
                        .step_by(usize::try_from(WORKERS).unwrap())
                        .for_each(|group| bench.group(seed, group));
                    bench.tally
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect::<Vec<Tally>>()
    });
    tallies.into_iter().fold(Tally::default(), Tally::and)
}

/// How many cases a group has.
fn size(group: u64) -> u64 {
    if has_wild(group) { 4 } else { 3 }
}

fn has_wild(group: u64) -> bool {
    group.is_multiple_of(3)
}

/// Where one worker works.
pub(super) struct Bench {
    pub(super) press: Press,
    pub(super) oracle: Oracle,
    pub(super) tally: Tally,
}

impl Bench {
    fn new(programs: &Programs, pool: KeyPool) -> Self {
        let mut press = Press::new(Signatory::new(pool, programs.signer()));
        for number in 0..crowd::STRAYS {
            press.keep(&crowd::stray(number));
        }
        Self {
            press,
            oracle: programs.oracle(),
            tally: Tally::default(),
        }
    }

    fn group(&mut self, seed: u64, group: u64) {
        let mut rng = Rng::with_seed(seed ^ group.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.press.forget();
        let cells = Cell::all();
        let cell = match cells.get(usize::try_from(group).unwrap() % (cells.len() + 1)) {
            Some(cell) => *cell,
            None => Cell::beyond(&mut rng),
        };
        let first = self.trial(group, Made::Base, base(&mut rng, cell));
        let mut broken = first.plan.clone();
        let name = break_one(&mut rng, &mut broken);
        let broken = self.trial(group, Made::Mutant(name), broken);
        let mut changed = first.plan.clone();
        let name = change_one(&mut rng, &mut changed);
        let changed = self.trial(group, Made::Mutant(name), changed);
        if group.is_multiple_of(HANDSHAKES) {
            for trial in [&first, &broken, &changed] {
                self.shake_hands(trial);
            }
        }
        self.tally.count_base(&first, cell);
        for mutant in [&broken, &changed] {
            self.tally.count_mutant(mutant, &first);
        }
        if has_wild(group) {
            let mut wild = first.plan.clone();
            change_several(&mut rng, &mut wild);
            let wild = self.trial(group, Made::Wild, wild);
            self.tally.count(&wild);
        }
    }

    fn trial(&mut self, group: u64, made: Made, plan: Plan) -> Trial {
        let case = self.press.print(&plan);
        let theirs = self.oracle.judge(&case);
        let ours = Ours::judge(&case);
        let trial = Trial {
            group,
            made,
            plan,
            case,
            theirs,
            ours,
        };
        self.compare(&trial);
        trial
    }

    /// The same once more with a real handshake, where the two sides find one.
    fn shake_hands(&mut self, trial: &Trial) {
        let leaf = &trial.plan.certificates[trial.plan.shown[0]];
        let key = self.press.signatory.pool.private(leaf.key).to_vec();
        let shaken = self.oracle.judge_in_handshake(&trial.case, &key);
        match shaken.verdict {
            Verdict::Failed(_) => {}
            _ if shaken == trial.theirs => self.tally.handshakes += 1,
            _ => self.tally.unexplained.push(dump::text(
                trial,
                &format!("in a real handshake OpenSSL says {shaken:?}"),
            )),
        }
    }
}

/// As many as the machines of the tests have cores.
const WORKERS: u64 = 2;

/// One group in so many is judged by handshake too.
const HANDSHAKES: u64 = 8;
