//! One file a command; each reads like a list of its steps.

pub(crate) mod backbones;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod predict;
pub(crate) mod store;
pub(crate) mod train;
pub(crate) mod weights;
