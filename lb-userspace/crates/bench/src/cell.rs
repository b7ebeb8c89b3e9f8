//! PURE: rows and cells of the table while they are measured.

use super::{
    balancer_under_test::{MeasuredListener, protocol_name},
    cases::{CASES, Flows, Reference},
    report::{Cell, Row, Summary},
    statistics::Samples,
};

/// What packets go through.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A listener: number of the balancer, number of the subject in it.
    MeasuredListener(usize, usize),
    /// A program to compare with.
    Reference(Reference),
}

/// What was measured of a row.
pub(super) struct Measured {
    pub(super) what: What,
    pub(super) cells: Vec<Measuring>,
    row: Row,
}

/// One cell.
pub(super) struct Measuring {
    pub(super) flows: Flows,
    pub(super) net: Samples,
    pub(super) own: Samples,
    /// Packets that the generator has made for it.
    pub(super) progress: u64,
    /// Why it is not measured, if it is not.
    pub(super) left_out: Option<String>,
}

impl Measured {
    /// The row of a listener.
    pub(super) fn subject(what: What, subject: &MeasuredListener, flows: &[Flows]) -> Self {
        let case = subject.case;
        let row = Row {
            name: subject.name.clone(),
            kind: "program".to_owned(),
            mode: case.map_or("", |case| case.mode.name()).to_owned(),
            protocol: protocol_name(subject.key.protocol).to_owned(),
            memory: case.map_or("", |case| case.memory.name()).to_owned(),
            cells: Vec::new(),
        };
        Self::new(what, row, flows, |flows| subject.unfit(flows))
    }

    /// The row of a program to compare with.
    pub(super) fn reference(reference: Reference, flows: &[Flows]) -> Self {
        let row = Row {
            name: reference.name().to_owned(),
            kind: "reference".to_owned(),
            protocol: "tcp".to_owned(),
            ..Row::default()
        };
        Self::new(What::Reference(reference), row, flows, |flows| reference.unfit(flows))
    }

    fn new(
        what: What,
        row: Row,
        flows: &[Flows],
        unfit: impl Fn(Flows) -> Option<&'static str>,
    ) -> Self {
        let cells = flows.iter().map(|flows| Measuring {
            flows: *flows,
            net: Samples::new(),
            own: Samples::new(),
            progress: 0,
            left_out: unfit(*flows).map(str::to_owned),
        });
        Self { what, row, cells: cells.collect() }
    }

    /// Its index among all rows.
    pub(super) fn position(&self) -> usize {
        let cases = CASES.iter().map(|case| case.name);
        let mut names = cases.chain(Reference::ALL.iter().map(|one| one.name()));
        names.position(|name| name == self.row.name).unwrap_or(0)
    }

    /// What is reported of it.
    pub(super) fn into_row(self) -> Row {
        let summary = |samples: &Samples, left_out: bool| {
            if left_out || samples.len() == 0 { Summary::default() } else { samples.summary() }
        };
        let cells = self.cells.into_iter().map(|cell| {
            let left_out = cell.left_out.is_some();
            Cell {
                flows: cell.flows.name.to_owned(),
                flow_count: cell.flows.count,
                all_new: cell.flows.all_new,
                samples: if left_out { 0 } else { cell.net.len() },
                nanoseconds: summary(&cell.net, left_out),
                generator: summary(&cell.own, left_out),
                left_out: cell.left_out,
            }
        });
        Row { cells: cells.collect(), ..self.row }
    }
}
