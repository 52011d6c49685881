//! Reports that leave and reports that came, as JSON texts: the form in which stores keep them.
//!
//! Each text carries a version. Fields that a reader does not know are passed over, so what is merely added
//! needs no new version; a text of a higher version, or one that cannot be read, is a fault of that report
//! alone. So hosts of different versions may share a store.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget};
use serde::{Deserialize, Serialize};

use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing, ReportKey};
use crate::world::reports::received::Received;

/// A report that leaves, as text.
#[must_use]
pub fn write_outgoing(report: &Outgoing) -> String {
    let form = OutgoingForm {
        version: VERSION,
        day: report.key.day.to_string(),
        domain: report.key.domain.as_str().to_owned(),
        report_id: report.report_id.clone(),
        document: Document::of(&report.document),
        successful: report.successful,
        failed: report.failed,
        claimed: report.claimed.0,
        deliveries: report.deliveries.iter().map(DeliveryForm::of).collect(),
    };
    // Texts, numbers and lists always have a JSON form.
    serde_json::to_string(&form).unwrap_or_default()
}

/// Reads it back.
///
/// # Errors
/// [`StoreFailure`] for what another version wrote, or nobody.
pub fn read_outgoing(text: &str) -> Result<Outgoing, StoreFailure> {
    check_version(text)?;
    let form: OutgoingForm = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let deliveries = form.deliveries.into_iter().map(DeliveryForm::read);
    Ok(Outgoing {
        key: ReportKey {
            day: Day::parse(&form.day).ok_or_else(|| unreadable(&"its day"))?,
            domain: DomainName::parse(&form.domain).map_err(|why| unreadable(&why))?,
        },
        report_id: form.report_id,
        document: form.document.bytes()?,
        successful: form.successful,
        failed: form.failed,
        claimed: Timestamp(form.claimed),
        deliveries: deliveries.collect::<Result<_, _>>()?,
    })
}

/// A report that came, as text.
#[must_use]
pub fn write_received(report: &Received) -> String {
    let form = ReceivedForm {
        version: VERSION,
        at: report.at.0,
        organization: report.organization.clone(),
        report_id: report.report_id.clone(),
        begins: report.begins.0,
        ends: report.ends.0,
        successful: report.successful,
        failed: report.failed,
        document: Document::of(&report.document),
    };
    // As above.
    serde_json::to_string(&form).unwrap_or_default()
}

/// Reads it back.
///
/// # Errors
/// As [`read_outgoing`].
pub fn read_received(text: &str) -> Result<Received, StoreFailure> {
    check_version(text)?;
    let form: ReceivedForm = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    Ok(Received {
        at: Timestamp(form.at),
        organization: form.organization,
        report_id: form.report_id,
        begins: Timestamp(form.begins),
        ends: Timestamp(form.ends),
        successful: form.successful,
        failed: form.failed,
        document: form.document.bytes()?,
    })
}

#[derive(Serialize, Deserialize)]
struct OutgoingForm {
    #[serde(rename = "v")]
    version: u32,
    day: String,
    domain: String,
    report_id: String,
    document: Document,
    successful: u64,
    failed: u64,
    claimed: u64,
    deliveries: Vec<DeliveryForm>,
}

#[derive(Serialize, Deserialize)]
struct DeliveryForm {
    target: TargetForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirected_from: Option<TargetForm>,
    state: StateForm,
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    last: String,
}

#[derive(Serialize, Deserialize)]
enum TargetForm {
    #[serde(rename = "mailto")]
    Mailto(String),
    #[serde(rename = "https")]
    Https(String),
}

#[derive(Serialize, Deserialize)]
enum StateForm {
    #[serde(rename = "waiting")]
    Waiting(u64),
    #[serde(rename = "delivered")]
    Delivered(u64),
    #[serde(rename = "given-up")]
    GivenUp(u64),
}

#[derive(Serialize, Deserialize)]
struct ReceivedForm {
    #[serde(rename = "v")]
    version: u32,
    at: u64,
    organization: String,
    report_id: String,
    begins: u64,
    ends: u64,
    successful: u64,
    failed: u64,
    document: Document,
}

/// A document is text where it is UTF-8, as JSON has to be, and base64 where somebody sent something else.
#[derive(Serialize, Deserialize)]
enum Document {
    #[serde(rename = "text")]
    Text(String),
    #[serde(rename = "base64")]
    Base64(String),
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "v")]
    version: u32,
}

impl DeliveryForm {
    fn of(delivery: &Delivery) -> Self {
        Self {
            target: TargetForm::of(&delivery.target),
            redirected_from: delivery.redirected_from.as_ref().map(TargetForm::of),
            state: match delivery.state {
                DeliveryState::Waiting { next } => StateForm::Waiting(next.0),
                DeliveryState::Delivered { at } => StateForm::Delivered(at.0),
                DeliveryState::GivenUp { at } => StateForm::GivenUp(at.0),
            },
            attempts: delivery.attempts,
            first: delivery.first.map(|first| first.0),
            last: delivery.last.clone(),
        }
    }

    fn read(self) -> Result<Delivery, StoreFailure> {
        Ok(Delivery {
            target: self.target.read(),
            redirected_from: self.redirected_from.map(TargetForm::read),
            state: match self.state {
                StateForm::Waiting(next) => DeliveryState::Waiting {
                    next: Timestamp(next),
                },
                StateForm::Delivered(at) => DeliveryState::Delivered { at: Timestamp(at) },
                StateForm::GivenUp(at) => DeliveryState::GivenUp { at: Timestamp(at) },
            },
            attempts: self.attempts,
            first: self.first.map(Timestamp),
            last: self.last,
        })
    }
}

impl TargetForm {
    fn of(target: &ReportTarget) -> Self {
        match target {
            ReportTarget::Mailto(address) => Self::Mailto(address.clone()),
            ReportTarget::Https(url) => Self::Https(url.clone()),
        }
    }

    fn read(self) -> ReportTarget {
        match self {
            Self::Mailto(address) => ReportTarget::Mailto(address),
            Self::Https(url) => ReportTarget::Https(url),
        }
    }
}

impl Document {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(data_encoding::BASE64.encode(bytes)),
        }
    }

    fn bytes(self) -> Result<Vec<u8>, StoreFailure> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(text) => {
                let read = data_encoding::BASE64.decode(text.as_bytes());
                read.map_err(|why| unreadable(&why))
            }
        }
    }
}

/// Before the rest is looked at: a later version may have changed the meaning of any field.
fn check_version(text: &str) -> Result<(), StoreFailure> {
    let Version { version } = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if version == VERSION {
        return Ok(());
    }
    let words = format!("a kept report has the form {version}, of another version of hoplock");
    Err(StoreFailure(words))
}

fn unreadable(why: &dyn std::fmt::Display) -> StoreFailure {
    StoreFailure(format!("a kept report cannot be read: {why}"))
}

/// Raised when a field changes its meaning.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn outgoing() -> Outgoing {
        let delivery = |target: &str, state| Delivery {
            target: ReportTarget::parse(target).unwrap(),
            redirected_from: ReportTarget::parse("mailto:a@b.test"),
            state,
            attempts: 3,
            first: Some(Timestamp(4)),
            last: "in words \"quoted\"\n".to_owned(),
        };
        Outgoing {
            key: ReportKey {
                day: Day::numbered(20_784),
                domain: DomainName::parse("a.test").unwrap(),
            },
            report_id: "id".to_owned(),
            document: b"{\"a\":\"\xc3\xbc\"}".to_vec(),
            successful: 1,
            failed: u64::MAX,
            claimed: Timestamp(17),
            deliveries: vec![
                delivery(
                    "https://a.test/r",
                    DeliveryState::Waiting { next: Timestamp(1) },
                ),
                delivery(
                    "mailto:a@a.test",
                    DeliveryState::Delivered { at: Timestamp(2) },
                ),
                delivery(
                    "mailto:b@a.test",
                    DeliveryState::GivenUp { at: Timestamp(3) },
                ),
            ],
        }
    }

    /// RP-11: what was claimed reads back to the letter.
    #[test]
    fn reports_read_back() {
        let mut report = outgoing();
        assert_eq!(read_outgoing(&write_outgoing(&report)), Ok(report.clone()));
        report.document = vec![0xff, 0, 1];
        assert_eq!(read_outgoing(&write_outgoing(&report)), Ok(report));
        let received = Received {
            at: Timestamp(1),
            organization: "o".to_owned(),
            report_id: "r".to_owned(),
            begins: Timestamp(2),
            ends: Timestamp(3),
            successful: 4,
            failed: 5,
            document: b"{}".to_vec(),
        };
        let text = write_received(&received);
        assert_eq!(read_received(&text), Ok(received));
    }

    /// A rolling restart: what was only added is passed over, another form is a fault of that report.
    #[test]
    fn other_versions_are_told_apart() {
        let text = write_outgoing(&outgoing());
        let added = text.replacen('{', "{\"later\":[1],", 1);
        assert_eq!(read_outgoing(&added), Ok(outgoing()));
        let later = text.replacen("\"v\":1", "\"v\":2", 1);
        let failure = read_outgoing(&later).unwrap_err();
        assert!(failure.0.contains("another version"), "{failure}");
        for garbage in ["", "{}", "nonsense", "{\"v\":1}", "[]"] {
            assert!(read_outgoing(garbage).is_err() && read_received(garbage).is_err());
        }
    }
}
