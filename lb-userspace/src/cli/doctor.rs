//! `xelb doctor`.

use std::{fmt::Write as _, net::IpAddr, path::Path};

use clap::{Args, Subcommand};
use lb_api::{Client, FindingSeverity as Severity, FindingView, HostDoctor, LookError, Transport};
use lb_doctor::{
    Finding, Forwarding, balancer_findings,
    gather::{self, TargetQuestion},
    target_findings,
};
use tokio::{runtime::Builder, task::spawn_blocking};

use super::{Socket, output::Format, part_change::wrong};

/// Check a balancer or a target: show problems and their remedies
///
/// Without `target`, it checks the balancer that it runs on: kernel, interfaces and their drivers,
/// offloads, queues and interrupts, the agent, next hops and MTU towards each target, and drop
/// reasons. With --server or a context, the agent there checks its host. Nothing is changed. Every
/// warning and error has a remedy.
///
/// Exit codes: 0 no error was found (warnings do not count), 1 an error was found, 2 wrong usage.
///
/// Example: xelb doctor
///
/// Example: xelb doctor --interface eth0 -o json
///
/// Example: xelb doctor --server https://lb1.example.org:7443 --token-file token
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Doctor {
    #[command(subcommand)]
    what: Option<What>,
    /// Interface of this host that clients' packets arrive at; may be repeated [default: those of the
    /// agent]
    #[arg(long = "interface", value_name = "IFACE")]
    interfaces: Vec<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Debug, Subcommand)]
enum What {
    Target(DoctorTarget),
}

/// Check the target that it runs on; needs no agent
///
/// It checks whether the VIP is local, packets are unwrapped and a server listens, whether reverse
/// path filter, ARP and MTU let clients' packets through, and whether answers have a route. The
/// checks depend on --mode, the `forwarding` of the target's group.
///
/// Exit codes: 0 no error was found (warnings do not count), 1 an error was found, 2 wrong usage.
///
/// Example: xelb doctor target --vip 203.0.113.10 --port 80
///
/// Example: xelb doctor target --vip 203.0.113.10 --vip 2001:db8::10 --mode l2dsr
#[derive(Debug, Args)]
struct DoctorTarget {
    /// Address that clients use; may be repeated
    #[arg(long = "vip", value_name = "ADDRESS", required = true)]
    vips: Vec<IpAddr>,
    /// Interface that packets of the balancer arrive at [default: interface of the default route]
    #[arg(long, value_name = "IFACE")]
    interface: Option<String>,
    /// How packets reach this target: the `forwarding` of its group
    #[arg(long, value_name = "MODE", default_value = "ipip")]
    mode: Forwarding,
    /// Port of the target's server, to check whether it listens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Address of the balancer, to check with --mode nat that answers go through it
    #[arg(long, value_name = "ADDRESS")]
    balancer: Option<IpAddr>,
    #[command(flatten)]
    format: Format,
}

impl Doctor {
    /// Whether no error was found.
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        let (findings, format) = match self.what {
            None => (balancer(&self.socket, &self.interfaces).await?, self.format),
            Some(What::Target(DoctorTarget { vips, interface, mode, port, balancer, format })) => {
                let question = TargetQuestion { vips, interface, forwarding: mode, port, balancer };
                let findings = target_findings(&gather::target(question).await?);
                (findings.into_iter().map(view).collect(), format)
            }
        };
        format.print(&findings, |findings| render(findings))?;
        Ok(count(&findings, Severity::Error) == 0)
    }
}

/// What is found on this host, or by an agent on another one on its host.
async fn balancer(socket: &Socket, interfaces: &[String]) -> anyhow::Result<Vec<FindingView>> {
    let transport = socket.transport()?;
    if !matches!(transport, Transport::Tls(_)) {
        let facts = gather::balancer(&Client::by(transport), interfaces).await?;
        return Ok(balancer_findings(&facts).into_iter().map(view).collect());
    }
    if !interfaces.is_empty() {
        return Err(wrong(
            "an agent on another host looks at its own interfaces: leave --interface out"
                .to_owned(),
        ));
    }
    Ok(Client::by(transport).doctor().await?)
}

/// What the agent with this socket finds on its host, for its API.
pub(super) fn host_doctor(socket: &Path) -> HostDoctor {
    let socket = socket.to_owned();
    HostDoctor::new(move || {
        let socket = socket.clone();
        Box::pin(async move {
            // It reads files and asks drivers, for which requests must not wait.
            let look = spawn_blocking(move || {
                let runtime = Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| failed(error.to_string()))?;
                runtime.block_on(async {
                    let facts = gather::balancer(&Client::new(&socket), &[]).await;
                    let facts = facts.map_err(|error| LookError {
                        is_usage: error.is_usage(),
                        message: format!("{:#}", anyhow::Error::new(error)),
                    })?;
                    Ok(balancer_findings(&facts).into_iter().map(view).collect())
                })
            });
            look.await.unwrap_or_else(|error| Err(failed(error.to_string())))
        })
    })
}

const fn failed(message: String) -> LookError {
    LookError { is_usage: false, message }
}

/// The finding as the API gives it.
fn view(finding: Finding) -> FindingView {
    let Finding { severity, check, subject, message, remedy } = finding;
    let severity = match severity {
        lb_doctor::Severity::Ok => Severity::Ok,
        lb_doctor::Severity::Warning => Severity::Warning,
        lb_doctor::Severity::Error => Severity::Error,
    };
    FindingView { severity, check: check.to_owned(), subject, message, remedy }
}

fn count(findings: &[FindingView], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// Findings by subject, each remedy on lines of its own, and the sum of it at the end.
fn render(findings: &[FindingView]) -> String {
    let mut subjects: Vec<&str> = Vec::new();
    for finding in findings {
        if !subjects.contains(&finding.subject.as_str()) {
            subjects.push(&finding.subject);
        }
    }
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for subject in subjects {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{subject}");
        for finding in findings.iter().filter(|finding| finding.subject == subject) {
            let FindingView { check, message, remedy, .. } = finding;
            let word = word(finding.severity);
            let _written = writeln!(text, "  {word:<7}  {check:<width$}  {message}");
            for line in remedy.iter().flat_map(|remedy| remedy.lines()) {
                let _written = writeln!(text, "  {:<7}  {:<width$}  -> {line}", "", "");
            }
        }
        text.push('\n');
    }
    let [errors, warnings] =
        [Severity::Error, Severity::Warning].map(|severity| count(findings, severity));
    let _written = writeln!(
        text,
        "{}, {}, {} ok",
        counted(errors, "error"),
        counted(warnings, "warning"),
        count(findings, Severity::Ok)
    );
    text
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
    }
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::*;

    fn finding(severity: Severity, subject: &str, check: &str) -> FindingView {
        let remedy = (severity != Severity::Ok).then(|| "do this\nthen that".to_owned());
        let (subject, message) = (subject.to_owned(), "it is so".to_owned());
        FindingView { severity, check: check.to_owned(), subject, message, remedy }
    }

    #[test]
    fn findings_are_grouped_with_remedies_below() {
        let findings = [
            finding(Severity::Ok, "eth0", "link"),
            finding(Severity::Error, "203.0.113.10", "vip_local"),
            finding(Severity::Warning, "eth0", "mtu"),
        ];
        assert_eq!(
            render(&findings),
            "eth0\n\
             \x20 ok       link       it is so\n\
             \x20 WARNING  mtu        it is so\n\
             \x20                     -> do this\n\
             \x20                     -> then that\n\
             \n\
             203.0.113.10\n\
             \x20 ERROR    vip_local  it is so\n\
             \x20                     -> do this\n\
             \x20                     -> then that\n\
             \n\
             1 error, 1 warning, 1 ok\n"
        );
    }

    /// The JSON of the API is that of the doctor itself.
    #[test]
    fn views_have_the_json_of_findings() {
        for severity in
            [lb_doctor::Severity::Ok, lb_doctor::Severity::Warning, lb_doctor::Severity::Error]
        {
            let remedy = (severity != lb_doctor::Severity::Ok).then(|| "do this".to_owned());
            let (subject, message) = ("eth0".to_owned(), "it is so".to_owned());
            let finding = Finding { severity, check: "mtu", subject, message, remedy };
            let expected = serde_json::to_string(&finding).unwrap();
            assert_eq!(serde_json::to_string(&view(finding)).unwrap(), expected);
        }
    }

    #[test]
    fn json_is_as_documented() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
        let page = fs::read_to_string(page).unwrap();
        let block = page.split("<!-- checked: doctor -->\n```json\n").nth(1).unwrap();
        let documented: Vec<Value> =
            serde_json::from_str(block.split("```").next().unwrap()).unwrap();
        let severities = [Severity::Ok, Severity::Error];
        assert_eq!(documented.len(), severities.len());
        for (documented, severity) in documented.iter().zip(severities) {
            let real = serde_json::to_value(finding(severity, "eth0", "mtu")).unwrap();
            assert_eq!(documented["severity"], real["severity"]);
            let keys =
                |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
            assert_eq!(keys(documented), keys(&real));
        }
    }
}
