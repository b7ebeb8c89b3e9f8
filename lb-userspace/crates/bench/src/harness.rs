//! Balancers, generators, and how a cell is prepared, measured and checked with them.

use aya::programs::ProgramFd;
use lb_common::{
    Be16, Family, ListenerKey, generate::CONNECTION_PACKETS, limits::MEMORY_LINES,
    listener::protocol::TCP, memory::MEMORY_WORDS,
};
use lb_dataplane::{MapSizes, Stats};

use super::{
    BenchError,
    balancer_under_test::{BalancerUnderTest, frame},
    cases::{Flows, Reference},
    cell::{Measured, Measuring, What},
    generator::{Frame, Generator},
    options::Options,
    verify::{self, Counts},
};

/// Entries of the LRU hash: as many as flows that xelb can remember.
#[expect(clippy::cast_possible_truncation, reason = "two million")]
const LRU_ENTRIES: u32 = (MEMORY_LINES * MEMORY_WORDS) as u32;

/// Verdicts, by their numbers in linux/bpf.h.
const VERDICTS: [&str; 5] = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];
const XDP_TX: u32 = 3;
const XDP_REDIRECT: u32 = 4;

/// Most packets that warm the caches before a cell.
const WARM_UP_MAX: u32 = 1 << 17;

/// Balancers and generators.
pub(super) struct Harness {
    beds: Vec<BalancerUnderTest>,
    generator: Generator,
    /// One with an LRU hash of its own, whose flows all go by once.
    flood: Option<Generator>,
}

/// The path of a cell's packets.
struct PacketPath {
    name: String,
    flows: Flows,
    under_test: ProgramFd,
    frame: Frame,
    /// Whose counters tell of them: number of the balancer, of the subject in it.
    subject: Option<(usize, usize)>,
    /// What they may count.
    counts: Counts,
    /// Whether they may leave by another interface than they came in by.
    redirects: bool,
    /// Whether they are those of the second generator.
    is_flood: bool,
}

/// What a cell's packets said.
struct Sent {
    packets: u64,
    verdict: u32,
}

impl Harness {
    pub(super) fn load(
        options: &Options,
        beds: Vec<BalancerUnderTest>,
    ) -> Result<Self, BenchError> {
        let has_lru = options.references.contains(&Reference::Lru);
        let wanted = |all_new| has_lru && options.flows.iter().any(|one| one.all_new == all_new);
        let generator = Generator::load(if wanted(false) { LRU_ENTRIES } else { 1 })?;
        let flood = wanted(true).then(|| Generator::load(LRU_ENTRIES)).transpose()?;
        Ok(Self { beds, generator, flood })
    }

    /// What will be measured.
    pub(super) fn rows(&self, options: &Options) -> Vec<Measured> {
        let mut rows = Vec::new();
        for (number, bed) in self.beds.iter().enumerate() {
            for (place, subject) in bed.subjects.iter().enumerate() {
                let what = What::MeasuredListener(number, place);
                rows.push(Measured::subject(what, subject, &options.flows));
            }
        }
        // Balancers share the cases out among themselves; readers want them in their own order.
        rows.sort_by_key(Measured::position);
        let references = options.references.iter();
        rows.extend(references.map(|one| Measured::reference(*one, &options.flows)));
        rows
    }

    /// Lets the flows of a cell be what they should be when it is measured.
    pub(super) fn prepare(&mut self, what: What, cell: &mut Measuring) -> Result<(), BenchError> {
        if cell.left_out.is_some() {
            return Ok(());
        }
        let path = self.path(what, cell.flows)?;
        let prepared = match what {
            What::MeasuredListener(bed, place) => self.prepare_subject(&path, bed, place, cell),
            What::Reference(Reference::Lru) if path.is_flood => {
                // Full of other flows, as it always is under a flood.
                cell.progress = LRU_ENTRIES.into();
                self.pass(&path, LRU_ENTRIES, path.flows.count)
            }
            What::Reference(Reference::Lru) => self.pass(&path, path.flows.count, path.flows.count),
            What::Reference(_) => Ok(()),
        };
        note(&path, cell, prepared)
    }

    fn prepare_subject(
        &mut self,
        path: &PacketPath,
        bed: usize,
        place: usize,
        cell: &mut Measuring,
    ) -> Result<(), BenchError> {
        let Some(subject) = self.beds.get(bed).and_then(|bed| bed.subjects.get(place)) else {
            return Ok(());
        };
        let (remembered, targets) = (subject.remembered, subject.target_count());
        if subject.connects() {
            // All bindings have been used: each connection takes that of one that is over.
            cell.progress = MapSizes::BINDINGS_MAX.into();
            let packets = MapSizes::BINDINGS_MAX * CONNECTION_PACKETS;
            return self.pass(path, packets, path.flows.count);
        }
        if path.flows.all_new {
            return Ok(());
        }
        if subject.binds() {
            // The first packet of each flow makes its binding.
            return self.pass_counting(path, path.flows.count, path.flows.count, Counts::Flows);
        }
        if remembered == 0 {
            return Ok(());
        }
        let before = self.beds.get(bed).map(|bed| bed.counters(place)).transpose()?;
        self.pass(path, u32::try_from(targets).unwrap_or(u32::MAX), remembered)?;
        let after = self.beds.get(bed).map(|bed| bed.counters(place)).transpose()?;
        let packets = |stats: &Option<Stats>, id: &u16| {
            stats.as_ref().and_then(|stats| stats.targets.get(id)).map_or(0, |one| one.packets)
        };
        let ids = after.iter().flat_map(|stats| stats.targets.keys());
        let met = ids.clone().all(|id| packets(&after, id) == packets(&before, id) + 1);
        if met { Ok(()) } else { Err(BenchError::NotMet { row: path.name.clone() }) }
    }

    /// Sends the first flows by, in order, a packet each.
    fn pass(&mut self, path: &PacketPath, packets: u32, flows: u32) -> Result<(), BenchError> {
        self.pass_counting(path, packets, flows, path.counts)
    }

    fn pass_counting(
        &mut self,
        path: &PacketPath,
        packets: u32,
        flows: u32,
        counts: Counts,
    ) -> Result<(), BenchError> {
        self.checked(path, counts, |generator| {
            generator.order(&path.frame, flows, true)?;
            generator.start_at(0)?;
            let run = generator.run(&path.under_test, packets)?;
            Ok(Sent { packets: packets.into(), verdict: run.verdict })
        })
    }

    /// Measures the batches of a cell.
    pub(super) fn measure(
        &mut self,
        what: What,
        cell: &mut Measuring,
        options: &Options,
    ) -> Result<(), BenchError> {
        if cell.left_out.is_some() {
            return Ok(());
        }
        let path = self.path(what, cell.flows)?;
        let Flows { count, all_new, .. } = path.flows;
        let many = count.saturating_mul(2).min(WARM_UP_MAX);
        // Whole connections only, and a place in the order of flows for each.
        let unit = if path.frame.connects { CONNECTION_PACKETS } else { 1 };
        let batch = options.packets / unit * unit;
        let warm_up = if all_new { batch } else { batch.max(many) };
        let Measuring { net, own, progress, .. } = &mut *cell;
        let measured = self.checked(&path, path.counts, |generator| {
            generator.order(&path.frame, count, all_new)?;
            generator.start_at(*progress)?;
            let mut verdict = generator.run(&path.under_test, warm_up)?.verdict;
            let mut packets = u64::from(warm_up);
            *progress += packets / u64::from(unit);
            for _ in 0..options.batches {
                let alone = generator.run_alone(batch)?;
                let whole = generator.run(&path.under_test, batch)?;
                net.add(whole.nanoseconds - alone.nanoseconds);
                own.add(alone.nanoseconds);
                verdict = whole.verdict;
                packets += u64::from(batch);
                *progress += 2 * u64::from(batch / unit);
            }
            Ok(Sent { packets, verdict })
        });
        note(&path, cell, measured)
    }

    fn path(&mut self, what: What, flows: Flows) -> Result<PacketPath, BenchError> {
        let duplicate = |source| BenchError::Host { action: "duplicate a file descriptor", source };
        match what {
            What::MeasuredListener(number, place) => {
                let none = || BenchError::Usage("no such listener".to_owned());
                let bed = self.beds.get_mut(number).ok_or_else(none)?;
                let subject = bed.subjects.get(place).ok_or_else(none)?;
                let under_test = bed.balancer.program()?.try_clone().map_err(duplicate)?;
                Ok(PacketPath {
                    name: subject.name.clone(),
                    flows,
                    under_test,
                    frame: subject.frame(flows.all_new)?,
                    subject: Some((number, place)),
                    counts: subject.counts(flows),
                    redirects: subject.case.is_none(),
                    is_flood: false,
                })
            }
            What::Reference(reference) => {
                let is_flood = reference == Reference::Lru && flows.all_new;
                Ok(PacketPath {
                    name: reference.name().to_owned(),
                    flows,
                    under_test: self.generator(is_flood).reference(reference)?,
                    frame: frame(&any_listener(), flows.all_new, false)?,
                    subject: None,
                    counts: Counts::Nothing,
                    redirects: false,
                    is_flood,
                })
            }
        }
    }

    const fn generator(&mut self, is_flood: bool) -> &mut Generator {
        match &mut self.flood {
            Some(flood) if is_flood => flood,
            _ => &mut self.generator,
        }
    }

    /// Sends packets, and checks that each took the measured path.
    fn checked(
        &mut self,
        path: &PacketPath,
        counts: Counts,
        work: impl FnOnce(&mut Generator) -> Result<Sent, BenchError>,
    ) -> Result<(), BenchError> {
        let (row, flows) = (|| path.name.clone(), path.flows.name);
        let counters = |tools: &Self| {
            let bed = path.subject.and_then(|(bed, place)| Some((tools.beds.get(bed)?, place)));
            bed.map(|(bed, place)| bed.counters(place)).transpose()
        };
        let before = counters(self)?;
        let generator = self.generator(path.is_flood);
        let failures = generator.failures()?;
        let sent = work(generator)?;
        let given_up = generator.failures()?.wrapping_sub(failures);
        if given_up > 0 {
            return Err(BenchError::GivenUp { row: row(), flows, count: given_up });
        }
        if let Some((before, after)) = before.zip(counters(self)?) {
            verify::check(&before, &after, sent.packets, counts)
                .map_err(|astray| BenchError::Astray { row: row(), flows, astray })?;
        }
        if sent.verdict == XDP_TX || path.redirects && sent.verdict == XDP_REDIRECT {
            return Ok(());
        }
        let name = usize::try_from(sent.verdict).ok().and_then(|number| VERDICTS.get(number));
        let verdict = name.map_or_else(|| sent.verdict.to_string(), |name| (*name).to_owned());
        Err(BenchError::Verdict { row: row(), flows, verdict, expected: "XDP_TX" })
    }
}

/// A live listener may well drop its packets: its cell is left out, and says why.
fn note(
    path: &PacketPath,
    cell: &mut Measuring,
    done: Result<(), BenchError>,
) -> Result<(), BenchError> {
    match done {
        Err(error) if path.redirects && error.is_of_the_tables() => {
            cell.left_out = Some(error.to_string());
            Ok(())
        }
        done => done,
    }
}

/// Whom packets for reference programs are for.
fn any_listener() -> ListenerKey {
    let vip = std::net::IpAddr::from([203, 0, 113, 200]);
    ListenerKey::new(Family::V4, vip.into(), Be16::new(80), TCP)
}
