//! One sequence with several groups: listeners switch from one to another and back while
//! connections open, send and end; servers are in one group or in several, and are added, removed,
//! die and recover; groups are deleted, created again and renamed; the agent is killed.

use std::collections::BTreeMap;

use lb_common::Family;

use crate::{
    check::Flow,
    flows::{self, Tuple},
    group::{DELAY, address},
    groups::{Declared, GROUPS, Groups, Server},
    lead_breaks::LeadBreak,
    random::Random,
    steps::Steps,
};

const STEPS: usize = 400;

/// Slots that the flows of a listener are in.
const SLOTS: usize = 4;

/// A connection, and how its server has come to have it.
#[derive(Clone, Copy)]
struct Connection {
    flow: Flow,
    listener: usize,
    /// The group that it came by.
    group: usize,
}

/// What is known of a server in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Registration {
    in_service: bool,
    /// Second until which it keeps its flows when it is no longer in service.
    until: u32,
}

/// A sequence.
pub(crate) struct LeadSequence {
    steps: Steps,
    groups: Groups,
    connections: Vec<Connection>,
    fresh: [Vec<&'static Tuple>; 2],
    ended: [Vec<&'static Tuple>; 2],
    registrations: BTreeMap<(usize, u16), Registration>,
    next_server: u16,
    next_name: u32,
}

impl LeadSequence {
    pub(crate) fn new(seed: u64, broken: Option<LeadBreak>) -> Self {
        let mut random = Random::new(seed);
        let fresh = [0, 1].map(|listener| flows::of_slots(&mut random, SLOTS, listener));
        let groups = Groups::new(broken);
        Self {
            steps: Steps::new(random, &groups.agent.host),
            groups,
            connections: Vec::new(),
            fresh,
            ended: [Vec::new(), Vec::new()],
            registrations: BTreeMap::new(),
            next_server: 5,
            next_name: 0,
        }
    }

    /// The same, with a line for each step.
    pub(crate) fn traced(mut self) -> Self {
        self.steps.traced = true;
        self
    }

    /// Runs it; an error says what did not hold.
    pub(crate) fn run(mut self) -> Result<(), String> {
        self.register();
        self.groups.reconcile();
        for step in 0..STEPS {
            self.step().map_err(|violation| format!("step {step}: {violation}"))?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        if self.steps.pass() {
            self.excuse();
            self.groups.tick();
        }
        match self.steps.random.below(1000) {
            0..130 => self.change()?,
            130..140 => self.steps.toggle_budget(),
            140..420 => self.start()?,
            _ => self.send()?,
        }
        Ok(())
    }

    /// Notes which servers are in service by which groups now, and which are no longer.
    fn register(&mut self) {
        let (groups, now) = (&self.groups, self.steps.now);
        let in_service = |group: usize, number: u16| {
            groups.uses(group)
                && groups.declared[group].as_ref().is_some_and(|one| one.servers.contains(&number))
                && groups.servers.get(&number).is_some_and(|server| server.alive && server.checked)
        };
        let declared = groups.declared.iter().enumerate();
        let declared = declared.filter_map(|(group, one)| Some((group, one.as_ref()?)));
        for (group, one) in declared {
            for number in &one.servers {
                self.registrations.entry((group, *number)).or_default();
            }
        }
        for ((group, number), one) in &mut self.registrations {
            let was = std::mem::replace(&mut one.in_service, in_service(*group, *number));
            if one.in_service {
                one.until = 0;
            } else if was {
                one.until = now + DELAY;
            }
        }
        self.excuse();
    }

    /// Connections whose server keeps them no longer.
    fn excuse(&mut self) {
        for Connection { flow, listener, group } in &mut self.connections {
            let known = self.registrations.get(&(*group, flow.target)).copied().unwrap_or_default();
            let lead = (self.groups.serving(*listener), flow.target);
            let elsewhere = self.registrations.get(&lead).is_some_and(|one| one.in_service);
            let alive = self.groups.servers.get(&flow.target).is_some_and(|server| server.alive);
            let kept = known.in_service || self.steps.now < known.until || elsewhere;
            flow.excused |= !alive || !kept;
        }
    }

    /// A change, carried out by the agent; sometimes it is killed before the end, and packets
    /// continue until another one starts.
    fn change(&mut self) -> Result<(), String> {
        self.steps.threaten(8);
        self.choose();
        self.register();
        if !self.groups.reconcile() {
            for _ in 0..self.steps.killed() {
                self.send()?;
            }
            self.groups.agent.restart();
            self.groups.reconcile();
        }
        self.steps.spare();
        self.check_disarmed_slots()
    }

    fn choose(&mut self) {
        match self.steps.random.below(130) {
            0..45 => self.lead(),
            45..55 => self.name_sorry(),
            55..70 => self.add(),
            70..80 => self.remove(),
            80..90 => self.die_or_recover(),
            90..100 => self.delete_or_make(),
            100..110 => self.rename(),
            110..113 => self.grow(),
            113..120 => self.judge(),
            _ => {
                self.steps.say(|| "the agent starts anew".to_owned());
                self.groups.agent.restart();
            }
        }
    }

    /// Leads a listener to a group that has, or will have, a server in service.
    fn lead(&mut self) {
        let listener = self.steps.random.below(2);
        let group = self.steps.random.below(GROUPS);
        let servers = self.groups.declared[group].as_ref().map_or(0, |one| one.servers.len());
        if servers > 0 {
            self.steps.say(|| format!("listener {listener} is led to {group}"));
            self.groups.leads[listener] = group;
            self.groups.sorries[listener].take_if(|sorry| *sorry == group);
        }
    }

    /// A listener gets a sorry group, or has none any more.
    fn name_sorry(&mut self) {
        let listener = self.steps.random.below(2);
        let group = self.steps.random.below(GROUPS);
        let is_other =
            self.groups.declared[group].is_some() && self.groups.leads[listener] != group;
        let sorry = Some(group).filter(|_| is_other);
        self.steps.say(|| format!("the sorry group of listener {listener} is {sorry:?}"));
        self.groups.sorries[listener] = sorry;
    }

    fn some_group(&mut self) -> Option<usize> {
        Some(self.steps.random.below(GROUPS)).filter(|group| self.groups.declared[*group].is_some())
    }

    /// A new server, or one that another group has, too.
    fn add(&mut self) {
        let Some(group) = self.some_group() else { return };
        let known: Vec<u16> = self.groups.servers.keys().copied().collect();
        let known = self.steps.random.chance(600).then(|| self.steps.random.pick(&known)).flatten();
        let number = known.unwrap_or(self.next_server);
        self.next_server += u16::from(known.is_none());
        let checked = self.steps.random.chance(600);
        self.groups.servers.entry(number).or_insert(Server { alive: true, checked });
        self.steps.say(|| format!("server {number} comes to {group}"));
        if let Some(one) = &mut self.groups.declared[group] {
            one.servers.insert(number);
        }
    }

    fn remove(&mut self) {
        let Some(group) = self.some_group() else { return };
        let left = self.groups.in_service(group);
        if let (2.., Some(number)) = (left.len(), self.steps.random.pick(&left)) {
            self.steps.say(|| format!("server {number} leaves {group}"));
            if let Some(one) = &mut self.groups.declared[group] {
                one.servers.remove(&number);
            }
        }
    }

    /// The first verdicts on new servers are in.
    fn judge(&mut self) {
        for server in self.groups.servers.values_mut() {
            server.checked = true;
        }
    }

    fn die_or_recover(&mut self) {
        let numbers: Vec<u16> = self.groups.servers.keys().copied().collect();
        let Some(number) = self.steps.random.pick(&numbers) else { return };
        let is_last = |group: &usize| self.groups.in_service(*group) == [number];
        let last = (0..GROUPS).filter(is_last).any(|group| !self.groups.has_sorry(group));
        let Some(server) = self.groups.servers.get_mut(&number).filter(|one| one.checked) else {
            return;
        };
        if server.alive && last {
            return;
        }
        server.alive = !server.alive;
        let alive = server.alive;
        self.steps.say(|| format!("server {number} {}", if alive { "recovers" } else { "dies" }));
    }

    /// An unused group is deleted, or created again with the same name or another one.
    fn delete_or_make(&mut self) {
        let group = self.steps.random.below(GROUPS);
        if self.groups.uses(group) {
            return;
        }
        if self.groups.declared[group].take().is_some() {
            self.steps.say(|| format!("{group} is deleted"));
            return;
        }
        let alive = self.groups.servers.iter().filter(|(_, server)| server.alive);
        let numbers: Vec<u16> = alive.map(|(number, _)| *number).collect();
        let count = 1 + self.steps.random.below(3);
        let servers = (0..count).filter_map(|_| self.steps.random.pick(&numbers)).collect();
        let name =
            if self.steps.random.chance(500) { format!("g{group}") } else { self.new_name() };
        self.steps.say(|| format!("{group} is made, as {name} with {servers:?}"));
        self.groups.declared[group] = Some(Declared { name, servers });
    }

    fn new_name(&mut self) -> String {
        self.next_name += 1;
        format!("renamed{}", self.next_name)
    }

    fn rename(&mut self) {
        let Some(group) = self.some_group() else { return };
        let name = self.new_name();
        self.steps.say(|| format!("{group} gets the name {name}"));
        if let Some(one) = &mut self.groups.declared[group] {
            one.name = name;
        }
    }

    /// More servers than the ring is made for.
    fn grow(&mut self) {
        let Some(group) = self.some_group() else { return };
        if self.groups.servers.len() > 60 {
            return;
        }
        self.steps.say(|| format!("36 servers come to {group}"));
        for _ in 0..36 {
            let number = self.next_server;
            self.next_server += 1;
            self.groups.servers.insert(number, Server { alive: true, checked: true });
            if let Some(one) = &mut self.groups.declared[group] {
                one.servers.insert(number);
            }
        }
    }

    /// A connection begins.
    fn start(&mut self) -> Result<(), String> {
        let listener = self.steps.random.below(2);
        let again = self.steps.random.chance(500) && !self.ended[listener].is_empty();
        let from = if again { &mut self.ended[listener] } else { &mut self.fresh[listener] };
        if from.is_empty() {
            return Ok(());
        }
        let tuple = from.swap_remove(self.steps.random.below(from.len()));
        let (budget_full, group) =
            (self.groups.agent.host.borrow().budget_full, self.groups.serving(listener));
        let takers = self.groups.in_service(group);
        let target = match self.deliver(tuple, true) {
            // It may wait for longer than its previous group's targets drain.
            Err(_) if takers.is_empty() => return Ok(()),
            // What cannot be remembered goes where the flows of its slot were, to a group that fails open.
            Err(_) if budget_full && self.groups.any_fails_open() => return Ok(()),
            delivered => delivered?,
        };
        // Until a group has a target in service, its listeners keep their previous targets.
        let excused = budget_full || takers.is_empty();
        if !excused && !takers.contains(&target) {
            return Err(format!("a new flow goes to {target}, and {group} has {takers:?}"));
        }
        self.steps.say(|| format!("{:x} of listener {listener} begins with {target}", tuple.hash));
        let flow = Flow { tuple, target, last: self.steps.now, excused };
        self.connections.push(Connection { flow, listener, group });
        Ok(())
    }

    /// A connection sends, or ends.
    fn send(&mut self) -> Result<(), String> {
        if self.connections.is_empty() {
            return Ok(());
        }
        let index = self.steps.random.below(self.connections.len());
        let Connection { flow, listener, .. } = self.connections[index];
        if self.steps.random.chance(150) {
            self.connections.swap_remove(index);
            self.ended[listener].push(flow.tuple);
            return Ok(());
        }
        let target = match self.deliver(flow.tuple, false) {
            // Its server was removed, and no other one is in service.
            Err(_) if flow.excused => flow.target,
            delivered => delivered?,
        };
        if !flow.is_bound(self.steps.now) {
            self.connections.swap_remove(index);
            self.ended[listener].push(flow.tuple);
            return Ok(());
        }
        if target != flow.target {
            return Err(format!(
                "{:x} of listener {listener} moved from {} to {target}, {} s after its last packet",
                flow.tuple.hash,
                flow.target,
                self.steps.now - flow.last
            ));
        }
        self.steps.say(|| format!("{:x} goes to {target}", flow.tuple.hash));
        self.connections[index].flow.last = self.steps.now;
        Ok(())
    }

    /// Sends a packet; nothing goes to a server that is dead.
    fn deliver(&self, tuple: &Tuple, syn: bool) -> Result<u16, String> {
        let mut host = self.groups.agent.host.borrow_mut();
        let interrupted = host.kill_after.is_some();
        let target = host.send(tuple, syn).ok_or("a packet is not forwarded")?;
        let alive = self.groups.servers.get(&target).is_some_and(|server| server.alive);
        if alive || interrupted {
            Ok(target)
        } else {
            Err(format!("a packet goes to {target}, which is dead"))
        }
    }

    /// A slot that is not armed must own all of its flows.
    fn check_disarmed_slots(&self) -> Result<(), String> {
        for Connection { flow, listener, .. } in &self.connections {
            let slot = self.groups.slot_of(*listener, flow.tuple);
            let Some((index, slot)) = slot.filter(|(_, slot)| !slot.is_armed()) else { continue };
            let host = self.groups.agent.host.borrow();
            let owner = host.target(slot.current).map(|target| target.address.to_ip(Family::V4));
            if flow.is_bound(self.steps.now) && owner != Some(address(flow.target)) {
                return Err(format!(
                    "slot {index} is not armed and belongs to {owner:?}, with a flow of {} ({} \
                     transitions)",
                    flow.target,
                    self.groups.transitions()
                ));
            }
        }
        Ok(())
    }
}
