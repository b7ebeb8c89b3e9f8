//! Reads files whose names come from elsewhere: bounded, and private where they must be.

pub mod bounded_file;
pub mod descriptor_reserve;
pub mod file_reader;
pub mod file_watch;
pub mod private_file;
pub mod yaml_directory;
