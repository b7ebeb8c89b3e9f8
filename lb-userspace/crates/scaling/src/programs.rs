//! Programs that print the value of a metric. They run without a shell, in a process group of their own
//! that is killed at the deadline, and as the user of drivers.

use std::{path::Path, time::Duration};

use lb_scale::Sample;
use serde_json::json;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{drivers::DriverContext, number};

/// Programs of all groups that run at a time; others wait.
static PLACES: Semaphore = Semaphore::const_new(16);

/// Runs a program once. It is told its group and metric as a JSON object on its standard input.
pub(crate) async fn run(
    context: &DriverContext,
    command: &[String],
    timeout: Duration,
    group: &str,
    metric: &str,
) -> Sample {
    match output(context, command, timeout, group, metric).await {
        Ok(output) => number::printed(&output),
        Err(error) => Sample::Error(error),
    }
}

async fn output(
    context: &DriverContext,
    command: &[String],
    timeout: Duration,
    group: &str,
    metric: &str,
) -> Result<Vec<u8>, String> {
    let Some((path, arguments)) = command.split_first() else {
        return Err("names no program".to_owned());
    };
    let _place = PLACES.acquire().await.ok();
    let (path, context) = (path.clone(), context.clone());
    let program = spawn_blocking(move || context.program(Path::new(&path))).await;
    let program = program.map_err(|error| error.to_string())??;
    let program = program.with_arguments(arguments.to_vec());
    let input = json!({ "group": group, "metric": metric }).to_string();
    program.run_for_output(input.as_bytes(), timeout).await.map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
        path::PathBuf,
        time::Instant,
    };

    use lb_health::{ExecUser, Programs};

    use super::*;

    async fn of(script: &str, programs: Programs) -> String {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let context = DriverContext {
            programs,
            user: ExecUser::find("root").unwrap(),
            state_dir: PathBuf::new(),
            read_secret: |_| Err("there is none".to_owned()),
        };
        let marker = folder.path().join("left").display().to_string();
        let command = [program.display().to_string(), "7.5".to_owned(), marker.clone()];
        let sample = run(&context, &command, Duration::from_secs(1), "web", "jobs").await;
        // What a program has started is killed with it.
        assert!(!Path::new(&marker).exists(), "{script}");
        sample.to_string().replace(&command[0], "PROGRAM")
    }

    #[tokio::test]
    async fn only_a_number_that_comes_in_time_is_a_value() {
        let input = r#"read line; test "$line" = '{"group":"web","metric":"jobs"}' && echo 3"#;
        for (script, expected) in [
            ("echo $1", "7.5"),
            (input, "3"),
            ("true", "empty"),
            ("echo NaN", "error: NaN is not a load"),
            ("echo -1", "error: -1 is not a load"),
            ("echo many", "error: the program prints `many`, and no number"),
            ("echo 5; echo no queue >&2; exit 3", "error: PROGRAM: it exits with code 3: no queue"),
            ("echo 5; kill -9 $$", "error: PROGRAM: it is ended by signal 9"),
            ("yes", "error: PROGRAM: its answer is longer than 1048576 bytes"),
        ] {
            let sample = of(script, Programs::Anywhere).await;
            assert!(sample.starts_with(expected), "{script}: {sample}");
        }
        let begun = Instant::now();
        let late = of("(sleep 1.5; touch $2) & sleep 1000", Programs::Anywhere).await;
        assert_eq!(late, "error: PROGRAM has not ended in time; killed");
        assert!(begun.elapsed() < Duration::from_secs(5));
        let off = of("echo 5", Programs::Off).await;
        assert!(off.starts_with("error: checks may not run programs here"), "{off}");
    }
}
