//! The binary: the process' streams, given to the library.

use std::process::ExitCode;

use cred_helper::io::Io;
use cred_helper::run;
use cred_helper::system::environment::ProcessEnvironment;
use cred_helper::system::signal::ProcessSignals;

fn main() -> ExitCode {
    run(
        std::env::args_os().collect(),
        Io {
            // Neither is locked: stdin may be read where a profile says so, or by whoever waits for a key.
            stdin: Box::new(std::io::BufReader::new(std::io::stdin())),
            stdout: &mut std::io::stdout(),
            stderr: &mut std::io::stderr(),
            environment: &ProcessEnvironment,
            signals: &ProcessSignals,
        },
    )
}
