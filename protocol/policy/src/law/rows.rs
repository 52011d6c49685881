//! The rows of the golden table: names for situations, so that people can talk about an answer.
//!
//! A row decides nothing. It is the first whose words fit the situation; `law` where none does.

use super::situation::{HostSituation, HostState, MxSecurity, Situation, StateClass};

macro_rules! rows {
    ($($variant:ident $id:literal $words:literal,)+) => {
        /// A row of the golden table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Row { $(#[doc = $words] $variant,)+ }

        impl Row {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The id, as in the table.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The situation in words.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)+ }
            }
        }
    };
}

rows! {
    Dt01 "DT-01" "no host: NXDOMAIN, null MX, or no host has an address; no enforced policy",
    Dt01s "DT-01s" "no host, with an enforced policy",
    Dt02 "DT-02" "the MX or alias lookup failed",
    Dt03 "DT-03" "MX insecure, hosts without TLSA, no enforced policy",
    Dt04 "DT-04" "MX insecure, enforced policy, TLSA at the hosts or not",
    Dt05 "DT-05" "MX secure, no host has TLSA",
    Dt05s "DT-05s" "MX secure, no host has TLSA, enforced policy",
    Dt06 "DT-06" "MX secure, all hosts usable",
    Dt07 "DT-07" "usable in the best tier, none behind, no enforced policy",
    Dt07b "DT-07b" "none in the best tier, usable behind, no enforced policy",
    Dt07c "DT-07c" "usable and none in one tier, no enforced policy",
    Dt08 "DT-08" "usable in the best tier and none, enforced policy",
    Dt08b "DT-08b" "none in the best tier, usable behind, enforced policy",
    Dt08c "DT-08c" "none in the best tier and not listed, usable behind, enforced policy",
    Dt09 "DT-09" "all hosts unusable",
    Dt09s "DT-09s" "all hosts unusable, enforced policy",
    Dt10 "DT-10" "usable and unusable",
    Dt10s "DT-10s" "usable in the best tier and unusable, enforced policy",
    Dt11 "DT-11" "unusable and none",
    Dt11s "DT-11s" "unusable and none, enforced policy",
    Dt12 "DT-12" "usable and failed",
    Dt12u "DT-12u" "usable, unusable and failed",
    Dt13 "DT-13" "none and failed (TLSA lookup)",
    Dt13a "DT-13a" "none and failed (address lookup)",
    Dt13s "DT-13s" "none and failed, enforced policy",
    Dt13u "DT-13u" "usable, none and failed",
    Dt14 "DT-14" "unusable and failed",
    Dt14s "DT-14s" "unusable and failed, enforced policy",
    Dt15 "DT-15" "all hosts failed",
    Dt15s "DT-15s" "all hosts failed, enforced policy",
    Dt16 "DT-16" "usable only by trust anchor (DANE-TA)",
    Dt18 "DT-18" "DANE-EE in the best tier, DANE-TA only behind",
    Dt20 "DT-20" "MX insecure, a host usable or unusable, none failed, no enforced policy",
    Dt20f "DT-20f" "the same with a failed host",
    Dt20n "DT-20n" "MX insecure, none and failed, no enforced policy",
    Dt21 "DT-21" "a rule says off or audit",
    Dt22 "DT-22" "mandatory, MX secure, at least one host usable",
    Dt23 "DT-23" "mandatory, absence of usable records established",
    Dt24 "DT-24" "mandatory, MX insecure",
    Dt25 "DT-25" "mandatory, none usable, something failed",
    Dt26 "DT-26" "enforced policy, no current MX listed",
    Law "law" "no row's words fit: the law alone",
    Rule "rule" "a rule gives the level",
}

/// The row of a situation with hosts to judge or without; lookups of the MX itself are [`Row::Dt02`].
#[must_use]
pub fn row_of(situation: &Situation) -> Row {
    let facts = Facts::of(situation);
    if situation.mandatory {
        return mandatory(&facts);
    }
    if facts.hosts.is_empty() {
        return if situation.enforce {
            Row::Dt01s
        } else {
            Row::Dt01
        };
    }
    match (situation.mx, situation.enforce) {
        (MxSecurity::Insecure, true) if facts.listed => Row::Dt04,
        (MxSecurity::Insecure, true) => Row::Dt26,
        (MxSecurity::Insecure, false) => insecure(&facts),
        (MxSecurity::Secure, false) => secure(&facts),
        (MxSecurity::Secure, true) => enforced(&facts),
    }
}

fn mandatory(facts: &Facts<'_>) -> Row {
    match (facts.mx, facts.usable, facts.failed) {
        (MxSecurity::Insecure, ..) => Row::Dt24,
        (MxSecurity::Secure, true, _) => Row::Dt22,
        (MxSecurity::Secure, false, true) => Row::Dt25,
        (MxSecurity::Secure, false, false) => Row::Dt23,
    }
}

fn insecure(facts: &Facts<'_>) -> Row {
    match (facts.usable || facts.unusable, facts.none, facts.failed) {
        (true, _, false) => Row::Dt20,
        (true, _, true) => Row::Dt20f,
        (false, true, true) => Row::Dt20n,
        (false, true, false) => Row::Dt03,
        (false, false, _) if facts.all_address_failed => Row::Dt15,
        (false, false, _) => Row::Law,
    }
}

fn secure(facts: &Facts<'_>) -> Row {
    match (facts.usable, facts.unusable, facts.none, facts.failed) {
        (false, false, true, false) => Row::Dt05,
        (true, false, false, false) => facts.all_usable(),
        (true, false, true, false) => match facts.best_tier() {
            (true, false) => Row::Dt07,
            (false, _) => Row::Dt07b,
            (true, true) => Row::Dt07c,
        },
        (false, true, false, false) => Row::Dt09,
        (true, true, false, false) => Row::Dt10,
        (false, true, true, false) => Row::Dt11,
        (true, false, false, true) => Row::Dt12,
        (true, true, false, true) => Row::Dt12u,
        (false, false, true, true) if facts.tlsa_failed => Row::Dt13,
        (false, false, true, true) => Row::Dt13a,
        (true, false, true, true) => Row::Dt13u,
        (false, true, false, true) => Row::Dt14,
        (false, false, false, true) => Row::Dt15,
        _ => Row::Law,
    }
}

fn enforced(facts: &Facts<'_>) -> Row {
    match (facts.usable, facts.unusable, facts.none, facts.failed) {
        (true, false, false, false) => facts.all_usable(),
        (true, false, true, false) => match (facts.best_tier(), facts.best_listed) {
            ((true, false), _) => Row::Dt08,
            // Usable and none in one tier: the number of each decides, and no row speaks of it.
            ((true, true), _) => Row::Law,
            ((false, _), true) => Row::Dt08b,
            ((false, _), false) if facts.bare_listed => Row::Law,
            ((false, _), false) => Row::Dt08c,
        },
        (true, true, false, false) if facts.best_tier() == (true, false) => Row::Dt10s,
        (true, false, false, true) => Row::Dt12,
        (false, false, false, true) => Row::Dt15s,
        (false, ..) if !facts.bare_listed => {
            if facts.failed {
                Row::Law
            } else {
                Row::Dt26
            }
        }
        (false, false, true, false) => Row::Dt05s,
        (false, true, false, false) => Row::Dt09s,
        (false, true, true, false) => Row::Dt11s,
        (false, false, true, true) => Row::Dt13s,
        (false, true, false, true) => Row::Dt14s,
        _ => Row::Law,
    }
}

/// What the words of the rows speak of.
struct Facts<'a> {
    mx: MxSecurity,
    hosts: Vec<&'a HostSituation>,
    usable: bool,
    unusable: bool,
    none: bool,
    failed: bool,
    tlsa_failed: bool,
    all_address_failed: bool,
    listed: bool,
    /// A host without usable records, that was looked up, is listed.
    bare_listed: bool,
    /// The best tier has a listed host that owes web PKI.
    best_listed: bool,
    best: u16,
}

impl<'a> Facts<'a> {
    fn of(situation: &'a Situation) -> Self {
        let hosts: Vec<_> = situation
            .hosts
            .iter()
            .filter(|host| host.state.class().is_some())
            .collect();
        let has = |class| hosts.iter().any(|host| host.state.class() == Some(class));
        let best = hosts
            .iter()
            .map(|host| host.preference)
            .min()
            .unwrap_or(u16::MAX);
        let is_bare = |class| matches!(class, Some(StateClass::None | StateClass::Unusable));
        Self {
            mx: situation.mx,
            usable: has(StateClass::Usable),
            unusable: has(StateClass::Unusable),
            none: has(StateClass::None),
            failed: has(StateClass::Failed),
            tlsa_failed: hosts.iter().any(|host| host.state == HostState::Failed),
            all_address_failed: hosts
                .iter()
                .all(|host| host.state == HostState::AddressFailed),
            listed: hosts.iter().any(|host| host.listed),
            bare_listed: hosts
                .iter()
                .any(|host| host.listed && is_bare(host.state.class())),
            best_listed: hosts
                .iter()
                .any(|host| host.listed && host.preference == best && is_bare(host.state.class())),
            hosts,
            best,
        }
    }

    /// Whether the best tier has usable hosts, and whether it has others.
    fn best_tier(&self) -> (bool, bool) {
        let classes = || {
            let tier = self
                .hosts
                .iter()
                .filter(|host| host.preference == self.best);
            tier.map(|host| host.state.class())
        };
        let usable = Some(StateClass::Usable);
        (
            classes().any(|class| class == usable),
            classes().any(|class| class != usable),
        )
    }

    /// All hosts are usable: by which kind of record?
    fn all_usable(&self) -> Row {
        let is_anchor = |state| state == HostState::UsableTrustAnchor;
        let in_best = |host: &&&HostSituation| host.preference == self.best;
        let best: Vec<_> = self.hosts.iter().filter(in_best).collect();
        let behind: Vec<_> = self.hosts.iter().filter(|host| !in_best(host)).collect();
        if self.hosts.iter().all(|host| is_anchor(host.state)) {
            Row::Dt16
        } else if !behind.is_empty()
            && best.iter().all(|host| !is_anchor(host.state))
            && behind.iter().all(|host| is_anchor(host.state))
        {
            Row::Dt18
        } else {
            Row::Dt06
        }
    }
}
