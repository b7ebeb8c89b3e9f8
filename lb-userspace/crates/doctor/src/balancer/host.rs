//! The kernel: its age, what it was built with, what is mounted.

use lb_dataplane::PreflightError;

use crate::{Finding, HostFacts};

const SUBJECT: &str = "host";
const JIT: &str = "bpf_jit";
/// Where the default of `--bpffs` is.
const USUAL: &str = "/sys/fs/bpf";

/// `used`: an agent runs, so that it has found a bpffs.
pub(super) fn check(host: &HostFacts, used: bool) -> Vec<Finding> {
    let mut findings = kernel(host);
    findings.push(btf(host));
    findings.push(jit(host));
    findings.push(bpffs(host, used));
    findings
}

fn kernel(host: &HostFacts) -> Vec<Finding> {
    let release = &host.preflight.kernel_release;
    let fine = || Finding::ok("kernel", SUBJECT, format!("Linux {release}"));
    match host.preflight.check() {
        Ok(()) => vec![fine()],
        Err(PreflightError::NotPermitted { missing }) => vec![
            fine(),
            Finding::warning(
                "privileges",
                SUBJECT,
                format!("this process lacks {missing}: it cannot read the names of programs"),
                "run xelb doctor as root",
            ),
        ],
        Err(error) => vec![Finding::error(
            "kernel",
            SUBJECT,
            error.to_string(),
            "install Linux 6.1 or newer and reboot",
        )],
    }
}

fn btf(host: &HostFacts) -> Finding {
    if host.btf {
        return Finding::ok("btf", SUBJECT, "the kernel describes its types (BTF)");
    }
    Finding::error(
        "btf",
        SUBJECT,
        "/sys/kernel/btf/vmlinux is missing: the kernel was built without BTF, which the BPF programs need",
        "run a kernel with CONFIG_DEBUG_INFO_BTF=y, for example that of your distribution",
    )
}

fn jit(host: &HostFacts) -> Finding {
    match host.jit {
        Some(0) => Finding::error(
            JIT,
            SUBJECT,
            "net.core.bpf_jit_enable is 0: without the JIT compiler, the kernel refuses xelb's \
             programs, which have both functions and tail calls",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Some(_) => Finding::ok(JIT, SUBJECT, "the JIT compiler for BPF programs is on"),
        None => Finding::ok(
            JIT,
            SUBJECT,
            "net.core.bpf_jit_enable is not visible in this network namespace; the host's setting \
             applies",
        ),
    }
}

fn bpffs(host: &HostFacts, used: bool) -> Finding {
    if host.bpffs.is_empty() {
        return Finding::error(
            "bpffs",
            SUBJECT,
            "no bpffs is mounted: an agent cannot pin its maps and links",
            "mount -t bpf bpf /sys/fs/bpf",
        );
    }
    let message = format!("bpffs at {}", host.bpffs.join(", "));
    if !used && !host.bpffs.iter().any(|place| place == USUAL) {
        return Finding::warning(
            "bpffs",
            SUBJECT,
            format!("{message}, but not at the default path of the agent"),
            format!(
                "mount -t bpf bpf {USUAL}, or `xelb agent --bpffs` with a folder in one of them"
            ),
        );
    }
    Finding::ok("bpffs", SUBJECT, message)
}

#[cfg(test)]
mod tests {
    use super::super::sound::found;
    use crate::Severity::{Error, Ok, Warning};

    #[test]
    fn an_old_kernel_is_an_error() {
        let finding = found("kernel", |facts| {
            "5.10.0".clone_into(&mut facts.host.preflight.kernel_release);
        });
        assert_eq!(finding.severity, Error);
        assert!(finding.message.contains("5.10.0"), "{finding:?}");
        assert!(finding.remedy.unwrap().contains("6.1"));
    }

    #[test]
    fn missing_rights_are_a_warning() {
        let finding = found("privileges", |facts| facts.host.preflight.capabilities = 0);
        assert_eq!(finding.severity, Warning);
        assert!(finding.message.contains("CAP_BPF"), "{finding:?}");
    }

    #[test]
    fn missing_kernel_features_are_findings() {
        assert_eq!(found("btf", |facts| facts.host.btf = false).severity, Error);
        assert_eq!(found("bpf_jit", |facts| facts.host.jit = Some(0)).severity, Error);
        assert_eq!(found("bpf_jit", |facts| facts.host.jit = None).severity, Ok);
        let bpffs = found("bpffs", |facts| facts.host.bpffs.clear());
        assert_eq!(bpffs.severity, Error);
        assert_eq!(bpffs.remedy.unwrap(), "mount -t bpf bpf /sys/fs/bpf");
        let unusual = |used: bool| {
            found("bpffs", |facts| {
                facts.host.bpffs = vec!["/run/bpf".to_owned()];
                if !used {
                    facts.agent = Err("nobody".to_owned());
                }
            })
        };
        assert_eq!((unusual(false).severity, unusual(true).severity), (Warning, Ok));
    }
}
