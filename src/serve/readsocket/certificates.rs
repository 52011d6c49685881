//! The live veto: a host's certificates, judged before Exim sends anything (EX-06, SV-10).

use hoplock_policy::law::Answer as Level;
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Certificate, MtaWord, Presented, Session, Sni, Starttls};
use hoplock_wire::readsocket::{Answer, CertRequest};
use sha2::{Digest as _, Sha256};

use super::chains::{Joined, Peer};
use super::desk::{Desk, host_name};
use crate::report::reported::Evidence;
use crate::serve::sessions::{Carries, Case};
use crate::world::{Patience, SessionSource};

impl Desk {
    /// Takes one certificate; with the leaf, all that the host has shown are judged.
    pub(super) async fn certificate(
        &self,
        own: CertRequest<'_>,
        profile: &Profile,
        patience: Patience,
    ) -> Answer {
        // What was mangled on its way must not be taken for what the host has shown.
        if Sha256::digest(&own.der)[..] != own.sha256 {
            let words = "SHA256 is not that of the certificate";
            return Answer::refuse(Reason::BadRequest.word(), words);
        }
        let peer = Peer {
            pid: own.pid,
            host: own.host.to_ascii_lowercase(),
            address: own.address,
            port: own.port,
        };
        let domain = own.domain.to_ascii_lowercase();
        let now = self.intake.now();
        let joined = self
            .chains
            .take(peer.clone(), &domain, own.depth, own.der, now.uptime);
        let chain = match joined {
            // Nothing can be said of it without the leaf.
            Joined::Noted => return Answer::Ok,
            Joined::Whole(chain) => chain,
            Joined::TooMany => {
                let words = "the host shows more certificates than any needs";
                return Answer::refuse(Reason::PathSearchExhausted.word(), words);
            }
        };
        let judged = self.judge(&peer, &domain, chain, profile, patience);
        let answer = judged.await;
        if matches!(answer, Answer::Refuse { .. }) {
            self.chains.refuse(peer, now.uptime);
        }
        answer
    }

    async fn judge(
        &self,
        peer: &Peer,
        domain: &str,
        chain: Vec<Certificate>,
        profile: &Profile,
        patience: Patience,
    ) -> Answer {
        let next_hop = NextHop::parse(domain);
        if next_hop.name().is_none() {
            return self.without_name(domain, profile).await;
        }
        let Some(host) = host_name(&peer.host) else {
            return Answer::refuse(Reason::BadRequest.word(), "HOST is no host name");
        };
        let case = Case {
            session: Session {
                next_hop: Some(next_hop),
                mx_host: Some(MxHost(host)),
                address: Some(peer.address),
                port: Some(peer.port),
                starttls: Some(Starttls::Used),
                // Exim's event comes before they are agreed on.
                tls_version: None,
                cipher: None,
                sni: Sni::Unknown,
                presented: Presented::Chain(chain),
                resumed: false,
            },
            time: self.intake.now().wall,
            evidence: Evidence::default(),
            word: MtaWord::Nothing,
            carries: Carries::Mail,
        };
        let source = SessionSource::Exim;
        let judged = self
            .intake
            .take_handshake(&case, source, &profile.name, patience);
        let verdict = judged.await;
        if verdict.outcome.keeps() {
            let now = self.intake.now().uptime;
            self.chains
                .vouch(peer.clone(), domain, verdict.outcome, now);
            return Answer::Ok;
        }
        Answer::refuse(verdict.reason.word(), &verdict.detail)
    }

    /// NX-03: an address, or another next hop without a name, owes nothing but by an order of the
    /// operator; and of those TLS alone can be kept without a name.
    async fn without_name(&self, domain: &str, profile: &Profile) -> Answer {
        let answered = self.ask(domain, profile).await;
        let verdict = &answered.verdict;
        match verdict.answer {
            Level::None | Level::May | Level::NotFound | Level::Encrypt => Answer::Ok,
            _ => {
                let words = "the rule asks for a certificate, and the destination has no name";
                Answer::refuse(verdict.reason.word(), words)
            }
        }
    }
}
