//! Files and folders that nobody but their user reads: what a node persists, and its recordings, may hold what is secret.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

/// How a file of the user's own is opened, made if it is not there.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Makes a file, or empties the one that is there, whose mode stays as it is.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    options().truncate(true).open(path)
}

/// As [`create`], in a folder that is open: wherever that is by now, and nowhere when it is gone.
pub(crate) fn create_in(folder: &File, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(file))
}

/// Makes a folder and those that it is in, if they are not there.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_made_is_its_users_alone() {
        let there = tempfile::tempdir().unwrap();
        let folder = there.path().join("a/b");
        create_dir_all(&folder).unwrap();
        create(&folder.join("file")).unwrap();
        create_in(&File::open(&folder).unwrap(), "another").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
        for path in ["a", "a/b", "a/b/file", "a/b/another"] {
            assert_eq!(mode(&there.path().join(path)), 0, "{path}");
        }
        // What is there already is taken as it is.
        create_dir_all(&folder).unwrap();
        create(&folder.join("file")).unwrap();
    }
}
