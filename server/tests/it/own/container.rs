//! Images with the real program in them, made of nothing but its file and the libraries that it needs.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Gives the Engine one image for each tag. They differ by an environment variable only.
pub(super) fn images(host: &str, name: &str, tags: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let archive = archive(&home);
    for tag in tags {
        let mut import = Command::new("docker");
        import.args(["--host", host, "import"]);
        import.args(["--change", "ENTRYPOINT [\"/release-manager\"]", "--change", "CMD [\"serve\"]"]);
        import.args(["--change", &format!("ENV VERSION={tag}")]).arg(&archive).arg(format!("{name}:{tag}"));
        run(import.stdout(Stdio::null()));
    }
}

fn archive(home: &TempDir) -> std::path::PathBuf {
    let root = home.path().join("root");
    for directory in ["tmp", "etc", "proc", "sys", "dev", "data", "repository", "var/run"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
    let program = env!("CARGO_BIN_EXE_release-manager");
    let inside = root.join("release-manager");
    // What debuggers need is most of the file.
    run(Command::new("strip").args(["--strip-debug", "-o"]).arg(&inside).arg(program));
    for library in libraries(program) {
        let copy = root.join(library.trim_start_matches('/'));
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&library, &copy).unwrap();
    }
    let archive = home.path().join("root.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."));
    archive
}

/// The files of the libraries that a program is linked with, the loader among them.
fn libraries(program: &str) -> Vec<String> {
    let told = Command::new("ldd").arg(program).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let paths = told.lines().flat_map(str::split_whitespace).filter(|word| word.starts_with('/'));
    paths.filter(|path| Path::new(path).is_file()).map(str::to_owned).collect()
}

fn run(command: &mut Command) {
    let ended = command.status().unwrap();
    assert!(ended.success(), "{command:?} ended with {ended}");
}
