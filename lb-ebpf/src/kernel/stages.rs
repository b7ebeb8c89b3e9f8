//! The stages of the data path as global functions; see `lb_ebpf::stage`.
#![expect(
    clippy::redundant_closure,
    reason = "a stage that is named instead is called through a shim that is not inlined"
)]

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};
use lb_common::{DropReason, Listener, ListenerKey, Slot, VipKey};
use lb_ebpf::{
    Datagram, Stages, Step, Verdict,
    nat::{create::Chosen, life::Direction},
    question::{Answer, Question},
    recall, stage,
    tables::Count as _,
};

use super::{
    frame::{Frame, made},
    listeners, programs,
    run::{AsLoaded, KernelTables, Run, TABLES},
};

impl Frame {
    /// The frame of the run with this context, in a separate function.
    #[inline(always)]
    pub(crate) fn of(context: *mut xdp_md) -> Self {
        Self(XdpContext::new(context))
    }

    /// The context, for a separate function.
    #[inline(always)]
    pub(crate) const fn context(&self) -> *mut xdp_md {
        self.0.ctx
    }
}

impl<R: Run> Stages<Frame> for KernelTables<R> {
    #[inline(always)]
    fn plain(&self, packet: &mut Frame) -> Step {
        // Hidden in a word from LLVM, which else carries the parts of all outcomes in the same
        // registers: pointers for the verifier, or nothing.
        Step::from_word(made(stage::plain(packet, self).to_word()))
    }

    #[inline(always)]
    fn rest(&self, packet: &mut Frame, first: Step) -> Verdict {
        programs::rest::<R>(packet, first);
        program_missing(self)
    }

    #[inline(always)]
    fn translate(&self, packet: &mut Frame) -> Verdict {
        programs::translate::<R>(packet);
        program_missing(self)
    }

    #[inline(always)]
    fn balance(&self, packet: &mut Frame) -> Step {
        Step::from_word(xelb_common(packet.context()))
    }

    #[inline(always)]
    fn read(&self, packet: &mut Frame, flow: &mut Datagram) -> Step {
        Step::from_word(xelb_read(packet.context(), flow))
    }

    #[inline(always)]
    fn deliver(&self, packet: &mut Frame, flow: &Datagram) -> Step {
        Step::from_word(xelb_deliver(packet.context(), flow))
    }

    #[inline(always)]
    fn translate_plain(&self, packet: &mut Frame) -> Step {
        Step::from_word(xelb_translate_plain(packet.context()))
    }

    #[inline(always)]
    fn request(&self, _packet: &mut Frame, flow: &Datagram) -> Step {
        Step::from_word(xelb_request(flow))
    }

    #[inline(always)]
    fn choose(&self, _packet: &mut Frame, flow: &Datagram) -> Step {
        Step::from_word(xelb_choose(flow))
    }

    #[inline(always)]
    fn bind(&self, packet: &mut Frame, flow: &Datagram, chosen: Chosen) -> Step {
        Step::from_word(xelb_bind(packet.context(), flow, Step::Chosen(chosen).to_word()))
    }

    #[inline(always)]
    fn expire(&self, _packet: &mut Frame, now: u32) {
        xelb_expire(now);
    }

    #[inline(always)]
    fn reply(&self, packet: &mut Frame, flow: &Datagram) -> Step {
        Step::from_word(xelb_reply(packet.context(), flow))
    }

    #[inline(always)]
    fn write(
        &self,
        packet: &mut Frame,
        flow: &Datagram,
        index: u32,
        direction: Direction,
        listener: u16,
    ) -> Step {
        let (context, listener) = (packet.context(), u32::from(listener));
        Step::from_word(xelb_write(context, flow, index, direction as u32, listener))
    }

    #[inline(always)]
    fn exhausted(&self) -> Step {
        stage::exhausted(self)
    }

    #[inline(always)]
    fn too_big(&self, packet: &mut Frame, room: u16) -> Verdict {
        match Step::from_word(xelb_too_big(packet.context(), u32::from(room))) {
            Step::Done(verdict) => verdict,
            _ => Verdict::Drop(DropReason::PacketTooBig),
        }
    }

    #[inline(always)]
    fn reset(&self, packet: &mut Frame) -> Verdict {
        match Step::from_word(xelb_reset(packet.context())) {
            Step::Done(verdict) => verdict,
            _ => Verdict::Drop(DropReason::NoTarget),
        }
    }

    #[inline(always)]
    fn echo(&self, packet: &mut Frame) -> Verdict {
        match Step::from_word(xelb_echo(packet.context())) {
            Step::Done(verdict) => verdict,
            _ => Verdict::Pass,
        }
    }

    #[inline(always)]
    fn clamp(&self, packet: &mut Frame, offset: u32, mss: u16) {
        xelb_clamp(packet.context(), offset, u32::from(mss));
    }
}

/// The agent installs the tail calls before it attaches the first program.
#[inline(always)]
fn program_missing<R: Run>(tables: &KernelTables<R>) -> Verdict {
    tables.count(DropReason::ProgramMissing.index());
    Verdict::Drop(DropReason::ProgramMissing)
}

/// See [`stage::balance`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_common(context: *mut xdp_md) -> u64 {
    stage::balance(&mut Frame::of(context), &TABLES).to_word()
}

/// See [`stage::read`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_read(context: *mut xdp_md, flow: *mut Datagram) -> u64 {
    // SAFETY: as in `with_flow`.
    match unsafe { flow.as_mut() } {
        Some(flow) => stage::read(&mut Frame::of(context), flow, &TABLES).to_word(),
        None => Step::Done(Verdict::Pass).to_word(),
    }
}

/// A stage that gets the flow.
#[inline(always)]
fn with_flow(
    context: *mut xdp_md,
    flow: *const Datagram,
    stage: impl FnOnce(&mut Frame, &Datagram, &KernelTables<AsLoaded>) -> Step,
) -> u64 {
    // SAFETY: the caller has a reference; the verifier takes a global function's argument for null
    // until it has been asked.
    match unsafe { flow.as_ref() } {
        Some(flow) => stage(&mut Frame::of(context), flow, &TABLES).to_word(),
        None => Step::Done(Verdict::Pass).to_word(),
    }
}

/// See [`stage::deliver`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_deliver(context: *mut xdp_md, flow: *const Datagram) -> u64 {
    with_flow(context, flow, |frame, flow, tables| stage::deliver(frame, flow, tables))
}

/// See [`stage::translate_plain`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_translate_plain(context: *mut xdp_md) -> u64 {
    stage::translate_plain(&mut Frame::of(context), &TABLES).to_word()
}

/// See [`stage::request`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_request(flow: *const Datagram) -> u64 {
    // SAFETY: as in `with_flow`.
    match unsafe { flow.as_ref() } {
        Some(flow) => stage::request(flow, &TABLES).to_word(),
        None => Step::Done(Verdict::Pass).to_word(),
    }
}

/// See [`stage::choose`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_choose(flow: *const Datagram) -> u64 {
    // SAFETY: as in `with_flow`.
    match unsafe { flow.as_ref() } {
        Some(flow) => stage::choose(flow, &TABLES).to_word(),
        None => Step::Done(Verdict::Pass).to_word(),
    }
}

/// See [`stage::bind`]; `chosen` is the word of the step before.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_bind(context: *mut xdp_md, flow: *const Datagram, chosen: u64) -> u64 {
    let Step::Chosen(chosen) = Step::from_word(chosen) else {
        return Step::Done(Verdict::Pass).to_word();
    };
    with_flow(context, flow, |frame, flow, tables| stage::bind(frame, flow, chosen, tables))
}

/// See [`stage::expire`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_expire(now: u32) -> u64 {
    stage::expire(now, &TABLES);
    0
}

/// See [`stage::reply`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_reply(context: *mut xdp_md, flow: *const Datagram) -> u64 {
    with_flow(context, flow, |frame, flow, tables| stage::reply(frame, flow, tables))
}

/// See [`stage::write`]; a direction of zero is a request.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_write(
    context: *mut xdp_md,
    flow: *const Datagram,
    index: u32,
    direction: u32,
    listener: u32,
) -> u64 {
    let direction = if direction == 0 { Direction::Request } else { Direction::Reply };
    with_flow(context, flow, |frame, flow, tables| {
        stage::write(frame, flow, index, direction, listener as u16, tables)
    })
}

/// See [`stage::too_big`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_too_big(context: *mut xdp_md, room: u32) -> u64 {
    let verdict = stage::too_big(&mut Frame::of(context), room as u16, &TABLES);
    Step::Done(verdict).to_word()
}

/// See [`stage::clamp`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_clamp(context: *mut xdp_md, offset: u32, mss: u32) -> u64 {
    stage::clamp(&mut Frame::of(context), offset & 0x1ff, mss as u16);
    0
}

/// See [`stage::reset`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_reset(context: *mut xdp_md) -> u64 {
    Step::Done(stage::reset(&mut Frame::of(context), &TABLES)).to_word()
}

/// See [`stage::echo`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_echo(context: *mut xdp_md) -> u64 {
    Step::Done(stage::echo(&mut Frame::of(context), &TABLES)).to_word()
}

/// See [`listeners::search`]: a function of its own, since the first place mostly has the listener.
#[inline(always)]
pub(super) fn search(key: &ListenerKey) -> Option<Listener> {
    let listener = Listener::from_word(xelb_search(key));
    if listener.id == 0 { None } else { Some(listener) }
}

/// See [`listeners::search`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_search(key: *const ListenerKey) -> u64 {
    // SAFETY: the verifier gives a separate function only pointers to whole values.
    let Some(key) = (unsafe { key.as_ref() }) else {
        return 0;
    };
    listeners::search(key).map_or(0, Listener::to_word)
}

/// See [`listeners::wide`]: a function of its own, since most configurations have no such listener.
#[inline(always)]
pub(super) fn wide_listener(key: &VipKey, protocol: u8, port: u16) -> Option<Listener> {
    let about = u32::from(port) | u32::from(protocol) << 16;
    let listener = Listener::from_word(xelb_wide(key, about));
    if listener.id == 0 { None } else { Some(listener) }
}

/// Whether a listener on a prefix has this address.
#[inline(always)]
pub(super) fn is_wide_vip(key: &VipKey) -> bool {
    xelb_wide(key, 0) != 0
}

/// See [`listeners::wide`]; `about` has the protocol above the port. If it is zero, the answer is not
/// zero when there is any listener.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_wide(key: *const VipKey, about: u32) -> u64 {
    // SAFETY: as in `xelb_search`.
    let Some(listeners) = (unsafe { key.as_ref() }).and_then(listeners::wide) else {
        return 0;
    };
    if about == 0 {
        return 1;
    }
    listeners.listener((about >> 16) as u8, about as u16).map_or(0, Listener::to_word)
}

/// See [`recall::answer`]: a separate function, called from within a stage, since few packets come
/// there.
#[inline(always)]
pub(super) fn recall(asked: &Question) -> Answer {
    let about = u32::from(asked.timeout) | u32::from(asked.flags) << 16;
    Answer::from_word(xelb_recall(asked.hash, asked.slot.to_word(), asked.index, about))
}

/// See [`recall::answer`]; `about` has the flags of the question above its timeout.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_recall(hash: u64, slot: u64, index: u32, about: u32) -> u64 {
    let asked = Question {
        hash,
        slot: Slot::from_word(slot),
        index,
        timeout: about as u16,
        flags: (about >> 16) as u16,
    };
    recall::answer(&asked, &TABLES).to_word()
}
