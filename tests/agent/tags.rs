//! Tags at a running agent: they change nothing in the maps, and choose objects for lists and drains.

use anyhow::{Result, ensure};
use lb_tests::agent::configuration_path;
use serde_json::json as value;

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
