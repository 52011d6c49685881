//! Sendmail: results of the map of `FEATURE(`sts')`, in the only words that its rulesets act on.
//!
//! `secure match=… servername=hostname`, in that order and with nothing behind it, binds; `TEMP`
//! delays; whatever else Sendmail is told, it ignores, and mail leaves in clear text. So what cannot be
//! said in these words is a delay, unless the session check (the map `verifier`) holds each session to it.
//! Never `PERM`, which Sendmail takes for no policy, and never `OK` without more, which it does not
//! survive.
//! Not done here: choosing the answer, and framing the reply (hoplock-wire).

use super::Rendered;
use crate::law::outcome::MATCH_LIMIT;
use crate::law::{Answer, MatchName, Verdict};
use crate::profile::{Floor, OwnDane, Profile};
use crate::reason::Reason;

/// The verdict as a result of Sendmail's map; TEMP where it has no form that Sendmail would act on.
#[must_use]
pub fn render(verdict: &Verdict, profile: &Profile) -> Rendered {
    match &verdict.answer {
        // OP-03: Sendmail cannot be told to ask less than it does by itself.
        Answer::NotFound | Answer::None | Answer::May => Rendered::NotFound,
        Answer::Temp => Rendered::temp(verdict.reason, &verdict.detail),
        Answer::Secure(names) | Answer::Verify(names) => secure(names),
        Answer::Encrypt
        | Answer::Dane
        | Answer::DaneOnly
        | Answer::Fingerprint(_)
        | Answer::Anchored { .. } => {
            if holds_by_itself(&verdict.answer, profile) {
                return Rendered::NotFound;
            }
            // OP-05, PD-11: a word that is ignored would be worse than none.
            let words = format!(
                "Sendmail cannot be told {}; its session check can hold to it (verifier = true in \
                 [profile.{}])",
                verdict.answer.word(),
                profile.name
            );
            Rendered::temp(Reason::MtaCannotAuthenticate, &words)
        }
    }
}

/// True where no word is needed: the session check refuses what falls below, or Sendmail's own settings
/// ask for as much.
fn holds_by_itself(answer: &Answer, profile: &Profile) -> bool {
    profile.verifier
        || match answer {
            Answer::Encrypt => matches!(profile.floor, Floor::Encrypt | Floor::Secure),
            Answer::Dane => profile.own_dane == OwnDane::Yes,
            _ => false,
        }
}

/// RFC 8461, 4.1: a leading dot is one label to Sendmail, as `*.` is in a policy (DT-01s).
fn secure(names: &[MatchName]) -> Rendered {
    let mut names: Vec<&MatchName> = names.iter().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        // PD-17: Sendmail would take any host whose certificate holds its own name.
        let words = "secure needs a list of what to match, and nothing is left to list";
        return Rendered::temp(Reason::MtaCannotAuthenticate, words);
    }
    let list: Vec<String> = names.iter().map(ToString::to_string).collect();
    let list = list.join(":");
    if list.len() > MATCH_LIMIT {
        let words =
            format!("Sendmail reads {MATCH_LIMIT} octets of names, and would cut the last one");
        return Rendered::temp(Reason::ReplyTooLong, &words);
    }
    // RFC 8461, 7.1: SNI. Without it in this place Sendmail's own rules cannot be read.
    Rendered::Ok(format!("secure match={list} servername=hostname"))
}
