//! MPyC programs of ours, for demonstrations and tests.

/// The average of everybody's number: `python-bridge/python/didagent/programs/average.py`. Its argument is the number, or
/// nothing for a random one; it prints one line.
pub const AVERAGE_SOURCE: &str = include_str!("../python/didagent/programs/average.py");
