//! `cargo xtask tidy`: everything that reviewers need not look for.

use std::process::ExitCode;

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a command for a terminal")]
fn main() -> anyhow::Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let Some("tidy") = args.next().as_deref() else {
        eprintln!("usage: cargo xtask tidy");
        return Ok(ExitCode::from(2));
    };
    let metadata = cargo_metadata::MetadataCommand::new().exec()?;
    let mut wrong = xtask::wrong_directions(&metadata);
    wrong.extend(xtask::wrong_licences(&metadata));
    wrong.extend(xtask::wrong_files(metadata.workspace_root.as_std_path())?);
    for line in &wrong {
        eprintln!("{line}");
    }
    if wrong.is_empty() {
        println!("tidy");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
