//! Certificates of listeners that expire, as the agent says it.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{Lab, topology::VIP_V4};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::scene::{in_lab, json, run, start, state_dir_arguments, wait_json, write};

/// Files are read again after a change of the configuration.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes a certificate that ends with the first second of this year, and its key.
fn certificate(lab: &Lab, year: i32) -> Result<()> {
    let mut parameters = CertificateParams::new(vec!["shop.example".to_owned()])?;
    parameters.not_before = date_time_ymd(2019, 1, 1);
    parameters.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate()?;
    let folder = lab.directory();
    fs::write(folder.join("shop.pem"), parameters.self_signed(&key)?.pem())?;
    fs::write(folder.join("shop.key"), key.serialize_pem())?;
    fs::set_permissions(folder.join("shop.key"), fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn document(lab: &Lab, weight: u32) -> String {
    let folder = lab.directory().display();
    format!(
        "interfaces: [eth0]
target_groups: [{{ name: web, protocol: http, port: 80, targets: [{{ address: 10.0.0.11, weight: {weight} }}] }}]
listeners:
  - name: shop
    address: {VIP_V4}
    port: 443
    protocol: https
    certificates: [{{ certificate: {folder}/shop.pem, key: {folder}/shop.key }}]
    default_action: {{ forward: {{ target_group: web }} }}
"
    )
}

#[test]
fn a_certificate_that_has_expired_is_a_warning_until_it_is_renewed() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        let apply = |weight| -> Result<()> {
            write(lab, &document(lab, weight))?;
            let path = lab_tests_path(lab);
            run(lab, xelb, &["apply", "-f", &path])?.success()?;
            Ok(())
        };
        certificate(lab, 2020)?;
        apply(1)?;
        let expired = |status: &serde_json::Value| {
            let all = status["warning_details"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|one| one["kind"] == "certificate_expired")
        };
        let status = wait_json(lab, xelb, "status", |status| expired(status).is_some())?;
        let text = expired(&status).context("a warning")?["text"].to_string();
        ensure!(text.contains("/shop.pem of listener shop has expired "), "{text}");
        ensure!(status["certificates"][0]["expires_at"] == 1_577_836_800_u64, "{status}");
        let doctor = run(lab, xelb, &["doctor"])?;
        ensure!(doctor.status.code() == Some(1), "{}", doctor.stdout);
        ensure!(doctor.stdout.contains("of listener shop has expired "), "{}", doctor.stdout);

        certificate(lab, 2040)?;
        apply(2)?;
        lb_tests::wait::until("the new certificate is known", PATIENCE, || {
            let status = json(lab, xelb, "status").map_err(|error| error.to_string())?;
            let renewed = status["certificates"][0]["expires_at"] == 2_208_988_800_u64;
            if renewed && expired(&status).is_none() { Ok(()) } else { Err(status.to_string()) }
        })?;
        Ok(())
    })
}

fn lab_tests_path(lab: &Lab) -> String {
    lb_tests::agent::configuration_path(lab).display().to_string()
}
