//! A driver under examination: calls that must succeed, and what its group must have.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use tokio::time::{Instant, sleep};

use super::options::CheckOptions;
use crate::driver::{Driver, Request};

/// Why a rule is not kept.
pub(super) enum Broken {
    Rule(String),
    NotSupported,
    NotExamined(String),
}

/// What was seen, or why the rule is not kept.
pub(super) type Seen = Result<String, Broken>;

/// A driver under examination.
pub(super) struct Examination<'a> {
    pub(super) driver: &'a dyn Driver,
    pub(super) options: &'a CheckOptions,
    request: Request,
    /// How long the longest call of `ensure` and `end` has taken.
    longest: Mutex<[Duration; 2]>,
}

pub(super) fn broken<T>(detail: impl Into<String>) -> Result<T, Broken> {
    Err(Broken::Rule(detail.into()))
}

pub(super) fn address_of(member: &Reported) -> Option<SocketAddr> {
    member.address.zip(member.port).map(SocketAddr::from)
}

impl<'a> Examination<'a> {
    pub(super) fn new(driver: &'a dyn Driver, options: &'a CheckOptions) -> Self {
        let request = Request {
            verb: Verb::List,
            group: options.group.clone(),
            name: String::new(),
            template: options.template.clone(),
            parameters: options.parameters.clone(),
        };
        Self { driver, options, request, longest: Mutex::default() }
    }

    /// The beginning of all names of this check.
    pub(super) fn prefix(&self) -> String {
        format!("{}-{}", self.options.group, self.options.run)
    }

    pub(super) fn name(&self, number: u32) -> String {
        format!("{}-{number}", self.prefix())
    }

    pub(super) async fn call(&self, verb: Verb, name: &str, deadline: Duration) -> CallResult {
        self.call_with(self.driver, verb, name, deadline).await
    }

    pub(super) async fn call_with(
        &self,
        driver: &dyn Driver,
        verb: Verb,
        name: &str,
        deadline: Duration,
    ) -> CallResult {
        driver.call(&self.request.with(verb, name), deadline).await
    }

    /// What another group has.
    pub(super) async fn list_of(&self, group: &str) -> Result<Vec<Reported>, Broken> {
        let request = Request { group: group.to_owned(), ..self.request.clone() };
        match self.driver.call(&request, self.options.deadline).await {
            Ok(Answer::Members(members)) => Ok(members),
            Ok(_) => broken("`list` has no members in its answer"),
            Err(error) => broken(format!("`list` of group {group}: {error}")),
        }
    }

    /// A call that must succeed. Errors that may pass are tried again.
    pub(super) async fn must(&self, verb: Verb, name: &str) -> Result<Answer, Broken> {
        let mut last = CallError::new(ErrorClass::Transient, "");
        for _ in 0..5 {
            let begin = Instant::now();
            match self.call(verb, name, self.options.deadline).await {
                Ok(answer) => {
                    self.remember(verb, begin.elapsed());
                    return Ok(answer);
                }
                Err(error) if error.class == ErrorClass::Transient => last = error,
                Err(error) => return broken(format!("`{verb} {name}`: {error}")),
            }
            sleep(self.options.poll_interval).await;
        }
        broken(format!("`{verb} {name}` fails 5 times: {last}"))
    }

    fn remember(&self, verb: Verb, took: Duration) {
        let [ensure, end] = &mut *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        match verb {
            Verb::Ensure => *ensure = took.max(*ensure),
            Verb::End => *end = took.max(*end),
            _ => {}
        }
    }

    /// When calls of a verb are killed: as the options say and, if it has taken longer than that, at
    /// points of that time.
    pub(super) fn kill_points(&self, verb: Verb) -> Vec<Duration> {
        let [ensure, end] = *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = if verb == Verb::Ensure { ensure } else { end };
        let mut points = self.options.kill_after.clone();
        let latest = points.iter().max().copied().unwrap_or_default();
        let percents = [25, 50, 75, 95].map(|percent| longest * percent / 100);
        points.extend(percents.into_iter().filter(|point| *point > latest));
        points
    }

    /// Members of this group that exist.
    pub(super) async fn list(&self) -> Result<Vec<Reported>, Broken> {
        let Answer::Members(mut members) = self.must(Verb::List, "").await? else {
            return broken("`list` has no members in its answer");
        };
        members.retain(|member| member.state != MemberState::Ended);
        Ok(members)
    }

    pub(super) async fn must_list(&self, expected: &[&str]) -> Result<(), Broken> {
        let members = self.list().await?;
        let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        if names != expected {
            return broken(format!("`list` has {names:?}, and not {expected:?}"));
        }
        Ok(())
    }

    /// Ensures a member until it runs.
    pub(super) async fn runs(&self, name: &str) -> Result<SocketAddr, Broken> {
        let end = Instant::now() + self.options.launch_timeout;
        loop {
            let Answer::Member(member) = self.must(Verb::Ensure, name).await? else {
                return broken(format!("`ensure {name}` answers something else"));
            };
            match (member.state, address_of(&member)) {
                (MemberState::Running, Some(address)) => return Ok(address),
                (MemberState::Running, None) => {
                    return broken(format!("{name} runs without address and port"));
                }
                (MemberState::Failed | MemberState::Ended, _) => {
                    return broken(format!("{name} is {:?}", member.state));
                }
                _ if Instant::now() >= end => {
                    return broken(format!(
                        "{name} does not run after {:?}",
                        self.options.launch_timeout
                    ));
                }
                _ => sleep(self.options.poll_interval).await,
            }
        }
    }

    /// Names of members that this check has created and that exist. What else a driver lists may be
    /// of somebody else, and is left alone.
    pub(super) async fn own_members(&self) -> Result<Vec<String>, Broken> {
        let prefix = format!("{}-", self.prefix());
        let names = self.list().await?.into_iter().map(|member| member.name);
        Ok(names.filter(|name| name.starts_with(&prefix)).collect())
    }

    /// Ends all that the check has left.
    pub(super) async fn clean_up(&self) {
        for name in self.own_members().await.unwrap_or_default() {
            let _next_rule_says_so = self.must(Verb::End, &name).await;
        }
    }
}
