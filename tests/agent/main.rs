//! The agent as its users see it: bad input, the two sources of truth, restarts. Every test has a
//! lab of its own.

mod bad_file;
mod bad_input;
mod life;
mod scene;
mod state_dir;
