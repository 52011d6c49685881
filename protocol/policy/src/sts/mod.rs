//! MTA-STS: the record, the policy, the response that brings it (RFC 8461, 3).

mod policy;
mod record;

pub use self::policy::{
    MalformedPolicy, MxPattern, POLICY_LIMIT, PolicyResponseFault, StsMode, StsPolicy,
    read_response,
};
pub use self::record::{MalformedStsRecord, StsRecord, StsRecordFinding, read_records};
