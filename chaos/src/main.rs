//! The program `orderly-chaos`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    orderly_chaos::main()
}
