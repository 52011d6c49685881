//! Sans-I/O codecs of the sockets that mail servers speak. Bytes in, messages out, and back.
#![forbid(unsafe_code)]

pub mod netstring;
pub mod socketmap;
