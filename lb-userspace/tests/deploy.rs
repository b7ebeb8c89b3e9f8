//! What the package installs for an operator to change is right as it is.

use std::{fs, path::Path};

use clap::Parser as _;
use lb_agent::config_file;
use lb_log::LogFormat;
use lb_userspace::cli::Arguments;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap()
}

#[test]
fn the_example_of_a_configuration_is_valid() {
    let (_, _, warnings) = config_file::load(&Path::new(DEPLOY).join("xelb.yaml")).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// The value of a variable in /etc/default/xelb; a comment's, too.
fn value(name: &str) -> String {
    let text = read("default");
    let mut lines = text.lines().map(|line| line.trim_start_matches('#'));
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).trim_matches('"').to_owned()
}

#[test]
fn the_commands_of_the_units_are_understood() {
    for (unit, variable, options) in [
        ("systemd/xelb-agent.service", "$XELB_AGENT_OPTIONS", "XELB_AGENT_OPTIONS"),
        ("systemd/xelb-decap@.service", "$XELB_DECAP_OPTIONS", "XELB_DECAP_OPTIONS"),
        ("systemd/xelb-proxy.service", "$XELB_PROXY_OPTIONS", "XELB_PROXY_OPTIONS"),
    ] {
        let text = read(unit);
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/"));
        let line = line.unwrap_or_else(|| panic!("{unit} starts something else"));
        assert!(line.contains(variable), "{unit}: {line}");
        let line = line.replace(variable, &value(options)).replace("%i", "eth0");
        for more in ["", " --log-format json"] {
            let words = format!("{line}{more}");
            let arguments = Arguments::try_parse_from(words.split_whitespace())
                .unwrap_or_else(|error| panic!("{unit}: {error}"));
            let json = arguments.log_format() == LogFormat::Json;
            assert_eq!(json, !more.is_empty(), "{words}");
        }
    }
    assert_eq!(value("XELB_AGENT_OPTIONS"), "--config /etc/xelb/xelb.yaml");
    assert_eq!((value("XELB_LOG").as_str(), value("XELB_LOG_FORMAT").as_str()), ("info", "text"));
}
