//! The one entry to every chore: `cargo xtask test`, `cargo xtask soak`, `cargo xtask models`, `cargo xtask reach`.
//!
//! ```text
//! cli -> stages: prerequisites -> python -> format -> ... -> text     each a list of command lines or a check of files
//!     -> models: spin, and proverif if it is there
//!     -> reach: measure, compare with the limits, write a report
//! ```
//!
//! A developer's tool, not a part of the product: it runs other programs and prints what it runs, so that a person can
//! repeat any step by hand. Not its concern: what a test means.
#![expect(
    clippy::disallowed_methods,
    reason = "this tool is all input and output: it starts programs, reads the tree and looks at the clock"
)]

mod cli;
mod command;
mod demo;
mod failure;
mod models;
mod reach;
mod stages;
mod workshop;

fn main() -> std::process::ExitCode {
    match cli::run(std::env::args().skip(1).collect()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            failure.exit.into()
        }
    }
}
