//! Agent scripts (`tests/scripts`) on the kernel's maps: the same text as on those in memory, which
//! `tests/simulation/scripts.rs` plays them on.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, ensure};
use lb_tests::{
    sandbox::{self, BPFFS},
    script::{self, Kernel},
};

#[test]
fn scripts_give_the_tables_that_they_expect() -> Result<()> {
    sandbox::run(|_sandbox| {
        let mut differing = Vec::new();
        for path in script::all()? {
            let name = path.file_name().unwrap_or_default().display().to_string();
            let expected = fs::read_to_string(&path).with_context(|| name.clone())?;
            let maps = Kernel::new(&Path::new(BPFFS).join("script"))?;
            let found =
                script::play(&expected, maps).map_err(|error| anyhow!("{name}: {error}"))?;
            let difference = script::difference(&expected, &found);
            differing.extend(difference.map(|difference| format!("{name}:\n{difference}")));
        }
        ensure!(
            differing.is_empty(),
            "what scripts expect (-) and what came out of the kernel's maps (+):\n{}",
            differing.join("\n")
        );
        Ok(())
    })
}
