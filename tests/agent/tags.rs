//! Tags at a running agent: they change nothing in the maps, and choose objects for lists and drains.

use anyhow::{Result, ensure};
use lb_tests::agent::configuration_path;
use serde_json::{Value, json as value};

use crate::scene::{
    LIMIT, WEB, fails, in_lab, json, says, start, state_dir_arguments, tables, write,
};

#[test]
fn tags_choose_objects_and_touch_no_map() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        xelb.command(lab, &["apply", "-f", &path])?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let before = tables()?;
        says(lab, xelb, "set target web/10.0.0.11 tags.rack=12 tags.example.com/owner=ann")?;
        says(lab, xelb, "set tg web tags.env=prod")?;
        let said = says(lab, xelb, "set listener web tags={\"env\":\"prod\"}")?;
        ensure!(said.starts_with("revision 4: set listeners[web].tags"), "{said}");
        ensure!(tables()? == before, "tags have changed the maps");
        for (line, expected) in [
            ("get targets -l rack=12,!old -o name", "target/web/10.0.0.11:80\n"),
            ("get targets -l rack!=12 -o name", "target/web/10.0.0.12:80\n"),
            ("get tg -l env -o name", "target-group/web\n"),
            ("get lb -l env=test -o name", ""),
        ] {
            let found = says(lab, xelb, line)?;
            ensure!(found == expected, "{line}: {found}");
        }
        let wide = says(lab, xelb, "get targets -l rack -o wide --no-headers")?;
        ensure!(wide.contains("  example.com/owner=ann,rack=12  "), "{wide}");
        let page = says(lab, xelb, "describe target web/10.0.0.11")?;
        ensure!(page.contains("example.com/owner=ann,rack=12\n"), "{page}");

        let said = says(lab, xelb, "target drain -l rack=12 --reason power")?;
        ensure!(said == "web/10.0.0.11:80 is draining: it takes no new flows\n", "{said}");
        let drain = |selector| xelb.command(lab, &["target", "drain", "web", "-l", selector]);
        fails(&drain("rack=13")?, 2, &["no target of group web has tags that fit `rack=13`"])?;
        let said = says(lab, xelb, "target undrain -l rack")?;
        ensure!(said == "web/10.0.0.11:80 takes flows again\n", "{said}");
        xelb.wait_healthy(lab, 2, LIMIT)?;
        // The last healthy target is not drained with the others.
        says(lab, xelb, "set target web/10.0.0.12 tags.rack=12")?;
        let stopped =
            "web/10.0.0.12:80 and those after it stay as they are (1 of 2 targets are changed)";
        fails(&drain("rack=12")?, 2, &[stopped, "`--force`"])?;

        says(lab, xelb, "target weight web 10.0.0.11 50")?;
        says(lab, xelb, "set target web/10.0.0.11 --unset tags.example.com/owner")?;
        let targets = json(lab, xelb, "get targets")?;
        ensure!(targets[0]["tags"] == value!({ "rack": "12" }), "{targets}");
        ensure!(targets[0]["weight"] == 50, "{targets}");
        Ok(())
    })
}

#[test]
fn a_selector_changes_all_that_fit_in_one_revision_or_nothing() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        xelb.command(lab, &["apply", "-f", &path])?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let command = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            xelb.command(lab, &words)
        };
        let weights = || -> Result<Vec<Value>> {
            let targets = json(lab, xelb, "get targets")?;
            let all = targets.as_array().into_iter().flatten();
            Ok(all.map(|target| target["weight"].clone()).collect())
        };
        says(lab, xelb, "set target web/10.0.0.11 tags.rack=12")?;
        says(lab, xelb, "set target web/10.0.0.12 tags.rack=13")?;
        let said = says(lab, xelb, "set target web -l rack weight=50% tags.site=a")?;
        ensure!(said.starts_with("revision 4: set "), "{said}");
        ensure!(weights()? == [50, 50], "{said}");
        ensure!(json(lab, xelb, "get targets -l site=a")?.as_array().map(Vec::len) == Some(2));
        let said = says(lab, xelb, "target weight -l rack 200% --dry-run")?;
        for part in ["[10.0.0.11].weight: 50 -> 100", "[10.0.0.12].weight: 50 -> 100"] {
            ensure!(said.contains(part), "{said}");
        }
        ensure!(weights()? == [50, 50], "a dry run has changed something");
        let said = says(lab, xelb, "target weight web -l rack=13 +20")?;
        ensure!(said.starts_with("revision 5: set "), "{said}");
        ensure!(weights()? == [50, 70], "{said}");

        let said = says(lab, xelb, "wait target -l rack --for healthy")?;
        ensure!(said.lines().count() == 2, "{said}");
        says(lab, xelb, "set tg web tags.env=prod")?;
        says(lab, xelb, "wait tg -l env=prod --for healthy")?;
        let late = command("wait target -l rack=12 --for gone --timeout 1s")?;
        fails(&late, 1, &["target web/10.0.0.11:80 is healthy after 1s"])?;

        // Neither all targets nor what is in use go without --force.
        for line in
            ["delete target -l rack", "target weight -l rack 0", "delete target -l rack --dry-run"]
        {
            fails(&command(line)?, 2, &["--force"])?;
        }
        fails(&command("delete tg -l env=prod")?, 2, &["web"])?;
        for (line, of) in [
            ("delete target -l rack=14", "no target has tags that fit `rack=14`"),
            ("delete target web -l rack=14", "no target of group web has tags"),
            ("delete listener -l rack=14", "no listener has tags that fit"),
            ("delete rule -l rack=14", "no rule has tags"),
            ("target weight -l rack=14 5", "no target has tags"),
            ("set tg -l rack=14 slow_start=30s", "no target group has tags"),
            ("wait tg -l rack=14 --for healthy", "no target group has tags"),
            ("wait target wbe -l rack --for healthy", "there is no target group wbe"),
            ("delete target wbe -l rack", "there is no target group wbe"),
        ] {
            fails(&command(line)?, 2, &[of])?;
        }
        let drains = says(lab, xelb, "target drain -l rack --dry-run")?;
        ensure!(drains.starts_with("web/10.0.0.11:80 would drain\nweb/10.0.0.12:80 "), "{drains}");
        let config = json(lab, xelb, "get config")?;
        ensure!(config["target_groups"][0]["targets"].as_array().map(Vec::len) == Some(2));

        let said = says(lab, xelb, "delete target -l rack=13,site -m power")?;
        ensure!(said.starts_with("revision 7: delete target web/10.0.0.12:80\n"), "{said}");
        let gone = says(lab, xelb, "delete target -l rack --force --dry-run")?;
        ensure!(gone.contains("- target_groups[web].targets"), "{gone}");
        Ok(())
    })
}
