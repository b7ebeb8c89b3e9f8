//! The same targets behind HTTPS: two services at one address, told apart by the path.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Host, Lab, Process, Xelb,
    agent::{SOCKET, configuration_path},
    process::Task,
    topology::{VIP_V4, target_v4},
    wait,
};

use crate::screen::{Screen, time};

/// Whom the certificate is for.
const NAME: &str = "shop.example";
/// The longest that the demo waits for agent and proxy.
const PATIENCE: Duration = Duration::from_secs(8);
/// Requests for each service.
const REQUESTS: usize = 60;
/// Services, their paths, and who serves them.
const SERVICES: [(&str, &str, [u8; 2]); 2] = [("shop", "/", [1, 2]), ("order", "/order/", [3, 4])];

/// Adds an HTTPS listener to the configuration, starts `xelb proxy`, and asks for both services.
pub(crate) fn show(lab: &Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<Process> {
    screen.step(&format!(
        "HTTPS at the same address: {NAME} by t1 and t2, its /order/* by t3 and t4"
    ));
    let authority = certificate(lab.directory())?;
    let begun = Instant::now();
    let path = configuration_path(lab);
    let draft = path.with_extension("draft");
    fs::write(&draft, document(&authority))?;
    fs::rename(&draft, &path)?;
    let state = lab.directory().join("proxy").display().to_string();
    let arguments = ["proxy", "--socket", SOCKET, "--state-dir", &state, "--workers", "1"];
    let proxy = lab.lb().spawn(Task::new(xelb.program(), &arguments).log_to(&lab.log("proxy"))?)?;
    wait::until("both services answer", PATIENCE, || {
        for (_, path, targets) in SERVICES {
            let asked = ask(lab.client(1), &authority, path, 8);
            let answers = asked.map_err(|error| format!("{error:#}"))?;
            if answers.len() < targets.len() {
                return Err(format!("{path}: only {answers:?}"));
            }
        }
        Ok(())
    })?;
    screen.fact("rules and certificate in use after", time(begun.elapsed()));
    for (service, path, targets) in SERVICES {
        let mut answers = ask(lab.client(1), &authority, path, REQUESTS)?;
        let counted: Vec<(String, usize)> = targets
            .iter()
            .map(|number| format!("t{number}"))
            .map(|name| {
                let count = answers.remove(&name).unwrap_or(0);
                (name, count)
            })
            .collect();
        ensure!(answers.is_empty(), "{service}: others have answered: {answers:?}");
        let count: usize = counted.iter().map(|(_, count)| count).sum();
        screen.line(format!("client1 asks https://{NAME}{path}[1-{REQUESTS}]"));
        screen.bars(&counted);
        screen.fact("requests that failed", format!("{} of {REQUESTS}", REQUESTS - count));
    }
    for command in [["get", "rules"], ["get", "proxies"]] {
        let output = xelb.command(lab, &command)?.success()?;
        screen.command(&format!("xelb {}", command.join(" ")), &output);
    }
    Ok(proxy)
}

/// A certificate that vouches for itself, and its key, in files of this folder.
fn certificate(folder: &Path) -> anyhow::Result<PathBuf> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (certificate, key) = (folder.join("shop.pem"), folder.join("shop.key"));
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    Ok(certificate)
}

/// What the demo had before, and the listener with its groups.
fn document(certificate: &Path) -> String {
    let group = |(name, _, targets): &(&str, &str, [u8; 2])| {
        let [first, second] = targets.map(target_v4);
        format!(
            "  - {{ name: {name}, protocol: http, port: 80, targets: [{{ address: {first} }}, {{ address: {second} }}],
      health_check: {{ path: /healthz, interval: 200ms, timeout: 150ms, healthy_threshold: 2 }} }}\n"
        )
    };
    let groups = SERVICES.each_ref().map(group).concat();
    let listener = format!(
        "  - {{ name: https, address: {VIP_V4}, port: 443, protocol: https,
      certificates: [{{ certificate: {}, key: {} }}],
      rules: [{{ priority: 1, conditions: [{{ path: [/order/*] }}], action: {{ forward: {{ target_group: order }} }} }}],
      default_action: {{ forward: {{ target_group: shop }} }} }}\n",
        certificate.display(),
        certificate.with_extension("key").display()
    );
    Configuration::web(Forwarding::Ipip, &[1, 2, 3, 4])
        .to_yaml()
        .replace("target_groups:\n", &format!("target_groups:\n{groups}"))
        .replace("listeners:\n", &format!("listeners:\n{listener}"))
}

/// Asks so often, over one connection, and counts who has answered.
fn ask(
    client: &Host,
    authority: &Path,
    path: &str,
    count: usize,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let (resolve, url) =
        (format!("{NAME}:443:{VIP_V4}"), format!("https://{NAME}{path}[1-{count}]"));
    let authority = authority.display().to_string();
    let arguments =
        ["--silent", "--show-error", "--fail", "--cacert", &authority, "--resolve", &resolve, &url];
    let bodies = client.command("curl", &arguments, PATIENCE).context("asking with curl")?;
    let mut answers = BTreeMap::new();
    for name in bodies.lines() {
        *answers.entry(name.to_owned()).or_default() += 1;
    }
    Ok(answers)
}
