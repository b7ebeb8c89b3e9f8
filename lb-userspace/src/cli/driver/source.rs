//! Which driver a command is about, and with which parameters: options to a driver.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{self, Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use lb_config::Verify;
use lb_drivers::{BuiltInSettings, Driver, ExecDriver, WebhookDriver};
use lb_files::private_file;
use lb_health::tls;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::cli::input;

/// Largest file of parameters or settings.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A driver that cannot be used as the command line says.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct DriverUsageError(String);

fn usage(message: impl Into<String>) -> DriverUsageError {
    DriverUsageError(message.into())
}

#[derive(Debug, Args)]
pub(super) struct Source {
    /// Program to call. Its arguments stand behind `--`
    #[arg(value_name = "PROGRAM", required_unless_present_any = ["url", "driver"])]
    program: Option<PathBuf>,
    /// Arguments of the program
    #[arg(value_name = "ARGS", last = true, requires = "program")]
    arguments: Vec<String>,
    /// Server to call instead of a program: `https://`, or `http://` with a loopback address
    #[arg(long, value_name = "URL", conflicts_with = "program", requires = "secret_file")]
    url: Option<http::Uri>,
    /// File with the secret that calls of --url are signed with, readable only by its owner and its
    /// group. Spaces and line ends around the secret do not count
    #[arg(long, value_name = "FILE", requires = "url")]
    secret_file: Option<PathBuf>,
    /// CA certificates that the server's certificate is verified with (PEM) [default: CA
    /// certificates of this host]
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// File with the parameters of the driver, an object in YAML or JSON; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// File with the settings of a built-in driver, an object with one key: `systemd`, `docker` or
    /// `static`; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["program", "url", "parameters", "set"])]
    driver: Option<PathBuf>,
    /// A parameter; overrides that of --parameters. The value is YAML: `9000` is a number, `[a, b]`
    /// a list. May be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parameter)]
    set: Vec<(String, Value)>,
}

impl Source {
    /// The driver. `run` is a random number.
    pub(super) fn driver(&self, run: u64) -> Result<Box<dyn Driver>, DriverUsageError> {
        if let Some(program) = &self.program {
            let program = executable(program)?;
            let driver = ExecDriver::new(program).with_arguments(self.arguments.clone());
            return Ok(Box::new(driver));
        }
        if let Some(file) = &self.driver {
            let name = input::shown(file);
            let settings: BuiltInSettings = read(file)?;
            return settings.driver().map_err(|error| usage(format!("{name}: {error}")));
        }
        let (Some(url), Some(secret_file)) = (&self.url, &self.secret_file) else {
            return Err(usage("name a program, or --url"));
        };
        let secret = private_file::read_private(secret_file)
            .map_err(|error| usage(format!("--secret-file: {error}")))?;
        let secret = secret.trim();
        if secret.is_empty() {
            return Err(usage(format!("--secret-file: {} is empty", secret_file.display())));
        }
        let verify = self.ca.clone().map_or(Verify::System, Verify::File);
        let builder =
            tls::client_builder(&verify).map_err(|error| usage(format!("--ca: {error}")))?;
        let config = Arc::new(builder.with_no_client_auth());
        let driver = WebhookDriver::new(url, secret.as_bytes().to_vec(), config, run)
            .map_err(|error| usage(format!("--url {url}: {error}")))?;
        Ok(Box::new(driver))
    }

    /// Its parameters.
    pub(super) fn parameters(&self) -> Result<Map<String, Value>, DriverUsageError> {
        let mut parameters = match &self.parameters {
            Some(file) => read(file)?,
            None => Map::new(),
        };
        parameters.extend(self.set.iter().cloned());
        Ok(parameters)
    }
}

/// The absolute path of a program: it runs in another directory.
fn executable(program: &Path) -> Result<PathBuf, DriverUsageError> {
    let shown = program.display();
    let found = fs::metadata(program).map_err(|error| usage(format!("{shown}: {error}")))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(usage(format!(
            "{shown} is not a program that can be executed: `chmod +x {shown}`"
        )));
    }
    path::absolute(program).map_err(|error| usage(format!("{shown}: {error}")))
}

/// An object in YAML or JSON.
fn read<T: DeserializeOwned>(file: &Path) -> Result<T, DriverUsageError> {
    let name = input::shown(file);
    let bytes =
        input::bytes(file, FILE_BYTES_MAX).map_err(|error| usage(format!("{name}: {error}")))?;
    let text = str::from_utf8(&bytes).map_err(|_| usage(format!("{name} is not text (UTF-8)")))?;
    serde_saphyr::from_str(text).map_err(|error| usage(format!("{name}: {error}")))
}

/// `KEY=VALUE`. What is no YAML is a text.
fn parameter(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as port=8080")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    let value = serde_saphyr::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_parameters_are_yaml() {
        let cases = [
            ("port=8080", "port", json!(8080)),
            ("image=web:1", "image", json!("web:1")),
            ("ports=[1, 2]", "ports", json!([1, 2])),
            ("command=a=b", "command", json!("a=b")),
            ("open=[", "open", json!("[")),
        ];
        for (text, key, value) in cases {
            assert_eq!(parameter(text), Ok((key.to_owned(), value)), "{text}");
        }
        for text in ["port", "=1"] {
            assert!(parameter(text).is_err(), "{text}");
        }
    }
}
