//! Completion in the shells themselves: what Tab makes of a line in bash, zsh and fish.

mod fake_agent;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const XELB: &str = env!("CARGO_BIN_EXE_xelb");

/// Begun lines, and all that their last word may become.
const LINES: &[(&str, &[&str])] = &[
    ("xelb target dr", &["drain"]),
    ("xelb target drain web/", &["web/10.0.1.11"]),
    ("xelb stat", &["stats", "status"]),
];

/// The Debian package of a shell has its name.
fn shell(name: &str) -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| folder.join(name).is_file());
    assert!(found, "there is no {name}: run `cargo xtask setup` as root, or install it");
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60", name]);
    let own = Path::new(XELB).parent().unwrap().to_path_buf();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&path))).unwrap();
    command.env("PATH", path).env("LC_ALL", "C.UTF-8").env("TERM", "dumb").stdin(Stdio::null());
    command
}

/// A folder with the script for a shell and the socket of an agent.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new(shell: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Command::new(XELB).args(["completions", shell]).output().unwrap();
        assert!(script.status.success());
        fs::write(folder.path().join("script"), script.stdout).unwrap();
        fake_agent::start(&folder.path().join("agent.sock"));
        Self(folder)
    }

    fn script(&self) -> PathBuf {
        self.0.path().join("script")
    }

    /// What a shell prints that reads this program.
    fn output(&self, mut shell: Command, program: &str) -> String {
        let home = self.0.path();
        shell.env("XELB_SOCKET", home.join("agent.sock")).env("HOME", home);
        let output = shell.env("XDG_CONFIG_HOME", home).args(["-c", program]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn bash_completes_commands_and_targets() {
    let scene = Scene::new("bash");
    for (line, expected) in LINES {
        let words: Vec<&str> = line.split(' ').collect();
        let [.., before, last] = words.as_slice() else { panic!("{line}") };
        // What bash does when Tab is pressed; the function is the one that the script registers.
        let program = format!(
            "source {}; COMP_WORDS=({line}); COMP_CWORD={}; function=$(complete -p xelb | \
             sed 's/.*-F \\([^ ]*\\).*/\\1/'); $function xelb '{last}' '{before}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            scene.script().display(),
            words.len() - 1
        );
        let said = scene.output(shell("bash"), &program);
        let mut found: Vec<&str> = said.split_whitespace().collect();
        found.sort_unstable();
        assert_eq!(found, *expected, "{line}");
    }
}

#[test]
fn fish_completes_commands_and_targets() {
    let scene = Scene::new("fish");
    for (line, expected) in LINES {
        let program = format!("source {}; complete -C '{line}'", scene.script().display());
        let said = scene.output(shell("fish"), &program);
        // Descriptions are behind a tab.
        let mut found: Vec<&str> =
            said.lines().filter_map(|line| line.split('\t').next()).collect();
        found.sort_unstable();
        assert_eq!(found, *expected, "{line}");
    }
}

/// A shell in a terminal, to which keys are sent: Tab, and Ctrl-X for a command that prints the line.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty -b inner zsh -f -i
zpty -w inner "unsetopt zle_bracketed_paste 2> /dev/null; PS1=; autoload -Uz compinit; compinit -u -D"
zpty -w inner "source SCRIPT"
zpty -w inner 'show() { print -r -- "LINE<$BUFFER>"; BUFFER=; zle .accept-line }; zle -N show'
zpty -w inner "bindkey '^X' show; print REA''DY"
zpty -r -m inner output '*READY*'
for line in LINES; do
    zpty -w -n inner "$line"$'\t\x18'
    zpty -r -m inner output '*LINE<*>*'
    print -r -- "$output"
done
zpty -d inner
"#;

#[test]
fn zsh_completes_commands_and_targets() {
    let scene = Scene::new("zsh");
    let unique: Vec<&(&str, &[&str])> =
        LINES.iter().filter(|(_, found)| found.len() == 1).collect();
    let lines: Vec<String> = unique.iter().map(|(line, _)| format!("'{line}'")).collect();
    let program = ZSH.replace("SCRIPT", &scene.script().display().to_string());
    let said = scene.output(shell("zsh"), &program.replace("LINES", &lines.join(" ")));
    for (line, found) in unique {
        let begun = line.rsplit_once(' ').unwrap().0;
        let expected = format!("LINE<{begun} {}", found[0]);
        assert!(said.contains(&expected), "{line}: no {expected:?} in {said:?}");
    }
}
