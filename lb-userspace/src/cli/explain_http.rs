//! `xelb explain http`.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use lb_config::Config;
use lb_proxy_control::{
    ExplainedTarget, HttpExplainView, HttpQuestion, ServedListeners, TriedRule, explain_http,
};

use super::{Socket, input, output::Format};

/// Show which rule of `xelb proxy` a request matches, and why not the rules before it
///
/// The rules are tried in their order, as the proxy does. The output has the first condition that
/// failed of each rule, the rule that matches, its transforms and header changes, its action, and
/// the targets that may get the request. Nothing is sent.
///
/// A listener of tls knows no requests: the error names it, and where its bytes go.
///
/// Without --config, the agent says what it serves, and how its targets are.
///
/// Example: xelb explain http GET https://shop.example/order/7
///
/// Example: xelb explain http GET http://shop.example/ -H x-canary:1 --from 198.51.100.7
///
/// Example: xelb explain http POST https://203.0.113.10/ -H host:shop.example --config xelb.yaml
#[derive(Debug, Args)]
pub(super) struct ExplainHttp {
    /// Method of the request, such as GET
    method: String,
    /// URL of the request; scheme and port say which listener gets it
    url: String,
    /// Header field of the request; may be repeated. `Host` replaces the host of the URL
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Address of the client [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
    /// Listener that gets the request, if several have the port
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Explain with this configuration file, or directory of *.yaml files, and ask no agent: the states
    /// of targets are not known; - is the standard input
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl ExplainHttp {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let question = HttpQuestion {
            method: self.method,
            url: self.url,
            headers: self.headers,
            from: self.from.map(|address| address.to_string()),
            listener: self.listener,
        };
        let view = match self.config {
            Some(file) => {
                let (_, config, _) = input::configuration_of_elsewhere(&file)?;
                let groups = &config.http_target_groups;
                explain_http(&served(&config), groups, |_| None, &question)?
            }
            None => self.socket.client()?.explain_http(&question).await?,
        };
        self.format.print(&view, render)
    }
}

fn served(config: &Config) -> ServedListeners<'_> {
    ServedListeners { http: &config.http_listeners, tls: &config.tls_listeners }
}

/// One fact a line.
fn render(view: &HttpExplainView) -> String {
    let mut lines = Vec::new();
    let mut add = |name: &str, values: &[String]| {
        for (number, value) in values.iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            lines.push(format!("{name:<13} {value}"));
        }
    };
    add("listener", std::slice::from_ref(&view.listener));
    let HttpExplainView { method, host, path, from, .. } = view;
    let query = view.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let url = if path == "*" { format!("* (host {host})") } else { format!("{host}{path}{query}") };
    let url = if path.is_empty() { String::new() } else { format!(" {url}") };
    add("request", &[format!("{method}{url} from {from}")]);
    let tried: Vec<String> = view.tried.iter().map(tried).collect();
    add("tried", &tried);
    add("rule", view.rule.as_slice());
    add("transforms", &view.transforms);
    add("headers", &view.headers);
    add("action", view.action.as_slice());
    let status = view.status.map(|status| status.to_string());
    add("status", status.as_slice());
    add("refused", view.refused.as_slice());
    add("location", view.location.as_slice());
    let groups: Vec<String> = view
        .target_groups
        .iter()
        .map(|group| format!("{} gets {}", group.name, percent(group.share)))
        .collect();
    add("target group", &groups);
    add("stickiness", &view.stickiness);
    let targets: Vec<String> = view.targets.iter().map(target).collect();
    add("target", &targets);
    add("note", &view.notes);
    lines.join("\n") + "\n"
}

fn tried(tried: &TriedRule) -> String {
    let TriedRule { rule, priority, failed } = tried;
    let found = failed.as_deref().unwrap_or("all conditions hold");
    format!("{priority} {rule}: {found}")
}

fn target(target: &ExplainedTarget) -> String {
    let ExplainedTarget { group, target, state, share } = target;
    format!("{group}/{target} is {state}, gets {}", percent(*share))
}

fn percent(share: f64) -> String {
    if share <= 0.0 {
        return "none".to_owned();
    }
    let percent = share * 100.0;
    if percent.fract() < 0.05 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_is_a_line() {
        let config = "interfaces: [eth0]\ntarget_groups:\n  - { name: web, protocol: http, port: 80, targets: \
                      [{ address: 10.0.0.1, weight: 1 }, { address: 10.0.0.2, weight: 2 }] }\nlisteners:\n  - { name: \
                      shop, address: 203.0.113.1, port: 80, protocol: http, rules: [{ name: old, priority: 5, conditions: \
                      [{ path: [/old] }], action: { redirect: { path: /new, status: 301 } } }], default_action: { forward: \
                      { target_group: web } } }\n";
        let (_, config, _) = lb_config::parse(config, "x").unwrap();
        let of = |url: &str| {
            let question =
                HttpQuestion { method: "GET".into(), url: url.into(), ..HttpQuestion::default() };
            let groups = &config.http_target_groups;
            render(&explain_http(&served(&config), groups, |_| None, &question).unwrap())
        };
        assert_eq!(
            of("http://Shop.example/a/../b?c=1"),
            "listener      shop\n\
             request       GET shop.example/b?c=1 from 127.0.0.1\n\
             tried         5 old: condition 1 (path) does not hold: path is \"/b\"\n\
             rule          default\n\
             action        forward\n\
             target group  web gets 100 %\n\
             target        web/10.0.0.1:80 is unknown, gets 33.3 %\n\
             \x20             web/10.0.0.2:80 is unknown, gets 66.7 %\n"
        );
        assert_eq!(
            of("http://shop.example/old"),
            "listener      shop\n\
             request       GET shop.example/old from 127.0.0.1\n\
             tried         5 old: all conditions hold\n\
             rule          old\n\
             action        redirect\n\
             status        301\n\
             location      http://shop.example/new\n"
        );
    }
}
