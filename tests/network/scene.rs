//! What the network tests have in common: a lab with `xelb` running in it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use anyhow::Context as _;
use lb_tests::{
    Configuration, Forwarding, Lab, Process, Xelb,
    agent::write_configuration,
    load::{Load, Pace, Samples},
    requirements,
    topology::VIPS,
    web,
};

/// The longest that a single request may take.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// The longest that `xelb` may take to notice something.
pub(crate) const NOTICE_LIMIT: Duration = Duration::from_secs(10);

/// The port of iperf3's server, for data and control, TCP and UDP.
pub(crate) const IPERF_PORT: u16 = 5201;

/// A way for packets to reach targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) forwarding: Forwarding,
    /// Targets are known by addresses of the other family than the VIP's.
    pub(crate) crossed: bool,
}

pub(crate) const MODES: [Mode; 5] = [
    Mode { name: "ipip, 4-in-4 and 6-in-6", forwarding: Forwarding::Ipip, crossed: false },
    Mode { name: "ipip, 4-in-6 and 6-in-4", forwarding: Forwarding::Ipip, crossed: true },
    Mode {
        name: "gue variant 1, 4-in-4 and 6-in-6",
        forwarding: Forwarding::Gue { variant: 1 },
        crossed: false,
    },
    Mode {
        name: "gue variant 0, 4-in-6 and 6-in-4",
        forwarding: Forwarding::Gue { variant: 0 },
        crossed: true,
    },
    Mode { name: "l2dsr", forwarding: Forwarding::L2dsr, crossed: false },
];

/// Labs run in parallel, since each has its own namespaces; measurements run alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// The machine for a test that others do not disturb. A test that failed does not keep it.
pub(crate) fn shared_machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// The machine for a test that measures times or rates. Such tests are in `alone`, so that they do not keep others
/// waiting.
pub(crate) fn machine_alone() -> RwLockWriteGuard<'static, ()> {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(test == "main" || test.starts_with("alone::"), "{test} is not in the module `alone`");
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `body` in its own lab, in parallel with others.
pub(crate) fn in_lab<T: Send + 'static>(
    targets: u8,
    body: impl FnOnce(&mut Lab) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let _machine = shared_machine();
    requirements::check(requirements::TEST_TOOLS)?;
    lb_tests::lab::run(targets, body)
}

/// Runs `body` in its own lab while no other runs.
pub(crate) fn in_lab_alone<T: Send + 'static>(
    targets: u8,
    body: impl FnOnce(&mut Lab) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let _machine = machine_alone();
    requirements::check(requirements::TEST_TOOLS)?;
    lb_tests::lab::run(targets, body)
}

/// `xelb` in a lab: the agent on the balancer, decapsulators on the targets. They end when it is
/// dropped.
pub(crate) struct Scene {
    pub(crate) xelb: Xelb,
    pub(crate) agent: Process,
    _decaps: Vec<Process>,
}

impl Scene {
    /// Starts everything and waits until all targets of the configuration are healthy.
    pub(crate) fn start(lab: &Lab, configuration: &Configuration) -> anyhow::Result<Self> {
        let xelb = Xelb::find(None)?;
        let tunnels = configuration.groups.iter().any(|group| group.forwarding.is_tunnel());
        let decaps = lab
            .targets()
            .iter()
            .filter(|_| tunnels)
            .map(|target| xelb.decap(lab, target))
            .collect::<Result<_, _>>()?;
        Self::start_with(lab, configuration, decaps)
    }

    /// The same where the decapsulators run already.
    pub(crate) fn start_with(
        lab: &Lab,
        configuration: &Configuration,
        decaps: Vec<Process>,
    ) -> anyhow::Result<Self> {
        let xelb = Xelb::find(None)?;
        write_configuration(lab, configuration)?;
        let agent = xelb.agent(lab)?;
        xelb.wait_healthy(lab, configuration.target_count(), NOTICE_LIMIT)?;
        Ok(Self { xelb, agent, _decaps: decaps })
    }
}

/// Runs `body` in each mode, with `targets` targets in its own lab, all services behind both VIPs.
pub(crate) fn in_every_mode(
    targets: u8,
    body: fn(Mode, &Lab, &Scene) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(targets, move |lab| {
            let numbers: Vec<u8> = (1..=targets).collect();
            let configuration = Configuration::everything(mode.forwarding, mode.crossed, &numbers);
            let scene = Scene::start(lab, &configuration)?;
            body(mode, lab, &scene)
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// The web service at a VIP.
pub(crate) fn web_at(vip: IpAddr) -> SocketAddr {
    (vip, web::PORT).into()
}

/// Its URL.
pub(crate) fn url(vip: IpAddr, path: &str) -> String {
    format!("http://{}{path}", web_at(vip))
}

/// Load from client1 to the IPv4 VIP and from client2 to the IPv6 one.
pub(crate) fn load(lab: &Lab) -> anyhow::Result<Load> {
    let [v4, v6] = VIPS.map(web_at);
    Ok(Load::start(&[(lab.client(1), v4), (lab.client(2), v6)], Pace::default())?)
}

/// Fails when a request did, or when there were fewer than `least`.
pub(crate) fn expect_no_failure(samples: &Samples, least: usize) {
    assert!(
        samples.failures().is_empty(),
        "{} of {} requests failed: {}",
        samples.failures().len(),
        samples.len(),
        samples.failure_summary()
    );
    assert!(samples.len() >= least, "only {} requests in all", samples.len());
}
