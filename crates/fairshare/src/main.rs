//! `fairshare`: the one binary. It reads arguments, opens the deployment, joins the planes and owns no
//! rules of its own.

mod chart;
mod cli;
mod command;
mod demo;
mod deployment;
mod failure;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
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
