//! The thin binary: hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette::cli::run()
}
