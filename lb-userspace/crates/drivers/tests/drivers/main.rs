//! Drivers as they are: programs and servers that do what they should, and those that do not.

mod docker;
mod examples;
mod exec;
mod grades;
mod life;
mod stubs;
mod systemd;
mod webhook;
