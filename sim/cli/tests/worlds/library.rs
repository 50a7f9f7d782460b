//! The files of `scenarios/`, for the tests that hold all of them to something.

use std::path::{Path, PathBuf};

use squall_sim::scenario::ScenarioFile;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

/// Every scenario file, by its path from the root of the repository, in the order of the paths.
pub(crate) fn files() -> Vec<ScenarioFile> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root.join("scenarios"), &mut paths);
    paths.sort();
    assert!(
        !paths.is_empty(),
        "there are no scenario files in {}",
        root.display()
    );
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a scenario file can be read");
        let name = path
            .strip_prefix(&root)
            .expect("it was found below the root")
            .display()
            .to_string();
        ScenarioFile::parse(&name, text).unwrap_or_else(|complaints| panic!("{complaints:?}"))
    };
    paths.iter().map(read).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of scenarios can be listed") {
        let path = entry.expect("a folder of scenarios can be listed").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "ron") {
            into.push(path);
        }
    }
}
