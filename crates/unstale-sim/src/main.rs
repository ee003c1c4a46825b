//! The simulator's command.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut failed = ExitCode::SUCCESS;
    for scenario in unstale_sim::protocol::scenarios() {
        if let Err(violation) = (scenario.run)(None) {
            let _ = writeln!(std::io::stdout(), "{}: {violation}", scenario.name);
            failed = ExitCode::FAILURE;
        }
    }
    failed
}
