//! A name server on loopback for the daemon: a few records, and all else proved absent.

use std::net::{SocketAddr, UdpSocket};
use std::thread::spawn;

/// One record: owner, type, data. Without data the lookup fails.
pub(crate) type Published = (&'static str, u16, Vec<u8>);

/// What there is of a name and a type.
type Find = dyn Fn(&[u8], u16) -> Vec<Vec<u8>>;

/// Answers from a thread of its own, until the program ends. What it says is secure, save what stands
/// below `plain.test`.
pub(crate) fn start(records: Vec<Published>) -> SocketAddr {
    start_with(move |name, wanted| {
        let own = records
            .iter()
            .filter(|(owner, kind, _)| *kind == wanted && wire(owner) == name);
        own.map(|(.., data)| data.clone()).collect()
    })
}

/// The same for whatever `find` has of a name, as it stands in a message, and a type.
pub(crate) fn start_with(find: impl Fn(&[u8], u16) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let plain = wire("plain.test");
    start_changing(find, move |name| !name.ends_with(&plain))
}

/// The same, where `secure` says of which names it is said.
pub(crate) fn start_changing(
    find: impl Fn(&[u8], u16) -> Vec<Vec<u8>> + Send + 'static,
    secure: impl Fn(&[u8]) -> bool + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    spawn(move || {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&reply(&query[..length], &find, &secure), from);
        }
    });
    address
}

/// RFC 1035, 4.1: header, the question as it came, and the records of that name and type.
fn reply(query: &[u8], find: &Find, secure: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let name_ends = HEADER + query[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let name = &query[HEADER..name_ends];
    let wanted = u16::from_be_bytes([query[name_ends], query[name_ends + 1]]);
    let found = find(name, wanted);
    let failed = found.iter().any(|data| data.is_empty());
    let secure = secure(name);
    let records: Vec<(u16, &[u8])> = found.iter().map(|data| (wanted, data.as_slice())).collect();
    let (answers, authorities, records) = match (failed, records.is_empty()) {
        (true, _) => (0, 0, Vec::new()),
        (false, true) => (0, 1, vec![(SOA, SOA_DATA)]),
        (false, false) => (records.len(), 0, records),
    };
    let mut reply = query[..2].to_vec();
    // Response, RD, RA; AD; SERVFAIL or NOERROR.
    let status = 0x80 | if secure && !failed { 0x20 } else { 0 } | if failed { 2 } else { 0 };
    let answers = u8::try_from(answers).unwrap();
    reply.extend([0x81, status, 0, 1, 0, answers, 0, authorities, 0, 0]);
    reply.extend(&query[HEADER..name_ends + 4]);
    for (kind, data) in records {
        // The owner is a pointer to the question's name; the class is IN.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(TTL.to_be_bytes());
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}

/// A name as it stands in a message (RFC 1035, 3.1).
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

/// MX data (RFC 1035, 3.3.9).
pub(crate) fn mx(preference: u8, host: &str) -> Vec<u8> {
    [vec![0, preference], wire(host)].concat()
}

/// SRV data (RFC 2782), of the best priority.
pub(crate) fn srv(port: u16, target: &str) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [vec![0, 0, 0, 1, high, low], wire(target)].concat()
}

/// TXT data of one string (RFC 1035, 3.3.14).
pub(crate) fn txt(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

const HEADER: usize = 12;
pub(crate) const A: u16 = 1;
const SOA: u16 = 6;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const SRV: u16 = 33;
pub(crate) const TLSA: u16 = 52;
pub(crate) const TTL: u32 = 3600;
/// Two root names and five numbers, of which only the last counts (RFC 2308, 5).
const SOA_DATA: &[u8] = &[
    0, 0, 0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 3, 132, 0, 1, 81, 128, 0, 0, 14, 16,
];
