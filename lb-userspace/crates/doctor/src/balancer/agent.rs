//! The agent: whether one answers, and whether it has the configuration that it was given.

use lb_config::plural::counted;
use lb_plan::warning::{Harm, Warning};

use crate::{AgentFacts, Finding};

const SUBJECT: &str = "agent";

pub(super) fn check(agent: &Result<AgentFacts, String>) -> Finding {
    match agent {
        Err(reason) => Finding::warning(
            "agent",
            SUBJECT,
            format!("{reason}; targets and counters were not checked"),
            "start `xelb agent`, or give the path of its socket with --socket",
        ),
        Ok(agent) if !agent.last_error.is_empty() => Finding::error(
            "configuration",
            SUBJECT,
            format!(
                "its new configuration was refused, the previous one is in use: {}",
                agent.last_error
            ),
            "correct the configuration file; the agent reloads it at once",
        ),
        Ok(agent) => {
            let message =
                format!("version {}, {}", agent.version, counted(agent.targets.len(), "target"));
            Finding::ok("agent", SUBJECT, message)
        }
    }
}

/// Warnings of the agent: each is a finding with the name of its kind.
pub(super) fn warnings(agent: &AgentFacts) -> impl Iterator<Item = Finding> + '_ {
    let unknown = agent.unknown_warnings.iter().map(|text| {
        let remedy = "the agent is newer than this command: use the same version of both";
        Finding::warning("unknown_warning", SUBJECT, text, remedy)
    });
    let known = agent.warnings.iter().map(|Warning { kind, subject, text, .. }| {
        let subject = if subject.is_empty() { SUBJECT } else { subject };
        match kind.harm() {
            Harm::Loss => Finding::error(kind.name(), subject, text, kind.remedy()),
            Harm::Risk => Finding::warning(kind.name(), subject, text, kind.remedy()),
        }
    });
    known.chain(unknown)
}

#[cfg(test)]
mod tests {
    use lb_plan::warning;

    use super::super::sound::{agent_of, found};
    use crate::Severity::{Error, Warning};

    #[test]
    fn each_warning_of_the_agent_is_a_finding() {
        for kind in warning::WarningKind::ALL {
            let finding = found(kind.name(), |facts| {
                agent_of(facts).warnings.push(warning::Warning::new(*kind, "web", "why"));
            });
            let loss = kind.harm() == warning::Harm::Loss;
            assert_eq!(finding.severity, if loss { Error } else { Warning });
            assert_eq!((finding.subject.as_str(), finding.message.as_str()), ("web", "why"));
            assert_eq!(finding.remedy.as_deref(), Some(kind.remedy()));
        }
    }

    #[test]
    fn warnings_of_a_newer_agent_are_shown() {
        let finding = found("unknown_warning", |facts| {
            agent_of(facts).unknown_warnings.push("something new".to_owned());
        });
        assert_eq!((finding.severity, &*finding.message), (Warning, "something new"));
    }

    #[test]
    fn a_silent_agent_is_a_warning() {
        let finding = found("agent", |facts| facts.agent = Err("nobody answers".to_owned()));
        assert_eq!(finding.severity, Warning);
        assert!(finding.message.starts_with("nobody answers"), "{finding:?}");
    }

    #[test]
    fn a_refused_configuration_is_an_error() {
        let finding = found("configuration", |facts| {
            "x.yaml:3: no".clone_into(&mut agent_of(facts).last_error);
        });
        assert_eq!(finding.severity, Error);
        assert!(finding.message.contains("x.yaml:3"), "{finding:?}");
    }
}
