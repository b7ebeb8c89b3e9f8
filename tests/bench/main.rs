//! Measurements of xelb, printed with their conditions. Not tests: this tells numbers and judges
//! none of them.

mod consistency;
mod datapath;
mod memory;
mod reaction;
mod scale;
mod traffic;

use clap::{Parser, Subcommand};

/// Measures xelb.
#[derive(Parser)]
#[command(name = "xelb-bench")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Nanoseconds a packet of the balancer's program, net of the generator.
    Datapath {
        /// Interleaved repetitions of every case.
        #[arg(long, default_value_t = 9)]
        repetitions: usize,
        /// Packets of one repetition.
        #[arg(long, default_value_t = 500_000)]
        packets: u32,
    },
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
    /// Packets and connections per second of xelb and of others, side by side in one lab.
    Traffic {
        #[command(flatten)]
        options: traffic::Options,
        /// Writes the results to this file, too.
        #[arg(long, value_name = "PATH")]
        json: Option<std::path::PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Datapath { repetitions, packets } => datapath::run(repetitions, packets),
        What::Consistency => {
            consistency::run();
            Ok(())
        }
        What::Reaction { rounds } => reaction::run(rounds),
        What::Scale { rounds } => scale::run(rounds),
        What::Traffic { options, json } => traffic::run(options, json.as_deref()),
    }
}
