//! placeholder
pub(crate) async fn demo(_: crate::cli::Demo, _: &std::path::Path) -> anyhow::Result<std::process::ExitCode> { Ok(std::process::ExitCode::SUCCESS) }
