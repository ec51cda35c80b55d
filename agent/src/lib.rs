//! The agent: one party's engine and command line.
