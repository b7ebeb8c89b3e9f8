//! Groups on virtual time with a hostile driver, and with an agent that dies at every step.

mod agent;
mod choices;
mod crashes;
mod decisions;
mod driver;
mod lives;
mod readings;
mod refreshes;
mod rules;
