//! The binary `xelb`.

fn main() {}
