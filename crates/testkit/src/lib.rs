//! For tests only: a clock that is moved by hand, randomness with a seed, noise of zero, random
//! questions, and the clean room as plain loops over rows — the executable specification.

mod creator;
mod partner;
mod python;
mod question;
mod random;
mod reference;
mod sample;
mod world;

pub use creator::{creator_key, creators};
pub use partner::{called, catalog, partner_rows, partner_tables, table_names};
pub use python::python;
pub use random::{Generator, env_seed};
pub use reference::{Part, Reference, ReferenceAnswer, Row, Tables, listed, tables};
pub use sample::sample;
pub use world::{ManualClock, SeededEntropy, SeededNoise, ZeroNoise};
