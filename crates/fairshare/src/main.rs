//! `fairshare`: the one binary. It reads arguments, opens the deployment, joins the planes and owns no
//! rules of its own.

mod chart;
mod cli;
mod command;
mod demo;
mod deployment;
mod failure;
mod input;
mod insight;
mod output;
mod progress;
mod simulation;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A panic's message can hold anything, also somebody's data; its place cannot.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        output::note(&format!("internal fault{place}"));
    }));
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into()),
    };
    match runtime.block_on(command::run(cli)) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
