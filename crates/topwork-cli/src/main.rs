//! The program `topwork`.

fn main() {}
