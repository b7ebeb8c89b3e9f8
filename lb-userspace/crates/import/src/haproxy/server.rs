//! `server` lines: address, weight, check, and what has no counterpart.

use std::collections::BTreeSet;

use lb_config::TargetAddress;

use super::{
    place,
    sections::Statement,
    settings::{Request, Settings},
    tables,
};
use crate::{
    address, duration,
    ledger::Ledger,
    remark::brief,
    service::{Check, Probe, Server},
};

/// Words without a value.
const FLAGS: [&str; 5] = ["check", "backup", "disabled", "ssl", "check-ssl"];

/// What the words of a server say; those of `default-server` first.
#[derive(Debug, Default)]
struct Options {
    /// Those of [`FLAGS`] that it has.
    flags: BTreeSet<&'static str>,
    inter_ms: Option<u64>,
    fall: Option<u64>,
    rise: Option<u64>,
    weight: Option<u32>,
    port: Option<u16>,
    check_sni: Option<String>,
    slow_start_s: Option<u64>,
}

impl Options {
    fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

/// A server as it is imported.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) server: Server,
    pub(super) check: Option<Check>,
    pub(super) slow_start_s: Option<u64>,
}

/// Reads a line; `None`, with a remark, when it has no counterpart.
pub(super) fn read(
    statement: &Statement,
    settings: &Settings,
    ledger: &mut Ledger,
) -> Option<Read> {
    let line = statement.line;
    let mut options = Options::default();
    // What has no counterpart in `default-server` is told for its own line.
    words(&settings.default_server, &mut options, None, ledger);
    // `server-template` has a number of servers before the address.
    let is_template = statement.word(0) == "server-template";
    let at = if is_template { 3 } else { 2 };
    words(statement.words.get(at + 1..).unwrap_or_default(), &mut options, Some(line), ledger);
    let backup = options.has("backup");
    if backup {
        ledger.changed(
            line,
            "a backup server: HAProxy uses one backup (all with `option allbackups`) when no other \
             server is up; xelb uses all backup targets while fewer than `backup_threshold` (1) others \
             are healthy",
        );
    }
    if options.has("ssl") {
        ledger.hand(
            line,
            "ssl: HAProxy encrypts to this server; xelb passes on what clients send, so that clients \
             must speak TLS with the target",
        );
        return None;
    }
    let (address, port) = match place::server(statement.word(at)) {
        Ok(place) => place,
        Err(message) => {
            ledger.hand(line, format!("server {}: {message}", brief(statement.word(1))));
            return None;
        }
    };
    if let TargetAddress::Name(name) = &address {
        let how_many = if is_template { "as many as there are" } else { "not one alone" };
        ledger.changed(
            line,
            format!(
                "{name} is a name: all its addresses become targets, {how_many} (64 at most), and xelb \
                 asks again whenever their time to live is over"
            ),
        );
    }
    let mut weight = options.weight.unwrap_or(1);
    if options.has("disabled") {
        weight = 0;
        ledger.changed(line, "disabled becomes weight 0: the target takes no new flows");
    } else if weight == 0 {
        ledger.changed(line, "weight 0: the target takes no new flows");
    }
    let check = options.has("check").then(|| check(&options, settings, line));
    if check.is_none() {
        ledger.changed(
            line,
            "a server without `check`: HAProxy never takes it out; xelb checks every target",
        );
    }
    let server = Server { address, port, weight, backup, lines: vec![line] };
    Some(Read { server, check, slow_start_s: options.slow_start_s })
}

/// Tells what has no counterpart in a `default-server` line.
pub(super) fn default_server(statement: &Statement, ledger: &mut Ledger) {
    let rest = statement.words.get(1..).unwrap_or_default();
    words(rest, &mut Options::default(), Some(statement.line), ledger);
}

fn words(words: &[String], options: &mut Options, line: Option<usize>, ledger: &mut Ledger) {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut say = |message: &str| {
            if let Some(line) = line {
                ledger.dropped(line, format!("`{}` of a server: {message}", brief(word)));
            }
        };
        if let Some(flag) = FLAGS.iter().find(|flag| **flag == word) {
            options.flags.insert(flag);
            continue;
        }
        match word {
            "no-check" => {
                options.flags.remove("check");
            }
            "check-sni" => options.check_sni = words.next().map(str::to_owned),
            "verify" => {
                if words.next() != Some("none") {
                    say("certificates: see `verify` of the health check");
                }
            }
            "send-proxy" | "send-proxy-v2" | "send-proxy-v2-ssl" | "send-proxy-v2-ssl-cn" => {
                if let Some(line) = line {
                    ledger.hand(
                        line,
                        "send-proxy: xelb sends no PROXY header; turn it off at the servers. With \
                         modes ipip, gue, l2dsr and nat they see the client's address anyway",
                    );
                }
            }
            "inter" | "fall" | "rise" | "weight" | "port" | "slowstart" => {
                let value = words.next().unwrap_or_default();
                if let Err(message) = number(word, value, options)
                    && let Some(line) = line
                {
                    ledger.hand(line, message);
                }
            }
            _ => match tables::reason(tables::SERVER_VALUES, word) {
                Some(reason) => {
                    words.next();
                    say(reason);
                }
                None => say(tables::reason(tables::SERVER_WORDS, word).unwrap_or("not known")),
            },
        }
    }
}

fn number(word: &str, value: &str, options: &mut Options) -> Result<(), String> {
    let wrong = || format!("`{}` is not a number for `{word}`", brief(value));
    match word {
        "inter" => options.inter_ms = Some(duration::with_unit(value)?),
        "slowstart" => options.slow_start_s = Some(duration::with_unit(value)?.div_ceil(1000)),
        "fall" => options.fall = Some(value.parse().map_err(|_| wrong())?),
        "rise" => options.rise = Some(value.parse().map_err(|_| wrong())?),
        "port" => options.port = Some(address::port(value)?),
        _ => options.weight = Some(value.parse().map_err(|_| wrong())?),
    }
    Ok(())
}

/// The check, with HAProxy's defaults.
fn check(options: &Options, settings: &Settings, line: usize) -> Check {
    let interval_ms = options.inter_ms.unwrap_or(2000);
    let connect_ms = settings.connect_ms.unwrap_or(interval_ms);
    let mut lines = vec![line];
    lines.extend(&settings.check_lines);
    let probe = if settings.request == Request::Http {
        lines.extend(&settings.http_lines);
        let mut http = settings.http.clone();
        http.tls = options.has("check-ssl");
        http.server_name = options.check_sni.clone().filter(|_| http.tls);
        Probe::Http(http)
    } else {
        Probe::Tcp
    };
    Check {
        probe,
        port: options.port,
        interval_ms,
        timeout_ms: settings.check_ms.unwrap_or(connect_ms).min(interval_ms),
        healthy: options.rise.unwrap_or(2),
        unhealthy: options.fall.unwrap_or(3),
        lines,
    }
}
