//! Measurements of xelb on real agents, and of its rule for flows. Not tests: this tells numbers and
//! judges none of them. What the program costs a packet is `xelb bench program`.

mod consistency;
mod reaction;
mod scale;
mod scaling;
mod times;
mod traffic;

use clap::{Parser, Subcommand};
use serde::Serialize;

/// Measures xelb.
#[derive(Parser)]
#[command(name = "xelb-bench")]
struct Arguments {
    /// Print JSON, not text
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How many flows are remembered while a group changes at a steady rate.
    Consistency,
    /// Time from the probe that decides over one of a thousand targets to the ring in the kernel.
    Reaction {
        /// Deaths.
        #[arg(long, default_value_t = 50)]
        rounds: u16,
    },
    /// Start, changes and memory of an agent with 1,000 listeners and 10,000 targets.
    Scale {
        /// Changes of one target.
        #[arg(long, default_value_t = 100)]
        rounds: u32,
    },
    /// What scaled groups with nothing to do cost an agent.
    Scaling {
        #[command(flatten)]
        options: scaling::Options,
    },
    /// Packets and connections per second of xelb and of others, side by side in one lab.
    Traffic {
        #[command(flatten)]
        options: traffic::Options,
    },
}

fn main() -> anyhow::Result<()> {
    let Arguments { json, what } = Arguments::parse();
    match what {
        What::Consistency => {
            consistency::run();
            Ok(())
        }
        What::Reaction { rounds } => print(json, &reaction::run(rounds)?),
        What::Scale { rounds } => print(json, &scale::run(rounds)?),
        What::Scaling { options } => print(json, &scaling::run(options)?),
        What::Traffic { options } => print(json, &traffic::results(options)?),
    }
}

fn print<T: Serialize + std::fmt::Display>(json: bool, measured: &T) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(measured)?);
    } else {
        println!("{measured}");
    }
    Ok(())
}
