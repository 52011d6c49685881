//! The daemon: listeners, conversations, reload, drain.
//!
//! * [`engine`]: the real world and the answerer, from a configuration.
//! * [`sockets`]: binding; [`handed_over`]: what systemd bound; [`listen`]: accepting; [`connections`]: how many;
//!   [`hall`]: who receives them.
//! * [`conversation`]: socketmap; [`admin`]: HTTP, [`target`]: what it is asked by; [`rulebook`]: rules at run time.
//! * [`negative_anchors`]: DNSSEC trouble that is survived by order.
//! * [`dns_answers`]: policies as TXT records.
//! * [`readsocket`]: Exim, with its certificates before any mail.
//! * [`verifier`]: Sendmail's session check.
//! * [`guard`]: policy delegation and milter, at submission.
//! * [`sessions`]: reports of TLS sessions, judged.
//! * [`watching`]: when one's own domains are looked at.
//! * [`background`]: what happens behind everybody's back.
//! * [`daemon`]: all of it together, until a signal ends it; [`signals`]: which; `reload`: what cannot change
//!   meanwhile.

pub mod admin;
pub mod background;
pub mod connections;
pub mod conversation;
pub mod daemon;
pub mod dns_answers;
pub mod engine;
pub mod fleet;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub mod hall;
pub mod handed_over;
pub mod listen;
pub mod negative_anchors;
mod policy_words;
pub mod readsocket;
mod reload;
pub mod reporting;
pub mod rulebook;
pub mod sessions;
pub mod signals;
pub mod sockets;
pub mod target;
pub mod verifier;
pub mod watching;
