//! The program under test: `orderly` itself, where the tests can find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    orderly::main()
}
