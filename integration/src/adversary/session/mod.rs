//! Sessions of the simulated mail server with hosts, what the attacker makes of them, and their reports.
//!
//! * here: one session and its report as the plan says them;
//! * `certificates`: what hosts and attackers show;
//! * `happened`: who really stood at the other end;
//! * `keeping`: what the session kept of what was owed;
//! * `report`: what the mail server says of it;
//! * `judge`: whether the service may say of it what it says.

pub(crate) mod certificates;
pub mod happened;
pub(super) mod judge;
pub(super) mod keeping;
pub(super) mod report;

use super::plan::{Key, Millis};

/// One session of the mail server. It is in the plan where its report comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The destination that it was for.
    pub key: Key,
    /// The host that the mail server took.
    pub peer: Peer,
    /// How long ago that was when the report comes.
    pub ago: Millis,
    /// What became of STARTTLS.
    pub starttls: Starttls,
    /// Who answers, with what.
    pub shows: Shows,
    /// It shows a bare key (RFC 7250).
    pub bare: bool,
    /// What the session was worth.
    pub strength: Strength,
    /// Whether it resumes another one.
    pub resumes: Resumes,
    /// What is said of it.
    pub report: Report,
}

/// The host that the mail server took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host of the destination, by its place.
    Own(usize),
    /// A host of another site: a connection that was open already, or a forged MX.
    Of(usize, usize),
    /// The attacker's, by a forged MX.
    Attacker,
}

/// What became of STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starttls {
    /// As the host has it.
    Untouched,
    /// The attacker has taken it out of the reply.
    Stripped,
    /// He has said no to the command.
    Refused,
    /// He has spoiled the handshake.
    Spoiled,
}

/// Who answers, with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The host itself.
    Own,
    /// The host itself, with a certificate that has expired.
    Expired,
    /// The attacker, under his own name: web PKI vouches for that.
    Attackers,
    /// The attacker, under the host's name: an authority has let itself be deceived, and vouches for that.
    Misissued,
    /// The attacker, under the host's name: nobody vouches for that.
    Impostor,
    /// The same, and the host's own certificates behind that.
    Padded,
    /// The attacker, with a key that the host has given up or not yet taken.
    OtherKey,
    /// Another host, by site and place, under its own name.
    Host(usize, usize),
}

/// What the session was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// As it should be.
    Modern,
    /// A protocol that was withdrawn: whoever is on the path reads and writes along (RFC 8996).
    Withdrawn,
    /// Nobody is authenticated.
    Anonymous,
    /// Nothing is hidden.
    Null,
}

/// Whether a session resumes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumes {
    /// It does not.
    Nothing,
    /// The last one with the same host.
    Last,
    /// The last one with this host of the destination; only where none is known with the same host.
    Another(usize),
}

/// What is said of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Nothing is said of these.
    pub left_out: Vec<Part>,
    /// Of the leaf only its digests are said.
    pub digests: bool,
    /// What comes with it to judge it by.
    pub evidence: Evidence,
    /// What the mail server makes of it.
    pub word: Word,
}

/// What a report may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The destination.
    NextHop,
    /// The host.
    Host,
    /// Its address.
    Address,
    /// Its port.
    Port,
    /// What became of STARTTLS.
    Starttls,
    /// The protocol version.
    Version,
    /// The cipher.
    Cipher,
    /// The server name that was asked for.
    Sni,
    /// What the host showed.
    Shown,
    /// That it was resumed.
    Resumed,
}

/// What comes with a report to judge it by: what the mail server has learnt, by itself, of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing.
    None,
    /// What is published.
    True,
    /// Somebody has told it that there are no records, and no policy.
    Nothing,
    /// A record of the key that was shown.
    ShownKey,
    /// A record of whoever has issued what was shown, and the names that are in it.
    ShownIssuer,
    /// A policy that lists the host.
    Policy,
    /// A policy that asks for nothing.
    NoPolicy,
}

/// What the mail server says that it made of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing: who judges sees what was shown.
    Nothing,
    /// It has checked the host, and says by which policy.
    Policy,
    /// It has checked the host, and says no more than that.
    Checked,
    /// It uses TLS, and checks nothing.
    Careless,
}

impl Report {
    /// Everything, and nothing but that.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            left_out: Vec::new(),
            digests: false,
            evidence: Evidence::None,
            word: Word::Nothing,
        }
    }

    /// True where a part was left out.
    #[must_use]
    pub fn lacks(&self, part: Part) -> bool {
        self.left_out.contains(&part)
    }
}

impl Contact {
    /// A session that nobody touches, and that is wholly reported.
    #[must_use]
    pub fn plain(key: Key, peer: Peer, ago: Millis) -> Self {
        Self {
            key,
            peer,
            ago,
            starttls: Starttls::Untouched,
            shows: Shows::Own,
            bare: false,
            strength: Strength::Modern,
            resumes: Resumes::Nothing,
            report: Report::whole(),
        }
    }

    /// The same with one thing less, in every way there is.
    #[must_use]
    pub fn simpler(&self) -> Vec<Self> {
        let with = |change: &dyn Fn(&mut Self)| {
            let mut simpler = self.clone();
            change(&mut simpler);
            simpler
        };
        let mut all = vec![
            with(&|own| own.ago = 0),
            with(&|own| own.starttls = Starttls::Untouched),
            with(&|own| own.shows = Shows::Own),
            with(&|own| own.shows = Shows::Impostor),
            with(&|own| own.bare = false),
            with(&|own| own.strength = Strength::Modern),
            with(&|own| own.resumes = Resumes::Nothing),
            with(&|own| own.report = Report::whole()),
            with(&|own| own.report.digests = false),
            with(&|own| own.report.evidence = Evidence::None),
            with(&|own| own.report.word = Word::Nothing),
        ];
        for place in 0..self.report.left_out.len() {
            all.push(with(&|own| {
                own.report.left_out.remove(place);
            }));
        }
        all.retain(|simpler| simpler.size() < self.size());
        all
    }

    /// True where this site has to do with it.
    #[must_use]
    pub fn names(&self, number: usize) -> bool {
        let peer = match self.peer {
            Peer::Of(site, _) => site == number,
            Peer::Own(_) | Peer::Attacker => false,
        };
        let shown = matches!(self.shows, Shows::Host(site, _) if site == number);
        self.key.site() == number || peer || shown
    }

    /// How much there is to say of it.
    #[must_use]
    pub fn size(&self) -> usize {
        let report = &self.report;
        let odd = [
            self.ago > 0,
            self.starttls != Starttls::Untouched,
            self.bare,
            self.strength != Strength::Modern,
            self.resumes != Resumes::Nothing,
            report.digests,
            report.evidence != Evidence::None,
            report.word != Word::Nothing,
        ];
        let shows = match self.shows {
            Shows::Own => 0,
            Shows::Impostor => 1,
            _ => 2,
        };
        odd.iter().filter(|odd| **odd).count() + shows + report.left_out.len()
    }
}
