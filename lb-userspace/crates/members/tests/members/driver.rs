//! A hostile driver on virtual time: it hangs, loses answers, creates and forgets, runs out of quota,
//! lies in `list`, and is slow. With no faults, it is honest.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use lb_members::{Answer, Call, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};

/// The port of all members.
pub(crate) const PORT: u16 = 8080;
/// How long a member boots, in seconds.
const BOOT: u64 = 20;

/// Numbers that are the same for the same seed: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound.max(1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A member that the driver has.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) template: String,
    pub(crate) runs_from: u64,
    pub(crate) stopped: bool,
    pub(crate) address: Ipv4Addr,
    pub(crate) sick: bool,
}

pub(crate) struct Driver {
    pub(crate) instances: BTreeMap<String, Instance>,
    /// How often each name was created.
    pub(crate) created: BTreeMap<String, u32>,
    /// Effects that come later than their calls.
    pub(crate) late: Vec<(u64, Call)>,
    /// How many of a hundred calls are met by a fault.
    pub(crate) faults: u64,
    pub(crate) quota: usize,
    pub(crate) has_stop: bool,
    /// Launches with this template fail.
    pub(crate) bad_template: Option<String>,
    pub(crate) random: Random,
    addresses: u32,
}

/// What becomes of a call: the answer and how many seconds it takes; `None` is never.
pub(crate) type Reaction = Option<(u64, CallResult)>;

impl Driver {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            instances: BTreeMap::new(),
            created: BTreeMap::new(),
            late: Vec::new(),
            faults: 0,
            quota: usize::MAX,
            has_stop: true,
            bad_template: None,
            random: Random(seed),
            addresses: 0,
        }
    }

    /// Effects that are due now.
    pub(crate) fn advance(&mut self, now: u64) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.late).into_iter().partition(|(when, ..)| *when <= now);
        self.late = later;
        for (_, call) in due {
            drop(self.honest(&call, now));
        }
    }

    pub(crate) fn call(&mut self, call: &Call, now: u64) -> Reaction {
        if !self.random.percent(self.faults) {
            return Some((0, self.honest(call, now)));
        }
        let error = |class| Err(CallError::new(class, "injected"));
        match self.random.below(10) {
            // It hangs and does nothing.
            0 => None,
            // Its answer is lost.
            1 => {
                drop(self.honest(call, now));
                None
            }
            // It is slow, maybe slower than the deadline.
            2 => {
                let answer = self.honest(call, now);
                Some((self.random.below(60), answer))
            }
            // What it does comes after the call has been killed.
            3 => {
                let when = now + self.random.below(300);
                self.late.push((when, call.clone()));
                None
            }
            // It creates and forgets.
            4 => {
                drop(self.honest(call, now));
                Some((1, error(ErrorClass::Transient)))
            }
            5 => Some((0, error(ErrorClass::Quota))),
            6 => Some((0, error(ErrorClass::Capacity))),
            7 => Some((0, error(ErrorClass::Fatal))),
            // Garbage: not the answer to this call.
            8 => Some((
                0,
                Ok(if call.verb == Verb::List {
                    Answer::Done
                } else {
                    Answer::Members(Vec::new())
                }),
            )),
            _ => Some((0, Ok(self.lie(call, now)))),
        }
    }

    fn create(&mut self, name: &str, template: &str, now: u64) {
        if self.instances.contains_key(name) {
            return;
        }
        *self.created.entry(name.to_owned()).or_default() += 1;
        self.addresses += 1;
        let address = Ipv4Addr::from(0x0a00_0000 + self.addresses);
        let template = template.to_owned();
        let instance =
            Instance { template, runs_from: now + BOOT, stopped: false, address, sick: false };
        self.instances.insert(name.to_owned(), instance);
    }

    fn honest(&mut self, call: &Call, now: u64) -> CallResult {
        let name = call.name.as_str();
        match call.verb {
            Verb::List => Ok(Answer::Members(self.list(now))),
            Verb::End => {
                self.instances.remove(name);
                Ok(Answer::Done)
            }
            Verb::Ensure => {
                if self.bad_template.as_ref() == Some(&call.template) {
                    return Err(CallError::new(ErrorClass::Fatal, "this template does not boot"));
                }
                if !self.instances.contains_key(name) && self.instances.len() >= self.quota {
                    return Err(CallError::new(ErrorClass::Quota, "quota reached"));
                }
                self.create(name, &call.template, now);
                self.describe(name, now)
            }
            Verb::Stop if !self.has_stop => Err(CallError::new(ErrorClass::Fatal, "no `stop`")),
            Verb::Stop | Verb::Start => {
                let Some(instance) = self.instances.get_mut(name) else {
                    return Err(CallError::new(ErrorClass::Fatal, "it does not exist"));
                };
                instance.stopped = call.verb == Verb::Stop;
                instance.runs_from = now + 2;
                Ok(Answer::Done)
            }
            Verb::Describe => self.describe(name, now),
        }
    }

    fn describe(&self, name: &str, now: u64) -> CallResult {
        let member = self.instances.get(name).map(|instance| reported(name, instance, now));
        member.map(Answer::Member).ok_or_else(|| CallError::new(ErrorClass::Fatal, "not found"))
    }

    fn list(&self, now: u64) -> Vec<Reported> {
        self.instances.iter().map(|(name, instance)| reported(name, instance, now)).collect()
    }

    /// An answer in the right form that is wrong.
    fn lie(&mut self, call: &Call, now: u64) -> Answer {
        let mut members = self.list(now);
        let kind = self.random.below(5);
        let phantom = |name: String| Reported {
            name,
            state: MemberState::Running,
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            port: Some(PORT),
            template: None,
            error: None,
        };
        match call.verb {
            Verb::List if kind == 0 => members.clear(),
            Verb::List if kind == 1 => members.retain(|_| self.random.percent(50)),
            Verb::List if kind == 2 => members.extend(members.clone()),
            Verb::List if kind == 3 => {
                members.push(phantom("web-beef-7".to_owned()));
                members.push(phantom("somebody-else".to_owned()));
            }
            Verb::List => members.iter_mut().for_each(|member| member.state = MemberState::Failed),
            Verb::Ensure if kind == 0 => {
                return Answer::Member(phantom("web-0001-999".to_owned()));
            }
            // It says that it runs, and does not exist.
            Verb::Ensure => return Answer::Member(phantom(call.name.clone())),
            // It says that it is done, and does nothing.
            _ => return Answer::Done,
        }
        Answer::Members(members)
    }
}

fn reported(name: &str, instance: &Instance, now: u64) -> Reported {
    let runs = instance.runs_from <= now && !instance.stopped;
    Reported {
        name: name.to_owned(),
        state: match (instance.stopped, runs) {
            (true, _) => MemberState::Stopped,
            (false, true) => MemberState::Running,
            (false, false) => MemberState::Launching,
        },
        address: runs.then_some(IpAddr::V4(instance.address)),
        port: runs.then_some(PORT),
        template: Some(instance.template.clone()),
        error: None,
    }
}
