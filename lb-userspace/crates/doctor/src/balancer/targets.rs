//! Targets that take no traffic until somebody does something: unhealthy ones, and drained ones that
//! were forgotten.

use lb_config::plural::counted;

use crate::{
    AgentFacts, Finding,
    alike::{Alike, alike},
};

/// Drained targets that are named.
const NAMED_MAX: usize = 5;

pub(super) fn check(agent: &AgentFacts) -> Vec<Finding> {
    let problems = agent.unhealthy.iter();
    let problems = problems.map(|one| (&*one.name, one.address, &*one.problem));
    let mut findings: Vec<Finding> = alike(problems).iter().map(unhealthy).collect();
    if let [first, ..] = agent.drained.as_slice() {
        let mut names: Vec<&str> = agent.drained.iter().take(NAMED_MAX).map(|one| &**one).collect();
        let more = format!("and {} more", agent.drained.len().saturating_sub(NAMED_MAX));
        if agent.drained.len() > NAMED_MAX {
            names.push(&more);
        }
        findings.push(Finding::warning(
            "drained_target",
            names.join(", "),
            format!(
                "{} out of service since somebody drained it, and its deregistration delay is over",
                if agent.drained.len() == 1 { "it is" } else { "each is" }
            ),
            format!("put it back with `xelb target undrain {first}`, or remove it"),
        ));
    }
    findings
}

fn unhealthy(found: &Alike) -> Finding {
    let Alike { names, count, problem, .. } = found;
    let fails = match count {
        1 => "its health check fails".to_owned(),
        many => format!("health checks of {} fail alike", counted(*many, "target")),
    };
    Finding::warning(
        "unhealthy_target",
        names,
        format!("{fails}: {problem}"),
        "check the server there, and that it answers what the health check asks; on a target: `xelb \
         doctor target`; docs/health-checks.md explains the reasons",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sound::{agent_of, found};
    use crate::{Severity::Warning, TargetProblem};

    #[test]
    fn unhealthy_targets_are_named() {
        let finding = found("unhealthy_target", |facts| {
            let one = |number: u8| TargetProblem {
                name: format!("web/10.0.0.{number}:80"),
                address: [10, 0, 0, number].into(),
                problem: format!("Target.Timeout: no answer of 10.0.0.{number}"),
            };
            agent_of(facts).unhealthy = vec![one(1), one(2)];
        });
        assert_eq!(finding.severity, Warning);
        assert_eq!(finding.subject, "web/10.0.0.1:80, web/10.0.0.2:80");
        assert_eq!(
            finding.message,
            "health checks of 2 targets fail alike: Target.Timeout: no answer of 10.0.0.1"
        );
    }

    #[test]
    fn forgotten_drains_are_named() {
        let finding = found("drained_target", |facts| {
            agent_of(facts).drained = vec!["web/10.0.0.1:80".to_owned()];
        });
        assert_eq!((finding.severity, &*finding.subject), (Warning, "web/10.0.0.1:80"));
        let remedy = finding.remedy.unwrap();
        assert!(remedy.contains("xelb target undrain web/10.0.0.1:80"), "{remedy}");
    }
}
