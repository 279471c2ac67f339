//! Drawings as inline SVG and tables: numbers in, markup out, no model known.

pub(super) mod axis;
pub(super) mod confusion;
pub(super) mod curves;
