//! Runs the command as the tests of it do.

use std::process::Command;

/// The `skerry` command with this subcommand.
pub fn skerry(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skerry"));
    command.arg(subcommand);
    // The tests do not use the user's own folder.
    command.env(
        "SKERRY_CACHE_DIR",
        concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
    );
    command
}

/// The exit code, standard output and standard error of a command.
pub fn texts(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
