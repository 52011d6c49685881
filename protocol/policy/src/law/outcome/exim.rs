//! Exim: the law's column E. It is asked about each host (`mx`, `option`, `cert`), so each host gets
//! exactly its duty, and its own DANE (`hosts_try_dane`) is an addition that nothing rests on (EX-05).
//!
//! What is left to say of a destination as a whole is a word for people, in the vocabulary of all
//! families. Not done here: the verbs ([`crate::render::exim`]).

use super::Candidate;
use crate::law::duty::Duty;

/// The word for what the hosts owe together; `None` where no host may get mail.
pub(super) fn answer(duties: &[Duty]) -> Option<Candidate> {
    let mut used = duties.iter().filter(|duty| **duty != Duty::Refuse);
    let first = used.next()?;
    let all_alike = used.all(|duty| duty == first);
    let some = |duty| duties.contains(&duty);
    Some(match first {
        Duty::Dane if all_alike => Candidate::DaneOnly,
        Duty::WebPki if all_alike => Candidate::Secure,
        _ if some(Duty::Dane) => Candidate::Dane,
        _ if some(Duty::Encrypt) => Candidate::Encrypt,
        // A host that must be refused is found out by its TLSA records, or by the lack of an answer.
        Duty::Free if some(Duty::Refuse) => Candidate::Dane,
        // The floor: Exim's own level acts, and `level` still tells it to ask about each host.
        _ => Candidate::NotFound,
    })
}
