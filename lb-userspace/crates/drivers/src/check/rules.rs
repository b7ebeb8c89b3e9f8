//! The rules that a driver is graded by. Each begins with an empty group.

use std::{future::Future, pin::Pin, time::Duration};

use lb_members::{Answer, CallError, ErrorClass, MemberState, Verb};
use tokio::time::Instant;

use super::examination::{Broken, Examination, Seen, address_of, broken};

type Examined<'a> = Pin<Box<dyn Future<Output = Seen> + Send + 'a>>;

/// How a rule is examined.
type Examine = for<'a> fn(&'a Examination<'a>) -> Examined<'a>;

/// What a wrong clock is wrong by: what a host without a time server may have, in seconds.
const CLOCK_OFFSETS_SECONDS: [i64; 2] = [-86_400, 86_400];

/// The rules, in this order.
pub(super) const RULES: &[(&str, Examine)] = &[
    ("`list` of a new group is empty", |e| Box::pin(e.is_empty())),
    ("`end` of a member that does not exist succeeds", |e| Box::pin(e.ends_nothing())),
    ("a member runs, and `list` has it with its template", |e| Box::pin(e.launches())),
    ("`list` of another group does not have it", |e| Box::pin(e.is_of_one_group())),
    ("`ensure` twice is one member", |e| Box::pin(e.ensures_twice())),
    ("members have addresses of their own", |e| Box::pin(e.two_members())),
    ("a member can be ended twice", |e| Box::pin(e.ends_twice())),
    ("`ensure` that is killed leaves one member at most", |e| Box::pin(e.is_killed_in_ensure())),
    ("`end` that is killed can be repeated", |e| Box::pin(e.is_killed_in_end())),
    ("two `ensure` at once are one member", |e| Box::pin(e.races_with_itself())),
    ("`ensure` of two names at once are two members", |e| Box::pin(e.races_for_addresses())),
    ("after `ensure` and `end` at once, `end` ends it", |e| Box::pin(e.races_with_the_end())),
    ("with a wrong clock, nothing is lost or doubled", |e| Box::pin(e.has_a_wrong_clock())),
    ("calls of others are refused", |e| Box::pin(e.refuses_impostors())),
    ("a stopped member is kept, and starts again", |e| Box::pin(e.stops_and_starts())),
];

/// Durations of calls for people.
fn shown(durations: &[Duration]) -> String {
    let texts: Vec<String> =
        durations.iter().map(|duration| format!("{} ms", duration.as_millis())).collect();
    texts.join(", ")
}

impl Examination<'_> {
    async fn is_empty(&self) -> Seen {
        let members = self.list().await?;
        if members.is_empty() {
            return Ok(format!("group {}", self.options.group));
        }
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        broken(format!(
            "group {} has {}; `list` names members of the request's group only",
            self.options.group,
            names.join(", ")
        ))
    }

    async fn ends_nothing(&self) -> Seen {
        self.must(Verb::End, &self.name(0)).await?;
        Ok(String::new())
    }

    async fn launches(&self) -> Seen {
        let name = self.name(1);
        let begin = Instant::now();
        let address = self.runs(&name).await?;
        let took = begin.elapsed();
        self.must_list(&[&name]).await?;
        let members = self.list().await?;
        let Some(member) = members.first() else { return broken("it is not in `list`") };
        if member.template.as_deref() != Some(&self.options.template) {
            return broken(format!("`list` has template {:?}", member.template));
        }
        if address_of(member) != Some(address) || member.state != MemberState::Running {
            return broken(format!("`ensure` says {address}, `list` says {member:?}"));
        }
        Ok(format!("{address} after {:.1} s", took.as_secs_f64()))
    }

    async fn is_of_one_group(&self) -> Seen {
        let name = self.name(6);
        self.runs(&name).await?;
        // Names of groups may begin alike.
        for other in [format!("{}-other", self.options.group), format!("x-{}", self.options.group)]
        {
            if self.list_of(&other).await?.iter().any(|member| member.name == name) {
                return broken(format!("`list` of group {other} has {name}"));
            }
        }
        Ok(String::new())
    }

    async fn ensures_twice(&self) -> Seen {
        let name = self.name(2);
        let first = self.runs(&name).await?;
        let second = self.runs(&name).await?;
        if first != second {
            return broken(format!("it has {first} first, and then {second}"));
        }
        self.must_list(&[&name]).await?;
        Ok(format!("{first} twice"))
    }

    async fn two_members(&self) -> Seen {
        let (a, b) = (self.name(3), self.name(4));
        let (first, second) = (self.runs(&a).await?, self.runs(&b).await?);
        if first == second {
            return broken(format!("both have {first}"));
        }
        self.must_list(&[&a, &b]).await?;
        Ok(format!("{first} and {second}"))
    }

    async fn ends_twice(&self) -> Seen {
        let name = self.name(5);
        self.runs(&name).await?;
        let begin = Instant::now();
        self.must(Verb::End, &name).await?;
        let took = begin.elapsed();
        self.must(Verb::End, &name).await?;
        self.must_list(&[]).await?;
        Ok(format!("ended after {:.1} s", took.as_secs_f64()))
    }

    async fn is_killed_in_ensure(&self) -> Seen {
        let points = self.kill_points(Verb::Ensure);
        for (number, &after) in (10..).zip(&points) {
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
        Ok(format!("killed after {}", shown(&points)))
    }

    async fn is_killed_in_end(&self) -> Seen {
        let points = self.kill_points(Verb::End);
        for (number, &after) in (30..).zip(&points) {
            let name = self.name(number);
            self.runs(&name).await?;
            drop(self.call(Verb::End, &name, after).await);
            self.must(Verb::End, &name).await?;
            self.must_list(&[]).await?;
        }
        Ok(format!("killed after {}", shown(&points)))
    }

    async fn races_with_itself(&self) -> Seen {
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
        self.must_list(&[]).await?;
        Ok("three at once".to_owned())
    }

    async fn races_for_addresses(&self) -> Seen {
        let (a, b) = (self.name(51), self.name(52));
        let (first, second) = tokio::join!(self.runs(&a), self.runs(&b));
        let (first, second) = (first?, second?);
        if first == second {
            return broken(format!("both have {first}"));
        }
        self.must_list(&[&a, &b]).await?;
        Ok(format!("{first} and {second}"))
    }

    async fn races_with_the_end(&self) -> Seen {
        let name = self.name(53);
        let deadline = self.options.deadline;
        drop(tokio::join!(
            self.call(Verb::Ensure, &name, deadline),
            self.call(Verb::End, &name, deadline),
        ));
        self.must(Verb::End, &name).await?;
        self.must_list(&[]).await?;
        Ok(String::new())
    }

    /// A call with a wrong clock may fail, as with certificates that are not valid yet. If it
    /// succeeds, its answer is right.
    async fn has_a_wrong_clock(&self) -> Seen {
        let mut refused: Vec<CallError> = Vec::new();
        for (number, seconds) in (60..).zip(CLOCK_OFFSETS_SECONDS) {
            let driver = self.driver.with_clock_offset(seconds).map_err(Broken::NotExamined)?;
            let deadline = self.options.deadline;
            let name = self.name(number);
            let address = self.runs(&name).await?;
            match self.call_with(&*driver, Verb::List, "", deadline).await {
                Ok(Answer::Members(members)) if !members.iter().any(|m| m.name == name) => {
                    return broken(format!("with a clock {seconds:+} s, `list` does not have it"));
                }
                result => refused.extend(result.err()),
            }
            match self.call_with(&*driver, Verb::Ensure, &name, deadline).await {
                Ok(Answer::Member(member)) if address_of(&member) != Some(address) => {
                    return broken(format!(
                        "with a clock {seconds:+} s, `ensure` says {member:?}, and not {address}"
                    ));
                }
                result => refused.extend(result.err()),
            }
            self.must_list(&[&name]).await?;
            refused.extend(self.call_with(&*driver, Verb::End, &name, deadline).await.err());
            self.must(Verb::End, &name).await?;
            self.must_list(&[]).await?;
        }
        Ok(match refused.first() {
            None => "a day early and late".to_owned(),
            Some(error) => format!("{} calls failed, first: {error}", refused.len()),
        })
    }

    async fn refuses_impostors(&self) -> Seen {
        let impostors = self.driver.impostors();
        if impostors.is_empty() {
            return Err(Broken::NotExamined("only calls of webhooks are signed".to_owned()));
        }
        let mut seen = Vec::new();
        for (what, impostor) in &impostors {
            match self.call_with(&**impostor, Verb::List, "", self.options.deadline).await {
                Ok(_) => return broken(format!("a call {what} is answered")),
                Err(error) => seen.push(format!("{what}: {error}")),
            }
        }
        Ok(seen.join("; "))
    }

    async fn stops_and_starts(&self) -> Seen {
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
        self.must_list(&[&name]).await?;
        Ok(String::new())
    }
}
