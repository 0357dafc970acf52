//! Mechanisms: each in its folder, with its proof and its tests.

pub(crate) mod discrete_gaussian;
pub(crate) mod discrete_laplace;
pub(crate) mod exponential;
pub(crate) mod key_selection;
pub(crate) mod moments;
pub(crate) mod quantile_tree;
