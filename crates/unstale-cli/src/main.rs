//! The `unstale` command.

mod audit;
mod cli;
mod demo;
mod exit;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}
