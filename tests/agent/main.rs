//! The agent as its users see it: bad input, the two sources of truth, restarts. Every test has its
//! own lab.

mod bad_file;
mod bad_input;
mod bench;
mod certificates;
mod conf_d;
mod contract;
mod exec_checks;
mod exit_codes;
mod few_descriptors;
mod hooks;
mod hostile_reader;
mod http_proxy;
mod life;
mod limits;
mod metrics;
mod names;
mod remote;
mod revisions;
mod scene;
mod scripts;
mod service;
mod state_dir;
mod switch;
mod tags;
mod tls_proxy;
mod unread_log;
