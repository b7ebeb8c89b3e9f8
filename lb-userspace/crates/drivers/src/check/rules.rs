//! The rules that a driver is graded by. Each begins with an empty group.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use lb_members::{Answer, CallError, CallResult, ErrorClass, MemberState, Reported, Verb};
use tokio::time::{Instant, sleep};

use super::options::CheckOptions;
use crate::driver::{Driver, Request};

/// Why a rule is not kept.
pub(super) enum Broken {
    Rule(String),
    NotSupported,
}

type Examined<'a> = Pin<Box<dyn Future<Output = Result<(), Broken>> + Send + 'a>>;

/// How a rule is examined.
type Examine = for<'a> fn(&'a Examination<'a>) -> Examined<'a>;

/// The rules, in this order.
pub(super) const RULES: &[(&str, Examine)] = &[
    ("`list` of a new group is empty", |e| Box::pin(e.is_empty())),
    ("`end` of a member that does not exist succeeds", |e| Box::pin(e.ends_nothing())),
    ("a member runs, and `list` has it with its template", |e| Box::pin(e.launches())),
    ("`ensure` twice is one member", |e| Box::pin(e.ensures_twice())),
    ("members have addresses of their own", |e| Box::pin(e.two_members())),
    ("a member can be ended twice", |e| Box::pin(e.ends_twice())),
    ("`ensure` that is killed leaves one member at most", |e| Box::pin(e.is_killed_in_ensure())),
    ("`end` that is killed can be repeated", |e| Box::pin(e.is_killed_in_end())),
    ("two `ensure` at once are one member", |e| Box::pin(e.races_with_itself())),
    ("`ensure` of two names at once are two members", |e| Box::pin(e.races_for_addresses())),
    ("after `ensure` and `end` at once, `end` ends it", |e| Box::pin(e.races_with_the_end())),
    ("a stopped member is kept, and starts again", |e| Box::pin(e.stops_and_starts())),
];

/// A driver under examination.
pub(super) struct Examination<'a> {
    pub(super) driver: &'a dyn Driver,
    pub(super) options: &'a CheckOptions,
    pub(super) request: Request,
}

fn broken<T>(detail: impl Into<String>) -> Result<T, Broken> {
    Err(Broken::Rule(detail.into()))
}

fn address_of(member: &Reported) -> Option<SocketAddr> {
    member.address.zip(member.port).map(SocketAddr::from)
}

impl Examination<'_> {
    fn name(&self, number: u32) -> String {
        format!("{}-{}-{number}", self.options.group, self.options.run)
    }

    async fn call(&self, verb: Verb, name: &str, deadline: Duration) -> CallResult {
        self.driver.call(&self.request.with(verb, name), deadline).await
    }

    /// A call that must succeed. Errors that may pass are tried again.
    async fn must(&self, verb: Verb, name: &str) -> Result<Answer, Broken> {
        let mut last = CallError::new(ErrorClass::Transient, "");
        for _ in 0..5 {
            match self.call(verb, name, self.options.deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.class == ErrorClass::Transient => last = error,
                Err(error) => return broken(format!("`{verb} {name}`: {error}")),
            }
            sleep(self.options.poll_interval).await;
        }
        broken(format!("`{verb} {name}` fails 5 times: {last}"))
    }

    /// Members of this check that exist.
    async fn list(&self) -> Result<Vec<Reported>, Broken> {
        let Answer::Members(mut members) = self.must(Verb::List, "").await? else {
            return broken("`list` has no members in its answer");
        };
        members.retain(|member| member.state != MemberState::Ended);
        Ok(members)
    }

    async fn must_list(&self, expected: &[&str]) -> Result<(), Broken> {
        let members = self.list().await?;
        let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        if names != expected {
            return broken(format!("`list` has {names:?}, and not {expected:?}"));
        }
        Ok(())
    }

    /// Ensures a member until it runs.
    async fn runs(&self, name: &str) -> Result<SocketAddr, Broken> {
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

    /// Ends all that the check has left.
    pub(super) async fn clean_up(&self) {
        for member in self.list().await.unwrap_or_default() {
            let _next_rule_says_so = self.must(Verb::End, &member.name).await;
        }
    }

    async fn is_empty(&self) -> Result<(), Broken> {
        self.must_list(&[]).await
    }

    async fn ends_nothing(&self) -> Result<(), Broken> {
        self.must(Verb::End, &self.name(0)).await.map(drop)
    }

    async fn launches(&self) -> Result<(), Broken> {
        let name = self.name(1);
        let address = self.runs(&name).await?;
        self.must_list(&[&name]).await?;
        let members = self.list().await?;
        let Some(member) = members.first() else { return broken("it is not in `list`") };
        if member.template.as_deref() != Some(&self.options.template) {
            return broken(format!("`list` has template {:?}", member.template));
        }
        if address_of(member) != Some(address) || member.state != MemberState::Running {
            return broken(format!("`ensure` says {address}, `list` says {member:?}"));
        }
        Ok(())
    }

    async fn ensures_twice(&self) -> Result<(), Broken> {
        let name = self.name(2);
        let first = self.runs(&name).await?;
        let second = self.runs(&name).await?;
        if first != second {
            return broken(format!("it has {first} first, and then {second}"));
        }
        self.must_list(&[&name]).await
    }

    async fn two_members(&self) -> Result<(), Broken> {
        let (a, b) = (self.name(3), self.name(4));
        let (first, second) = (self.runs(&a).await?, self.runs(&b).await?);
        if first == second {
            return broken(format!("both have {first}"));
        }
        self.must_list(&[&a, &b]).await
    }

    async fn ends_twice(&self) -> Result<(), Broken> {
        let name = self.name(5);
        self.runs(&name).await?;
        self.must(Verb::End, &name).await?;
        self.must(Verb::End, &name).await?;
        self.must_list(&[]).await
    }

    async fn is_killed_in_ensure(&self) -> Result<(), Broken> {
        for (number, &after) in (10..).zip(&self.options.kill_after) {
            let name = self.name(number);
            drop(self.call(Verb::Ensure, &name, after).await);
            let first = self.runs(&name).await?;
            if self.runs(&name).await? != first {
                return broken(format!("killed after {after:?}, its address changes"));
            }
            self.must_list(&[&name]).await?;
            self.must(Verb::End, &name).await?;
            self.must_list(&[]).await?;
        }
        Ok(())
    }

    async fn is_killed_in_end(&self) -> Result<(), Broken> {
        for (number, &after) in (30..).zip(&self.options.kill_after) {
            let name = self.name(number);
            self.runs(&name).await?;
            drop(self.call(Verb::End, &name, after).await);
            self.must(Verb::End, &name).await?;
            self.must_list(&[]).await?;
        }
        Ok(())
    }

    async fn races_with_itself(&self) -> Result<(), Broken> {
        let name = self.name(50);
        let deadline = self.options.deadline;
        drop(tokio::join!(
            self.call(Verb::Ensure, &name, deadline),
            self.call(Verb::Ensure, &name, deadline),
            self.call(Verb::Ensure, &name, deadline),
        ));
        self.runs(&name).await?;
        self.must_list(&[&name]).await?;
        self.must(Verb::End, &name).await?;
        self.must_list(&[]).await
    }

    async fn races_for_addresses(&self) -> Result<(), Broken> {
        let (a, b) = (self.name(51), self.name(52));
        let (first, second) = tokio::join!(self.runs(&a), self.runs(&b));
        let (first, second) = (first?, second?);
        if first == second {
            return broken(format!("both have {first}"));
        }
        self.must_list(&[&a, &b]).await
    }

    async fn races_with_the_end(&self) -> Result<(), Broken> {
        let name = self.name(53);
        let deadline = self.options.deadline;
        drop(tokio::join!(
            self.call(Verb::Ensure, &name, deadline),
            self.call(Verb::End, &name, deadline),
        ));
        self.must(Verb::End, &name).await?;
        self.must_list(&[]).await
    }

    async fn stops_and_starts(&self) -> Result<(), Broken> {
        let name = self.name(54);
        self.runs(&name).await?;
        match self.call(Verb::Stop, &name, self.options.deadline).await {
            Err(error) if error.class == ErrorClass::Fatal => return Err(Broken::NotSupported),
            _ => drop(self.must(Verb::Stop, &name).await?),
        }
        let members = self.list().await?;
        if !members.iter().any(|m| m.name == name && m.state == MemberState::Stopped) {
            return broken(format!("`list` does not have it as stopped: {members:?}"));
        }
        self.must(Verb::Start, &name).await?;
        self.runs(&name).await?;
        self.must_list(&[&name]).await
    }
}
