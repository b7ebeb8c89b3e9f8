//! The command line of `xelb`, as a library so that tests reach each part.

pub mod cli;
