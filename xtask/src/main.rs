//! The one entry to every chore.
fn main() {}
