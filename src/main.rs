//! hoplock.
fn main() {}
