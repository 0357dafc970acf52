//! Automation for developers, in Rust so that it can be tested: `cargo tidy`.

mod directions;
mod files;
mod licences;

pub use directions::wrong_directions;
pub use files::wrong_files;
pub use licences::wrong_licences;
