//! The `didagent` binary.

fn main() -> std::process::ExitCode {
    didagent::cli::main()
}
