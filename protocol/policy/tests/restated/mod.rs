//! What the searches share: small sets of hosts, the situations that they may be in, and the duty of a host,
//! stated a second time from the texts.
#![allow(dead_code, reason = "each search uses what it needs of this")]

use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::situation::{HostSituation, HostState, MxSecurity, Situation};
use hoplock_policy::profile::Floor;

/// Every multiset of one to three of these hosts.
pub(crate) fn sets_of(all: &[HostSituation]) -> Vec<Vec<HostSituation>> {
    let mut sets = Vec::new();
    for (i, a) in all.iter().enumerate() {
        sets.push(vec![a.clone()]);
        for (j, b) in all.iter().enumerate().skip(i) {
            sets.push(vec![a.clone(), b.clone()]);
            for c in all.iter().skip(j) {
                sets.push(vec![a.clone(), b.clone(), c.clone()]);
            }
        }
    }
    sets
}

/// Each set behind either MX set, with and without a policy to be enforced and a rule that demands DANE.
pub(crate) fn each_situation(
    sets: Vec<Vec<HostSituation>>,
    half_dane: bool,
    mut check: impl FnMut(&Situation),
) {
    for hosts in sets {
        for mx in [MxSecurity::Secure, MxSecurity::Insecure] {
            for enforce in [false, true] {
                // Being listed means nothing where nothing is enforced.
                if !enforce && hosts.iter().any(|host| host.listed) {
                    continue;
                }
                for mandatory in [false, true] {
                    check(&Situation {
                        mx,
                        hosts: hosts.clone(),
                        enforce,
                        mandatory,
                        half_dane,
                        implicit_tls: false,
                    });
                }
            }
        }
    }
}

/// The duty of a host under rule and floor, stated anew from RFC 7672, RFC 8461 and the floor's meaning.
pub(crate) fn duty(host: &HostSituation, situation: &Situation, floor: Floor) -> Duty {
    let usable = is_usable(host);
    let unknown = matches!(host.state, HostState::Failed | HostState::AddressFailed);
    let secure = situation.mx == MxSecurity::Secure;
    if situation.mandatory {
        let good = secure && usable;
        return if good { Duty::Dane } else { Duty::Refuse };
    }
    if secure && usable {
        return Duty::Dane;
    }
    if secure && unknown {
        return Duty::Refuse;
    }
    if situation.enforce {
        let good = host.listed;
        return if good { Duty::WebPki } else { Duty::Refuse };
    }
    let tls_owed = secure && host.state == HostState::Unusable;
    match floor {
        Floor::May | Floor::Dane if tls_owed => Duty::Encrypt,
        Floor::May | Floor::Dane => Duty::Free,
        Floor::Encrypt => Duty::Encrypt,
        Floor::Secure => Duty::OwnWebPki,
    }
}

pub(crate) fn is_usable(host: &HostSituation) -> bool {
    matches!(
        host.state,
        HostState::UsableEndEntity | HostState::UsableTrustAnchor
    )
}
