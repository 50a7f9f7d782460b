//! A node that panics: it is a bug, and is told as one.

use squall::{App, Exit};

use crate::fragile::Fragile;
use crate::process::Folder;

#[test]
fn a_panic_of_a_node_is_a_bug_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let socket = folder.at("control.sock");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let words = [
        "fragile",
        "node",
        "fragile",
        "--control",
        &socket,
        "--log-level",
        "off",
    ];
    let exit = App::new()
        .protocol::<Fragile>()
        .run(words, &mut stdout, &mut stderr);
    let stderr = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!((exit, exit.code()), (Exit::Bug, 101), "{stderr}");
    assert!(
        stderr.contains("the node panicked, which is a bug") && stderr.contains("this is\n  too much"),
        "{stderr}"
    );
    assert!(!std::path::Path::new(&socket).exists());
}
