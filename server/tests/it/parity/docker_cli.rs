//! The docker command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use release_manager::stack::Variables;
use tokio::task::spawn_blocking;

/// The docker command, if a recent one is there.
#[derive(Debug, Clone)]
pub(super) struct DockerCli {
    program: PathBuf,
}

/// The oldest version whose rules are followed here.
const OLDEST: u32 = 28;

impl DockerCli {
    /// The one that `DOCKER_CLI` names, or the first on the `PATH`; the error says why there is none.
    pub(super) async fn find() -> Result<Self, String> {
        let named = std::env::var("DOCKER_CLI").ok().filter(|program| !program.is_empty()).map(PathBuf::from);
        // Its path is needed in full: nothing but the variables of a stack is exported to it.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = || std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|file| file.is_file());
        let program = named.or_else(on_path).ok_or("there is no `docker` on the PATH")?;
        let cli = Self { program };
        let mut command = Command::new(&cli.program);
        command.arg("--version");
        let output =
            run(command).await.map_err(|error| format!("`{}` cannot be run: {error}", cli.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(2).and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        match version {
            Some(version) if version >= OLDEST => Ok(cli),
            _ => Err(format!(
                "`{}` is `{}`, and version {OLDEST} or later is needed",
                cli.program.display(),
                text.trim()
            )),
        }
    }

    /// `docker stack deploy` in a directory, with nothing but these variables exported. The error is what it says.
    pub(super) async fn deploy(
        &self,
        host: &str,
        directory: &Path,
        files: &[String],
        variables: &Variables,
        options: &[&str],
        stack: &str,
    ) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(variables).env("DOCKER_HOST", host).env("DOCKER_CONFIG", "/nonexistent");
        command.current_dir(directory).args(["stack", "deploy", "--resolve-image", "never", "--detach=true"]);
        command.args(options);
        for file in files {
            command.args(["-c", file]);
        }
        command.arg(stack);
        let output = run(command).await.map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }
}

async fn run(mut command: Command) -> std::io::Result<Output> {
    spawn_blocking(move || command.output()).await.unwrap()
}
