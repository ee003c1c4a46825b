//! The `unstale` command.

mod audit;
mod cli;
mod decode;
mod demo;
mod doctor;
mod exit;
mod fusion;
mod send;
mod server;
mod tail;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Libraries never choose who encrypts; somebody who already has is fine as well.
    #[cfg(feature = "tls")]
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    cli::run(std::env::args_os()).into()
}
