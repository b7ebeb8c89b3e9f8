//! Which programs health checks may run, and as which user. The arguments of such a program, and
//! the meaning of its exit code, are not decided here.

use std::{
    ffi::CString,
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use lb_config::EXEC_CHECKS_OFF;
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};
use thiserror::Error;

/// Number of the user without rights, where no user database names it.
const NOBODY: u32 = 65_534;

/// The bit that lets only the owner of a file rename or remove it in a directory that others can write.
const STICKY: u32 = 0o1000;

/// What health checks may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecPolicy {
    /// Where their programs may be.
    pub programs: Programs,
    /// Who runs them.
    pub user: ExecUser,
}

impl Default for ExecPolicy {
    /// Nothing.
    fn default() -> Self {
        Self { programs: Programs::Off, user: ExecUser::nobody() }
    }
}

/// Where programs of health checks may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Programs {
    /// No check may run a program.
    Off,
    /// In this directory, which only root can change; an absolute path.
    In(PathBuf),
    /// Anywhere: for commands that do not run them.
    Anywhere,
}

impl FromStr for Programs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            path if Path::new(path).is_absolute() => Ok(Self::In(path.into())),
            _ => Err("expected the absolute path of a directory, or `off`".to_owned()),
        }
    }
}

/// Why a program is not run. The text names paths, for those who may see them.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// It cannot be found.
    #[error("{path}: {error}")]
    Io {
        /// The program, or the directory.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// It is no program.
    #[error("{0} is not a program that can be executed")]
    NotExecutable(String),
    /// It is in another directory.
    #[error(
        "{program} is not in {folder}, the directory that checks may run programs from: put it \
         there, or set its directory (`--exec-checks DIR` of `xelb agent`)"
    )]
    Outside {
        /// The program, and where its symbolic links lead.
        program: String,
        /// The directory.
        folder: String,
    },
    /// Somebody else owns it, or a directory above it.
    #[error(
        "{path} is owned by uid {uid}, who could replace programs of checks: `chown root \
             {path}`"
    )]
    Owner {
        /// The file or directory.
        path: String,
        /// Its owner.
        uid: u32,
    },
    /// Somebody else can write it, or a directory above it.
    #[error(
        "{path} has mode {mode:04o}, so that others could replace programs of checks: `chmod go-w \
         {path}`"
    )]
    Writable {
        /// The file or directory.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// The agent runs none.
    #[error("{EXEC_CHECKS_OFF}")]
    Off,
}

impl ProgramError {
    /// The same for readers of the API, who do not see commands.
    pub(super) fn without_paths(&self) -> String {
        match self {
            Self::Io { error, .. } => error.to_string(),
            Self::NotExecutable(_) => "it is not a program that can be executed".to_owned(),
            Self::Outside { .. } => {
                "its program is not in the directory of --exec-checks".to_owned()
            }
            Self::Owner { .. } | Self::Writable { .. } => {
                "other users than root could replace its program; `xelb validate` says what to \
                 change"
                    .to_owned()
            }
            Self::Off => self.to_string(),
        }
    }
}

impl Programs {
    /// The file that a check of this program runs: symbolic links are followed, and must not lead out of
    /// the directory. Nobody but root or the agent's own user can change it, or a directory above it.
    pub fn find(&self, program: &Path) -> Result<PathBuf, ProgramError> {
        let real = canonical(program)?;
        match self {
            Self::Off => return Err(ProgramError::Off),
            Self::Anywhere => {}
            Self::In(folder) => {
                // The directory does not exist.
                let real_folder = match canonical(folder) {
                    Err(ProgramError::Io { error, .. })
                        if error.kind() == io::ErrorKind::NotFound =>
                    {
                        folder.clone()
                    }
                    found => found?,
                };
                if real == real_folder || !real.starts_with(&real_folder) {
                    let program = if real == program {
                        shown(program)
                    } else {
                        format!("{}, which leads to {},", program.display(), real.display())
                    };
                    return Err(ProgramError::Outside { program, folder: shown(folder) });
                }
                for part in real.ancestors() {
                    unchangeable(part)?;
                }
            }
        }
        let data = metadata(&real)?;
        if !data.is_file() || data.permissions().mode() & 0o111 == 0 {
            return Err(ProgramError::NotExecutable(shown(program)));
        }
        Ok(real)
    }
}

/// Whether only root and this user can change a file, or their entries of a directory.
fn unchangeable(path: &Path) -> Result<(), ProgramError> {
    let data = metadata(path)?;
    let (uid, mode) = (data.uid(), data.mode() & 0o7777);
    if uid != 0 && uid != geteuid().as_raw() {
        return Err(ProgramError::Owner { path: shown(path), uid });
    }
    let sticky = data.is_dir() && mode & STICKY != 0;
    if mode & 0o022 != 0 && !sticky {
        return Err(ProgramError::Writable { path: shown(path), mode });
    }
    Ok(())
}

fn canonical(path: &Path) -> Result<PathBuf, ProgramError> {
    fs::canonicalize(path).map_err(|error| ProgramError::Io { path: shown(path), error })
}

fn metadata(path: &Path) -> Result<fs::Metadata, ProgramError> {
    fs::metadata(path).map_err(|error| ProgramError::Io { path: shown(path), error })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Who runs the programs of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecUser {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// All groups.
    pub(super) groups: Vec<Gid>,
}

impl ExecUser {
    /// The user without rights.
    #[must_use]
    pub fn nobody() -> Self {
        Self::find("nobody").unwrap_or_else(|_| Self {
            name: "nobody".to_owned(),
            uid: Uid::from_raw(NOBODY),
            gid: Gid::from_raw(NOBODY),
            groups: Vec::new(),
        })
    }

    /// The user of this name or number; an error says why there is none, for people.
    pub fn find(name: &str) -> Result<Self, String> {
        let found = match name.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(name),
        };
        let user = found
            .map_err(|error| format!("cannot look up the user `{name}`: {}", error.desc()))?
            .ok_or_else(|| format!("there is no user `{name}`"))?;
        let groups = CString::new(user.name.as_str())
            .ok()
            .and_then(|name| getgrouplist(&name, user.gid).ok())
            .unwrap_or_default();
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid, groups })
    }

    /// The numbers of the user and its group; `None` if it is the user of this process.
    #[must_use]
    pub fn numbers(&self) -> Option<(u32, u32)> {
        (!self.is_self()).then(|| (self.uid.as_raw(), self.gid.as_raw()))
    }

    /// Whether it is the user of this process.
    pub(super) fn is_self(&self) -> bool {
        self.uid == geteuid()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{chown, symlink},
    };

    use super::*;

    fn write(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn options_say_where_programs_may_lie() {
        assert_eq!("off".parse(), Ok(Programs::Off));
        assert_eq!("/etc/xelb/checks".parse(), Ok(Programs::In("/etc/xelb/checks".into())));
        for wrong in ["", "checks", "OFF", "./checks"] {
            let error = wrong.parse::<Programs>().unwrap_err();
            assert_eq!(error, "expected the absolute path of a directory, or `off`");
        }
    }

    #[test]
    fn only_programs_of_the_directory_that_root_alone_can_change_are_run() {
        assert!(geteuid().is_root(), "files are given away in this test; it needs root");
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let folder = root.join("checks");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let good = folder.join("good");
        write(&good, 0o755);
        write(&folder.join("group"), 0o775);
        write(&folder.join("others"), 0o757);
        write(&folder.join("foreign"), 0o755);
        chown(folder.join("foreign"), Some(NOBODY), None).unwrap();
        write(&folder.join("text"), 0o644);
        write(&root.join("outside"), 0o755);
        symlink(&good, folder.join("link")).unwrap();
        symlink(root.join("outside"), folder.join("escape")).unwrap();
        symlink(&folder, root.join("checks-too")).unwrap();
        let programs = Programs::In(folder.clone());
        let message_of = |path: &Path| programs.find(path).map_err(|error| error.to_string());
        for path in [good.clone(), folder.join("link"), root.join("checks-too/good")] {
            assert_eq!(message_of(&path), Ok(good.clone()), "{}", path.display());
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let outside = format!(
            "is not in {}, the directory that checks may run programs from: put it there, or set \
             its directory (`--exec-checks DIR` of `xelb agent`)",
            folder.display()
        );
        let replaced = "so that others could replace programs of checks: `chmod go-w";
        for (path, expected) in [
            (folder.join("group"), format!("{0} has mode 0775, {replaced} {0}`", at("group"))),
            (folder.join("others"), format!("{0} has mode 0757, {replaced} {0}`", at("others"))),
            (
                folder.join("foreign"),
                format!(
                    "{0} is owned by uid 65534, who could replace programs of checks: `chown root \
                     {0}`",
                    at("foreign")
                ),
            ),
            (folder.join("text"), format!("{} is not a program that can be executed", at("text"))),
            (
                folder.join("missing"),
                format!("{}: No such file or directory (os error 2)", at("missing")),
            ),
            (folder.clone(), format!("{} {outside}", folder.display())),
            (
                folder.join("escape"),
                format!(
                    "{}, which leads to {}, {outside}",
                    at("escape"),
                    root.join("outside").display()
                ),
            ),
            (
                folder.join("../outside"),
                format!(
                    "{}/../outside, which leads to {}, {outside}",
                    folder.display(),
                    root.join("outside").display()
                ),
            ),
        ] {
            assert_eq!(message_of(&path), Err(expected), "{}", path.display());
        }
        assert!(matches!(Programs::Off.find(&good), Err(ProgramError::Off)));
        assert_eq!(Programs::Anywhere.find(&folder.join("others")).unwrap(), folder.join("others"));
    }

    /// A user with write access to the directory, or a parent, can replace the program.
    #[test]
    fn the_directories_above_count_too() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let folder = root.join("checks");
        fs::create_dir(&folder).unwrap();
        let good = folder.join("good");
        write(&good, 0o755);
        let programs = Programs::In(folder.clone());
        for loose in [&folder, &root] {
            fs::set_permissions(loose, Permissions::from_mode(0o777)).unwrap();
            let shown = loose.display();
            let expected = format!(
                "{shown} has mode 0777, so that others could replace programs of checks: `chmod \
                 go-w {shown}`"
            );
            assert_eq!(programs.find(&good).unwrap_err().to_string(), expected);
            fs::set_permissions(loose, Permissions::from_mode(0o1777)).unwrap();
            assert_eq!(programs.find(&good).unwrap(), good, "sticky");
            fs::set_permissions(loose, Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn readers_see_no_paths() {
        let path = || "/secret".to_owned();
        for error in [
            ProgramError::Io { path: path(), error: io::ErrorKind::NotFound.into() },
            ProgramError::NotExecutable(path()),
            ProgramError::Outside { program: path(), folder: path() },
            ProgramError::Owner { path: path(), uid: 7 },
            ProgramError::Writable { path: path(), mode: 0o777 },
            ProgramError::Off,
        ] {
            let message_of = error.without_paths();
            assert!(!message_of.is_empty() && !message_of.contains("/secret"), "{message_of}");
        }
    }

    #[test]
    fn users_have_names_and_numbers() {
        let root = ExecUser::find("root").unwrap();
        assert_eq!((root.uid.as_raw(), ExecUser::find("0").unwrap()), (0, root.clone()));
        assert!(root.is_self() && !ExecUser::nobody().is_self());
        for name in ["no-such-user", "", "4294967294", "-1"] {
            assert_eq!(ExecUser::find(name).unwrap_err(), format!("there is no user `{name}`"));
        }
    }
}
