//! What the server answers, read with suspicion: anybody may have written it.

use redis::Value;

/// A text.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// A whole number that is not negative; scores may come as `1.8e12`.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        value => text(value)?.parse().ok(),
    }
}

/// The parts of a list; of anything else none.
pub(super) fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(parts) | Value::Set(parts)) => parts,
        _ => Vec::new(),
    }
}
