//! The packet generator, and the reference programs that come with it. It makes packets and tells
//! time; it judges nothing.

use std::time::Duration;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, Map, MapError, PerCpuArray, PerCpuValues, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp},
    util::nr_cpus,
};
use lb_common::generate::{FRAME_LENGTH, FRAME_OFFSET, Order, map, program};
use lb_dataplane::GENERATOR_OBJECT;
use nix::time::{ClockId, clock_gettime};

use super::{BenchError, cases::Reference};

/// A frame, and where the generator writes the client's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: [u8; FRAME_LENGTH],
    /// Of the last four bytes of the source address.
    pub(super) address_offset: u16,
    /// Whether it is the first of a whole connection.
    pub(super) connects: bool,
}

/// What a run of packets was like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Nanoseconds a packet of this thread's CPU time, the generator's own included.
    pub(super) nanoseconds: f64,
    /// Verdict of the last packet.
    pub(super) verdict: u32,
}

/// A loaded generator.
pub(super) struct Generator {
    ebpf: Ebpf,
    reflect: ProgramFd,
    frame: Vec<u8>,
    /// The program that makes the packets.
    makes: &'static str,
}

impl Generator {
    /// Loads it; `lru` is the number of entries of the LRU hash.
    pub(super) fn load(lru: u32) -> Result<Self, BenchError> {
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(map::LRU, lru)
            .load(GENERATOR_OBJECT)
            .map_err(|error| BenchError::Generator(Box::new(error)))?;
        load(&mut ebpf, program::GENERATE)?;
        load(&mut ebpf, program::CONNECT)?;
        let reflect = load(&mut ebpf, program::REFLECT)?;
        Ok(Self { ebpf, reflect, frame: vec![0; FRAME_LENGTH], makes: program::GENERATE })
    }

    /// The program of a reference.
    pub(super) fn reference(&mut self, reference: Reference) -> Result<ProgramFd, BenchError> {
        let name = match reference {
            Reference::Swap => program::SWAP,
            Reference::Constant => program::CONSTANT,
            Reference::Lru => program::LRU,
        };
        load(&mut self.ebpf, name)
    }

    /// Says what packets to make from now on; `flows` is a power of two.
    pub(super) fn order(
        &mut self,
        frame: &Frame,
        flows: u32,
        in_order: bool,
    ) -> Result<(), BenchError> {
        let start = usize::from(FRAME_OFFSET);
        let mut bytes = [0; FRAME_OFFSET as usize + FRAME_LENGTH];
        bytes[start..].copy_from_slice(&frame.bytes);
        let address_offset = frame.address_offset + FRAME_OFFSET;
        let order = Order {
            frame: bytemuck::cast(bytes),
            flow_mask: flows.saturating_sub(1),
            address_word: address_offset / 8,
            address_shift: address_offset % 8 * 8,
            in_order: in_order.into(),
            reserved: 0,
        };
        self.frame = frame.bytes.to_vec();
        self.makes = if frame.connects { program::CONNECT } else { program::GENERATE };
        let mut orders: Array<_, Order> = self.map(map::ORDER)?;
        orders.set(0, order, 0).map_err(|source| BenchError::Map { map: map::ORDER, source })
    }

    /// Lets flows in order start with this one, and random ones with others than before.
    pub(super) fn start_at(&mut self, progress: u64) -> Result<(), BenchError> {
        let failed = |source| BenchError::Map { map: map::STATE, source };
        let cpus = nr_cpus()
            .map_err(|(_, source)| BenchError::Host { action: "count the CPUs", source })?;
        // Any odd number with many bits will do (Steele, Lea, Flood 2014).
        let random = progress.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let values = PerCpuValues::try_from(vec![[random, progress]; cpus])
            .map_err(|source| failed(MapError::IoError(source)))?;
        let mut state: PerCpuArray<_, [u64; 2]> = self.map(map::STATE)?;
        state.set(0, values, 0).map_err(failed)
    }

    /// Packets that were given up so far.
    pub(super) fn failures(&mut self) -> Result<u64, BenchError> {
        let failures: PerCpuArray<_, u64> = self.map(map::FAILURES)?;
        let values = failures.get(&0, 0);
        let values = values.map_err(|source| BenchError::Map { map: map::FAILURES, source })?;
        Ok(values.iter().sum())
    }

    /// Runs packets through this program.
    pub(super) fn run(&mut self, under_test: &ProgramFd, packets: u32) -> Result<Run, BenchError> {
        let failed = |source| BenchError::Map { map: map::UNDER_TEST, source };
        let programs = self.ebpf.map_mut(map::UNDER_TEST);
        let programs = programs.ok_or_else(|| failed(missing(map::UNDER_TEST)))?;
        ProgramArray::try_from(programs)
            .and_then(|mut one| one.set(0, under_test, 0))
            .map_err(failed)?;
        let makes = self.makes;
        let generator = xdp(&mut self.ebpf, makes)?;
        let before = cpu_time()?;
        let result = generator.test_run(TestRunOptions {
            data_in: Some(&self.frame),
            repeat: packets,
            ..TestRunOptions::default()
        });
        let took = cpu_time()?.saturating_sub(before);
        let result =
            result.map_err(|error| BenchError::Run { program: makes, source: Box::new(error) })?;
        let nanoseconds = took.as_secs_f64() * 1e9 / f64::from(packets.max(1));
        Ok(Run { nanoseconds, verdict: result.return_value })
    }

    /// Runs packets through the program that only sends them back.
    pub(super) fn run_alone(&mut self, packets: u32) -> Result<Run, BenchError> {
        let reflect = self
            .reflect
            .try_clone()
            .map_err(|source| BenchError::Host { action: "duplicate a file descriptor", source })?;
        self.run(&reflect, packets)
    }

    fn map<'a, M>(&'a mut self, name: &'static str) -> Result<M, BenchError>
    where
        M: TryFrom<&'a mut Map, Error = MapError>,
    {
        let map = self.ebpf.map_mut(name).ok_or_else(|| missing(name));
        map.and_then(M::try_from).map_err(|source| BenchError::Map { map: name, source })
    }
}

fn missing(name: &str) -> MapError {
    MapError::InvalidName { name: name.to_owned() }
}

/// CPU time of this thread: that of others on the machine does not count.
fn cpu_time() -> Result<Duration, BenchError> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .map_err(|error| BenchError::Host { action: "read the CPU time", source: error.into() })
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, BenchError> {
    let failed = |source| BenchError::Run { program: name, source: Box::new(source) };
    let program = ebpf.program_mut(name);
    let program = program.ok_or(aya::programs::ProgramError::NotLoaded).map_err(failed)?;
    program.try_into().map_err(failed)
}

fn load(ebpf: &mut Ebpf, name: &'static str) -> Result<ProgramFd, BenchError> {
    let failed = |source| BenchError::Run { program: name, source: Box::new(source) };
    let program = xdp(ebpf, name)?;
    if program.fd().is_err() {
        program.load().map_err(failed)?;
    }
    let descriptor = program.fd().map_err(failed)?.try_clone();
    descriptor.map_err(|source| BenchError::Host { action: "duplicate a file descriptor", source })
}
