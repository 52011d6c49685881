//! Lookups in the form of Exim's `${lookup dnsdb{…}}`, with the text that it gives (`lookups/dnsdb.c`).

use hoplock_policy::dns::{
    Answer as Found, Exchange, Question, RecordData, RecordType, SecurityStatus,
};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_wire::readsocket::{Answer, DnsdbRequest, Dnssec, FieldSeparator, Lookup};

use super::desk::{Desk, defer};
use crate::serve::policy_words::policy_words;
use crate::world::Patience;

impl Desk {
    /// Answers a lookup. One that fails is a delay, never an empty answer; what does not exist is `none`,
    /// where Exim's own lookup fails softly.
    pub(super) async fn look_up(
        &self,
        own: &DnsdbRequest<'_>,
        profile: &Profile,
        patience: Patience,
    ) -> Answer {
        let record_type = match own.lookup {
            Lookup::Policy => return self.policy(own, profile).await,
            Lookup::Tlsa => RecordType::Tlsa,
            Lookup::Mx | Lookup::Mxh => RecordType::Mx,
            Lookup::Txt => RecordType::Txt,
        };
        let name = own.name.strip_suffix('.').unwrap_or(own.name);
        let Ok(name) = DomainName::parse(name) else {
            return Answer::defer(Reason::BadRequest.word(), "this is no name");
        };
        let resolver = &self.answerer.world().resolver;
        let looked_up = patience.wait(resolver.lookup(Question::new(name, record_type)));
        let Some(reply) = looked_up.await else {
            let words = "the lookup takes longer than Exim waits";
            return Answer::defer(Reason::Deadline.word(), words);
        };
        match reply.answer {
            Found::Failed(failure) => Answer::defer(failure.kind.word(), &failure.detail),
            // As Exim has it: DNSSEC is asked of records, not of their absence.
            Found::NoData(_) | Found::NxDomain(_) => Answer::None,
            Found::Records { status, .. }
                if own.dnssec == Dnssec::Strict && status != SecurityStatus::Secure =>
            {
                Answer::defer("dnssec-insecure", "the records are not secure")
            }
            Found::Records { data, .. } => Answer::Records {
                records: data
                    .iter()
                    .filter_map(|record| text(record, own.lookup, own.fields))
                    .collect(),
                separator: own.records,
            },
        }
    }

    /// The policy, as [`policy_words`] has it, its words apart by a blank or by what is asked for.
    async fn policy(&self, own: &DnsdbRequest<'_>, profile: &Profile) -> Answer {
        let answered = self.ask(own.name, profile).await;
        match policy_words(&answered) {
            Ok(words) => Answer::Value(join(&words, own.fields)),
            Err(text) => defer(&text),
        }
    }
}

/// One record as Exim writes it; `None` for one that cannot be written.
fn text(record: &RecordData, lookup: Lookup, fields: Option<FieldSeparator>) -> Option<String> {
    match record {
        RecordData::Tlsa(rdata) => {
            let (head, data) = rdata.split_at_checked(3)?;
            let mut parts: Vec<String> = head.iter().map(u8::to_string).collect();
            parts.push(data_encoding::HEXLOWER.encode(data));
            Some(join(&parts, fields))
        }
        RecordData::Mx {
            preference,
            exchange,
        } => {
            let host = match exchange {
                Exchange::Host(name) => name.to_string(),
                // RFC 7505, 3: the root, of which dn_expand(3) makes nothing.
                Exchange::Null => String::new(),
                Exchange::Malformed(text) => text.clone(),
            };
            if lookup == Lookup::Mxh {
                return Some(host);
            }
            Some(join(&[preference.to_string(), host], fields))
        }
        RecordData::Txt(strings) => {
            let texts = strings
                .iter()
                .map(|own| String::from_utf8_lossy(own).into_owned());
            let mut texts: Vec<String> = texts.collect();
            if fields.is_none() {
                // As Exim has it: the first string alone, where no separator is asked for.
                texts.truncate(1);
            }
            Some(join(&texts, fields))
        }
        RecordData::A(_)
        | RecordData::Aaaa(_)
        | RecordData::Cname(_)
        | RecordData::Soa
        | RecordData::Srv { .. } => None,
    }
}

fn join(parts: &[String], fields: Option<FieldSeparator>) -> String {
    match fields {
        None => parts.join(" "),
        Some(FieldSeparator::Nothing) => parts.concat(),
        Some(FieldSeparator::Character(between)) => parts.join(&between.to_string()),
    }
}
