//! The DNS of the benchmark: one destination with DANE, everything else absent, all of it secure.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What hoplock is asked for, and what it has to say of it.
pub const DOMAIN: &str = "bench.test";
pub const VERDICT: &str = "OK dane-only";

/// The responder: where it is, and how often it was asked.
pub struct Dns {
    pub address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl Dns {
    /// Answers from a thread of its own, until the program ends.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut query).unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
                socket.send_to(&reply(&query[..length]), from).unwrap();
            }
        });
        Self { address, asked }
    }

    /// How many queries came so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// RFC 1035, 4.1: header, the question as it came, and one record.
fn reply(query: &[u8]) -> Vec<u8> {
    let name_ends = HEADER + query[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let name = &query[HEADER..name_ends];
    let record_type = u16::from_be_bytes([query[name_ends], query[name_ends + 1]]);
    let data = match record_type {
        MX if name == wire("bench.test") => {
            let mut data = vec![0, 10];
            data.extend(wire("mx.bench.test"));
            Some(data)
        }
        A if name == wire("mx.bench.test") => Some(vec![192, 0, 2, 1]),
        TLSA if name == wire("_25._tcp.mx.bench.test") => {
            let mut data = vec![3, 1, 1];
            data.extend([0xab; 32]);
            Some(data)
        }
        _ => None,
    };
    let mut reply = query[..2].to_vec();
    let (answers, authorities) = if data.is_some() { (1, 0) } else { (0, 1) };
    // Response, RD, RA, AD; NOERROR.
    reply.extend([0x81, 0xa0, 0, 1, 0, answers, 0, authorities, 0, 0]);
    reply.extend(&query[HEADER..name_ends + 4]);
    // The owner is a pointer to the question's name; the class is IN.
    let (record_type, data) = data.map_or((SOA, soa()), |data| (record_type, data));
    reply.extend([0xc0, 12]);
    reply.extend(record_type.to_be_bytes());
    reply.extend([0, 1]);
    reply.extend(TTL.to_be_bytes());
    reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    reply.extend(data);
    reply
}

/// Two root names and five numbers, of which only the last counts (RFC 2308, 5).
fn soa() -> Vec<u8> {
    let mut data = vec![0, 0];
    for number in [1, 3600, 900, 86_400, TTL] {
        data.extend(number.to_be_bytes());
    }
    data
}

fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

const HEADER: usize = 12;
const A: u16 = 1;
const SOA: u16 = 6;
const MX: u16 = 15;
const TLSA: u16 = 52;
/// Longer than any run: what is measured are answers from kept findings.
const TTL: u32 = 3600;
