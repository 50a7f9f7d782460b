//! Disks that are full, or may not be written to: by mounts that are the node's alone, where the system lets us, and by limits.

use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_squall");

/// Whether a process may have mounts of its own here. It takes root, and a system that is not itself confined.
pub(crate) fn are_possible() -> bool {
    let tried = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "none", "/tmp"])
        .stdin(Stdio::null())
        .output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// The program, to which a folder is read-only.
pub(crate) fn read_only(folder: &Path) -> Command {
    mounted(
        "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"",
        folder,
    )
}

/// The program, to which a folder is a disk of 64 KiB.
pub(crate) fn small(folder: &Path) -> Command {
    mounted("mount -t tmpfs -o size=64k none \"$0\"", folder)
}

/// The program, to which a folder is a disk without room.
pub(crate) fn full(folder: &Path) -> Command {
    let fill = "mount -t tmpfs -o size=64k none \"$0\" && { head -c 64k /dev/zero > \"$0/filler\"; :; }";
    mounted(fill, folder)
}

fn mounted(mount: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &format!("{mount} && exec \"$@\"")])
        .arg(folder)
        .arg(PROGRAM);
    command
}

/// The program, which is told that no file may grow when it writes to one; without that it would be ended.
pub(crate) fn limited() -> Command {
    shell("trap '' XFSZ; exec \"$0\" \"$@\"")
}

/// The program, whose files may not grow from the beginning.
pub(crate) fn without_room() -> Command {
    shell("trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"")
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]);
    command
}
