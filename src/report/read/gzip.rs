//! Unpacking what somebody else packed (RFC 8460, 5.2; RFC 1952).

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use hoplock_wire::tlsrpt::DOCUMENT_LIMIT;

use super::ReadError;

/// RFC 1952, 2.3.1: how each member begins, 8 being the one method there is.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 8])
}

/// All of it, where that is no more than a report can have.
pub(super) fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let limit = u64::try_from(DOCUMENT_LIMIT).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    // One byte more tells what is too long; a thousandfold expansion is never carried out.
    MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|why| ReadError::Damaged(why.to_string()))?;
    if unpacked.len() > DOCUMENT_LIMIT {
        return Err(ReadError::Expands);
    }
    Ok(unpacked)
}
