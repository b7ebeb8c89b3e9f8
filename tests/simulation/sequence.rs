//! One sequence: flows start, send, idle and end, while targets come, go, drain, die and recover, the
//! ring grows, the budget runs out and the agent is killed.

use crate::{
    breaks::Break,
    check::{self, Flow, Watched},
    flows::{self, Tuple},
    group::{DELAY, Fate, Group, IDLE, Phase},
    random::Random,
    steps::Steps,
};

/// How long a sequence is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    steps: usize,
    /// Slots that its flows are in.
    slots: usize,
}

impl Length {
    pub(crate) const SHORT: Self = Self { steps: 400, slots: 5 };
    pub(crate) const LONG: Self = Self { steps: 40_000, slots: 64 };
}

/// A sequence.
pub(crate) struct Sequence {
    steps: Steps,
    length: Length,
    group: Group,
    flows: Vec<Flow>,
    /// Tuples that are free, and those of connections that have ended: ports are used again.
    fresh: Vec<&'static Tuple>,
    ended: Vec<&'static Tuple>,
    /// Targets that have left the configuration.
    former: Vec<u16>,
    next_number: u16,
    watched: Watched,
    /// Whether some of the targets are backups.
    has_backups: bool,
    /// Whether an attacker sends forged segments of connections that do not exist.
    attacked: bool,
}

impl Sequence {
    pub(crate) fn new(seed: u64, length: Length, broken: Option<Break>) -> Self {
        let mut random = Random::new(seed);
        let fresh = flows::of_slots(&mut random, length.slots, 0);
        let remembered = if seed.is_multiple_of(2) { u64::from(IDLE) } else { 6 * u64::from(IDLE) };
        // Some of those with backups, and some without.
        let has_quorum = matches!(seed % 8, 3 | 5);
        let group = Group::new(remembered, has_quorum, broken);
        Self {
            steps: Steps::new(random, &group.agent.host),
            length,
            group,
            flows: Vec::new(),
            fresh,
            ended: Vec::new(),
            former: Vec::new(),
            next_number: 4,
            watched: Watched::default(),
            has_backups: seed % 4 == 1,
            attacked: seed.is_multiple_of(3),
        }
    }

    /// The same, with a line for each step.
    pub(crate) fn traced(mut self) -> Self {
        self.steps.traced = true;
        self
    }

    /// Runs it; an error says what did not hold.
    pub(crate) fn run(mut self) -> Result<(), String> {
        self.group.reconcile();
        for step in 0..self.length.steps {
            self.step().map_err(|violation| format!("step {step}: {violation}"))?;
        }
        Ok(())
    }

    /// Delays pass.
    fn let_go(&mut self) {
        let now = self.steps.now;
        for number in self.with(|fate| !fate.keeps_flows(now) && fate.phase != Phase::Serving) {
            self.excuse(number);
            if let Some(Fate { phase: Phase::Leaving(_), .. }) = self.group.targets.get(&number) {
                self.steps.say(|| format!("{number} is gone"));
                self.group.targets.remove(&number);
                self.former.push(number);
            }
        }
    }

    fn step(&mut self) -> Result<(), String> {
        if self.steps.pass() {
            self.let_go();
            self.group.tick();
            self.watch()?;
        }
        if self.attacked {
            self.forge();
        }
        match self.steps.random.below(1000) {
            0..130 => self.change()?,
            130..145 => self.steps.toggle_budget(),
            145..420 => self.start()?,
            _ => self.send()?,
        }
        Ok(())
    }

    /// Segments of no connection, in any slot.
    fn forge(&mut self) {
        for _ in 0..3 {
            if let Some(tuple) = self.steps.random.pick(&self.fresh) {
                let _anywhere = self.group.agent.host.borrow_mut().send(tuple, false);
            }
        }
    }

    /// Flows of a slot that was armed for as long as any may be are free to move.
    fn watch(&mut self) -> Result<(), String> {
        let flows = self.flows.iter().map(|flow| flow.tuple);
        let tuples = flows.chain(self.fresh.iter().copied()).chain(self.ended.iter().copied());
        let over = self.watched.look(&self.group, tuples)?;
        let host = self.group.agent.host.borrow();
        for flow in &mut self.flows {
            flow.excused |= host.slot_of(flow.tuple).is_some_and(|(at, _)| over.contains(&at));
        }
        Ok(())
    }

    /// A change of the group, carried out by the agent; sometimes it is killed before the end, and
    /// packets continue until another one starts.
    fn change(&mut self) -> Result<(), String> {
        self.steps.threaten(6);
        self.choose();
        if !self.group.reconcile() {
            for _ in 0..self.steps.killed() {
                self.send()?;
            }
            self.restart();
            self.group.reconcile();
        }
        self.steps.spare();
        self.watch()?;
        check::disarmed_slots(&self.group, &self.flows)
    }

    fn choose(&mut self) {
        match self.steps.random.below(130) {
            0..40 => self.add(),
            40..58 => self.drain(),
            58..66 => self.remove(),
            66..84 => self.die(),
            84..94 => self.recover(),
            94..104 => self.undrain(),
            104..116 => self.weigh(),
            116..120 => self.grow(),
            _ => {
                self.steps.say(|| "the agent starts anew".to_owned());
                self.restart();
            }
        }
    }

    fn restart(&mut self) {
        self.group.restart();
        self.watched.restart(self.steps.now);
    }

    /// Targets that take new flows. The last one stays.
    fn in_service(&self) -> Vec<u16> {
        let targets = self.group.targets.iter();
        targets.filter(|(_, fate)| fate.takes_new()).map(|(number, _)| *number).collect()
    }

    fn with(&self, matches: impl Fn(&Fate) -> bool) -> Vec<u16> {
        let targets = self.group.targets.iter().filter(|(_, fate)| matches(fate));
        targets.map(|(number, _)| *number).collect()
    }

    /// A target that may die: also one that finishes its flows.
    fn mortal(&mut self) -> Option<u16> {
        if self.steps.random.chance(700) {
            return self.spare();
        }
        let leaving = self.with(|fate| fate.alive && fate.phase != Phase::Serving);
        self.steps.random.pick(&leaving)
    }

    /// One of those in service, if there are others.
    fn spare(&mut self) -> Option<u16> {
        let all = self.in_service();
        if all.len() > 1 { self.steps.random.pick(&all) } else { None }
    }

    /// Flows of this target may move from now on.
    fn excuse(&mut self, target: u16) {
        for flow in self.flows.iter_mut().filter(|flow| flow.target == target) {
            flow.excused = true;
        }
    }

    fn add(&mut self) {
        if self.group.targets.len() > 8 {
            return;
        }
        let leaving = self.with(|fate| matches!(fate.phase, Phase::Leaving(_)));
        let back = [self.former.as_slice(), &leaving].concat();
        let back = self.steps.random.chance(300).then(|| self.steps.random.pick(&back)).flatten();
        let number = back.unwrap_or(self.next_number);
        self.next_number += u16::from(back.is_none());
        self.former.retain(|former| *former != number);
        let backup = self.has_backups && self.steps.random.chance(350);
        self.steps.say(|| format!("add {}{number}", if backup { "backup " } else { "" }));
        self.group.targets.insert(number, Fate { backup, ..Fate::NEW });
    }

    /// More targets than the ring is made for.
    fn grow(&mut self) {
        if self.group.targets.len() > 60 {
            return;
        }
        self.steps.say(|| format!("add {} to {}", self.next_number, self.next_number + 35));
        for _ in 0..36 {
            self.group.targets.insert(self.next_number, Fate::NEW);
            self.next_number += 1;
        }
    }

    fn remove(&mut self) {
        if let Some(number) = self.spare() {
            self.steps.say(|| format!("remove {number}"));
            let phase = Phase::Leaving(self.steps.now + DELAY);
            self.group.targets.entry(number).and_modify(|fate| fate.phase = phase);
        }
    }

    fn drain(&mut self) {
        if let Some(number) = self.spare() {
            self.steps.say(|| format!("drain {number}"));
            let phase = Phase::Drained(self.steps.now + DELAY);
            self.group.targets.entry(number).and_modify(|fate| fate.phase = phase);
        }
    }

    fn undrain(&mut self) {
        let drained = self.with(|fate| matches!(fate.phase, Phase::Drained(_)));
        if let Some(number) = self.steps.random.pick(&drained) {
            self.steps.say(|| format!("undrain {number}"));
            self.group.targets.entry(number).and_modify(|fate| fate.phase = Phase::Serving);
        }
    }

    fn die(&mut self) {
        if let Some(number) = self.mortal() {
            self.steps.say(|| format!("{number} dies"));
            self.group.targets.entry(number).and_modify(|fate| fate.alive = false);
            self.excuse(number);
        }
    }

    fn recover(&mut self) {
        let dead = self.with(|fate| !fate.alive);
        if let Some(number) = self.steps.random.pick(&dead) {
            self.steps.say(|| format!("{number} recovers"));
            self.group.targets.entry(number).and_modify(|fate| fate.alive = true);
        }
    }

    fn weigh(&mut self) {
        if let Some(number) = self.spare() {
            let weight = [0, 20, 100, 300][self.steps.random.below(4)];
            self.steps.say(|| format!("weight of {number}: {weight}"));
            self.group.targets.entry(number).and_modify(|fate| fate.weight = weight);
        }
    }

    /// A connection begins.
    fn start(&mut self) -> Result<(), String> {
        let from = if self.steps.random.chance(500) && !self.ended.is_empty() {
            &mut self.ended
        } else {
            &mut self.fresh
        };
        if from.is_empty() {
            return Ok(());
        }
        let tuple = from.swap_remove(self.steps.random.below(from.len()));
        let budget_full = self.group.agent.host.borrow().budget_full;
        let Some(target) = self.deliver(tuple, true)? else {
            // The client may try again with the same ports.
            self.ended.push(tuple);
            return self.refused();
        };
        let fate = self.group.targets.get(&target);
        if !self.group.takes_new(target) && !budget_full {
            return Err(format!("a new flow goes to {target}, which takes none: {fate:?}"));
        }
        self.steps.say(|| format!("{:x} begins with {target}", tuple.hash));
        self.flows.push(Flow { tuple, target, last: self.steps.now, excused: false });
        Ok(())
    }

    /// A connection sends, or ends.
    fn send(&mut self) -> Result<(), String> {
        if self.flows.is_empty() {
            return Ok(());
        }
        let index = self.steps.random.below(self.flows.len());
        let flow = self.flows[index];
        if self.steps.random.chance(150) {
            self.flows.swap_remove(index);
            self.ended.push(flow.tuple);
            return Ok(());
        }
        let target = self.deliver(flow.tuple, false)?;
        if target.is_none() && flow.is_bound(self.steps.now) {
            return Err(format!("a packet of {:x} is not forwarded", flow.tuple.hash));
        }
        let Some(target) = target.filter(|_| flow.is_bound(self.steps.now)) else {
            if target.is_none() {
                self.refused()?;
            }
            // Whoever gets it resets it.
            self.steps.say(|| format!("{:x} is lost", flow.tuple.hash));
            self.flows.swap_remove(index);
            self.ended.push(flow.tuple);
            return Ok(());
        };
        if target != flow.target {
            let idle = self.steps.now - flow.last;
            return Err(format!(
                "{:x} moved from {} to {target}, {idle} s of {IDLE} s after its last packet",
                flow.tuple.hash, flow.target
            ));
        }
        self.steps.say(|| format!("{:x} goes to {target}", flow.tuple.hash));
        self.flows[index].last = self.steps.now;
        Ok(())
    }

    /// A packet was dropped that no target was bound to take.
    fn refused(&self) -> Result<(), String> {
        let interrupted = self.group.agent.host.borrow().kill_after.is_some();
        if interrupted && self.group.has_quorum || self.group.is_below_quorum() {
            return Ok(());
        }
        Err("a packet is not forwarded, and there is a quorum".to_owned())
    }

    /// Sends a packet; nothing goes to a target that is dead or gone.
    fn deliver(&self, tuple: &Tuple, syn: bool) -> Result<Option<u16>, String> {
        let mut host = self.group.agent.host.borrow_mut();
        let interrupted = host.kill_after.is_some();
        let Some(target) = host.send(tuple, syn) else { return Ok(None) };
        let fate = self.group.targets.get(&target);
        let keeps = fate.is_some_and(|fate| fate.keeps_flows(self.steps.now));
        // A killed agent has not updated the data path yet.
        if keeps || interrupted {
            Ok(Some(target))
        } else {
            Err(format!("a packet goes to {target}, which is dead or gone: {fate:?}"))
        }
    }
}
