//! The `orderly` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    orderly::main()
}
