//! Errors → words on stderr and an exit code.

use std::process::ExitCode;

use control_plane::Error;
use domain::refusal::{Refusal, RefusalCode};

/// Exit codes, part of the contract of the command line.
pub(crate) mod code {
    /// Something failed.
    pub(crate) const FAILURE: u8 = 1;
    /// The command line makes no sense.
    pub(crate) const USAGE: u8 = 2;
    /// There is no such thing.
    pub(crate) const NOT_FOUND: u8 = 3;
    /// Refused by consent, law or policy.
    pub(crate) const REFUSED: u8 = 4;
    /// A budget is exhausted.
    pub(crate) const BUDGET: u8 = 5;
    /// Verification failed.
    pub(crate) const UNVERIFIED: u8 = 6;
    /// Something else is in the way.
    pub(crate) const CONFLICT: u8 = 7;
}

/// A command line that makes no sense beyond what the parser can see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Says what happened and what to do; gives the exit code.
#[expect(clippy::print_stderr, reason = "this is where errors reach the terminal")]
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let code = match error.downcast_ref::<Error>() {
        Some(Error::Refused(refusal)) => return refused(refusal),
        Some(Error::NotFound { .. }) => code::NOT_FOUND,
        Some(Error::Conflict(_)) => code::CONFLICT,
        Some(Error::Failed(_)) => code::FAILURE,
        None => match (error.downcast_ref::<Refusal>(), error.downcast_ref::<Usage>()) {
            (Some(refusal), _) => return refused(refusal),
            (None, Some(_)) => code::USAGE,
            (None, None) => code::FAILURE,
        },
    };
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        // A transparent wrapper repeats its cause; saying it once is enough.
        if cause.to_string() != error.to_string() {
            eprintln!("  because: {cause}");
        }
    }
    if matches!(error.downcast_ref::<Error>(), Some(Error::NotFound { what: "deployment", .. })) {
        eprintln!("  hint: make one with `fairshare init`, or name its folder with --data DIR");
    }
    ExitCode::from(code)
}

/// Says what the rules refused.
#[expect(clippy::print_stderr, reason = "this is where refusals reach the terminal")]
fn refused(refusal: &Refusal) -> ExitCode {
    let place = refusal.at.map_or_else(String::new, |at| format!(" (line {}, column {})", at.line, at.column));
    eprintln!("refused {}: {}{place}", refusal.code, refusal.message);
    if let Some(hint) = &refusal.hint {
        eprintln!("  hint: {hint}");
    }
    ExitCode::from(match refusal.code {
        RefusalCode::Budget => code::BUDGET,
        RefusalCode::Running => code::CONFLICT,
        RefusalCode::Syntax
        | RefusalCode::Statement
        | RefusalCode::Clause
        | RefusalCode::Table
        | RefusalCode::Column
        | RefusalCode::Function
        | RefusalCode::Expression
        | RefusalCode::Identifier
        | RefusalCode::Type
        | RefusalCode::RawRows
        | RefusalCode::Limit
        | RefusalCode::Bound
        | RefusalCode::Price
        | RefusalCode::Parameter
        | RefusalCode::Partner
        | RefusalCode::PartnerTable
        | RefusalCode::Agreement
        | RefusalCode::Purpose
        | RefusalCode::Expired
        | RefusalCode::NoSnapshot
        | RefusalCode::Consent
        | RefusalCode::ConsentTime
        | RefusalCode::ConsentDuplicate
        | RefusalCode::ConsentLate
        | RefusalCode::ConsentQuiet
        | RefusalCode::ConsentActor
        | RefusalCode::ConsentErased
        | RefusalCode::ConsentState
        | RefusalCode::CannotLift
        | RefusalCode::Creator
        | RefusalCode::Notice
        | RefusalCode::Link
        | RefusalCode::Mail
        | RefusalCode::PackText
        | RefusalCode::PackGrounds
        | RefusalCode::PackRule
        | RefusalCode::PackRegion
        | RefusalCode::PackInheritance
        | RefusalCode::PackApproval
        | RefusalCode::State => code::REFUSED,
    })
}
