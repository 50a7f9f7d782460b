//! The folder of all runs: a user's own, which nobody else writes to. Whoever could write there could have others killed by a journal, and
//! give hosts files that are not the run's.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::door::StageError;

/// What the name of a run, and of its folder, begins with.
pub const PREFIX: &str = "run-";
/// To whom a folder is open that is made here: to nobody but its user.
const OWN: u32 = 0o700;
/// The bits of a mode that let group or others write.
const OTHERS_WRITE: u32 = 0o022;

/// Makes the folder, and those above it, where it is not there yet, for this user alone. Returns where it is, as an absolute path without links.
///
/// # Errors
///
/// That it cannot be made, or that the one that is there is not this user's own: see [`is_there`].
pub fn make(folder: &Path) -> Result<PathBuf, StageError> {
    let made = || -> io::Result<()> {
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above)?;
        }
        match DirBuilder::new().mode(OWN).create(folder) {
            // Whoever has made it: it is looked at below.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    };
    let cannot = |why: io::Error| {
        StageError::system(format!("make a folder for the run in {}", folder.display()), why)
    };
    made().map_err(cannot)?;
    if !is_there(folder)? {
        return Err(cannot(io::ErrorKind::NotFound.into()));
    }
    folder.canonicalize().map_err(cannot)
}

/// Whether the folder is there.
///
/// # Errors
///
/// That it cannot be looked at, or that it is no folder, a symbolic link, another user's, or one that group or others may write to.
pub fn is_there(folder: &Path) -> Result<bool, StageError> {
    // Without a slash at the end, by which a link would be followed.
    let folder: PathBuf = folder.components().collect();
    let refused =
        |why: String| StageError::system(format!("use {} as the folder of runs", folder.display()), why);
    match fs::symlink_metadata(&folder) {
        Ok(found) => match against(&found) {
            Some(why) => Err(refused(why)),
            None => Ok(true),
        },
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(why) => Err(refused(why.to_string())),
    }
}

/// What speaks against a folder, with what to do about it.
fn against(found: &Metadata) -> Option<String> {
    let user = rustix::process::geteuid().as_raw();
    let mode = found.mode() & 0o7777;
    if found.is_symlink() {
        Some("it is a symbolic link; name the folder itself with --folder".to_owned())
    } else if !found.is_dir() {
        Some("it is not a folder; name one with --folder".to_owned())
    } else if found.uid() != user {
        Some(format!(
            "it belongs to user {}, and this is user {user}; name a folder of your own with --folder",
            found.uid()
        ))
    } else if mode & OTHERS_WRITE != 0 {
        Some(format!(
            "others may write to it (its mode is {mode:o}); make it your own with `chmod go-w`, or name another one with --folder"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_is_made_for_its_user_alone_and_taken_again() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("a/b/runs");
        assert!(!is_there(&folder).unwrap());
        let made = make(&folder).unwrap();
        assert_eq!(made, folder.canonicalize().unwrap());
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(make(&folder).unwrap(), made);
        assert!(is_there(&folder).unwrap());
    }

    #[test]
    fn what_others_write_to_and_links_and_files_are_refused() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("runs");
        make(&folder).unwrap();
        let (link, file) = (above.path().join("link"), above.path().join("file"));
        symlink(&folder, &link).unwrap();
        fs::write(&file, "").unwrap();
        let refused = |path: &Path| {
            let looked = is_there(path).unwrap_err().to_string();
            assert!(make(path).is_err(), "{looked}");
            looked
        };
        assert!(refused(&link).contains("a symbolic link"));
        assert!(refused(&link.join("")).contains("a symbolic link"));
        assert!(refused(&file).contains("not a folder"));
        for open in [0o720, 0o702, 0o1777] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(open)).unwrap();
            assert!(refused(&folder).contains(&format!("its mode is {open:o}")));
        }
        // To read is no harm.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_there(&folder).unwrap());
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let own = rustix::process::geteuid().is_root();
        let above = tempfile::tempdir().unwrap();
        // Root gives one of its own away; anybody else finds one of root's.
        let folder = if own {
            let folder = above.path().join("given");
            fs::create_dir(&folder).unwrap();
            std::os::unix::fs::chown(&folder, Some(12_345), None).unwrap();
            folder
        } else {
            PathBuf::from("/proc/sys")
        };
        let why = make(&folder).unwrap_err().to_string();
        assert!(why.contains("it belongs to user"), "{why}");
    }
}
