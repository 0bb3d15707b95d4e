//! The configuration file: what does not fit into an environment variable.

use std::collections::BTreeMap;

use release_manager::names::{RepoPath, StackName};
use release_manager::pipeline::Pipeline;
use serde::Deserialize;

use super::notify::{self, Repository};
use super::pipeline::{self, EngineAddress, Usual, default_pipeline};
use super::{Settings, WrongSetting, text, wrong};
use crate::notify::Target;

/// Where the file is looked for unless `CONFIG_FILE` says otherwise.
const USUAL_FILE: &str = "release-manager.toml";

/// The whole file. Nothing unknown is accepted: a misspelt key would otherwise be a setting that is not heeded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    environment: Option<Vec<pipeline::Entry>>,
    #[serde(default)]
    notify: Vec<notify::Entry>,
}

/// The environments, the stacks that run elsewhere, and who is told.
type Read = (Pipeline, BTreeMap<StackName, EngineAddress>, Vec<Target>);

/// The environments, and who is told; from the file where there is one.
pub(super) fn read(
    settings: &dyn Settings,
    stack_prefix: String,
    repository: Option<&Repository>,
) -> Result<Read, WrongSetting> {
    let stack_files = text(settings, "STACK_FILE").unwrap_or_else(|| "docker-swarm-stack.yml".to_owned());
    let stack_files = stack_files.split(',').map(|path| path.trim().parse::<RepoPath>()).collect::<Result<Vec<_>, _>>();
    let stack_files = stack_files.map_err(|error| wrong("STACK_FILE", &error))?;
    let usual = Usual { stack_files, stack_prefix };
    let path = text(settings, "CONFIG_FILE");
    if path.is_none() && !settings.exists(USUAL_FILE) {
        let pipeline = default_pipeline(&usual.stack_files, &usual.stack_prefix);
        return Ok((pipeline.map_err(|error| wrong("STACK_NAME", &error))?, BTreeMap::new(), Vec::new()));
    }
    let path = path.unwrap_or_else(|| USUAL_FILE.to_owned());
    let content = settings.file(&path).map_err(|error| wrong("CONFIG_FILE", &format!("`{path}` {error}")))?;
    let parsed = parse(&content, &usual, repository, settings);
    parsed.map_err(|error| wrong("CONFIG_FILE", &format!("`{path}`: {error}")))
}

/// What the file's text says; the error names the line where it goes wrong, and what is allowed there.
fn parse(
    content: &str,
    usual: &Usual,
    repository: Option<&Repository>,
    settings: &dyn Settings,
) -> Result<Read, String> {
    let file: File = toml::from_str(content).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        match error.span() {
            Some(span) => format!("line {}: {message}", content[..span.start].matches('\n').count() + 1),
            None => message,
        }
    })?;
    let (pipeline, engines) = match file.environment {
        Some(entries) => pipeline::pipeline(entries, usual)?,
        None => (default_pipeline(&usual.stack_files, &usual.stack_prefix)?, BTreeMap::new()),
    };
    let names: Vec<_> = pipeline.environments().iter().map(|known| known.name.clone()).collect();
    let targets = notify::targets(file.notify, &names, repository, settings)?;
    Ok((pipeline, engines, targets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fake;

    fn whole(text: &str) -> Result<Read, String> {
        let usual = Usual { stack_files: vec!["stack.yml".parse().unwrap()], stack_prefix: "lab".to_owned() };
        let repository =
            Repository { url: "http://127.0.0.1/repos/user/lab".to_owned(), token: Some("h1dden".to_owned().into()) };
        let files = [
            ("/run/secrets/ntfy_token", "h1dden\n"),
            ("/run/secrets/telegram_token", "h1dden\n"),
            ("/run/secrets/webhook_key", "h1dden\n"),
            ("/run/secrets/smtp_password", "h1dden"),
        ];
        parse(text, &usual, Some(&repository), &Fake::of(&files))
    }

    fn read(text: &str) -> Result<Pipeline, String> {
        whole(text).map(|(pipeline, ..)| pipeline)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(whole(text).unwrap_err(), expected);
    }

    #[test]
    fn what_the_file_leaves_out_follows_from_the_name_and_the_variables() {
        let pipeline = read(
            "[[environment]]\nname = \"dev\"\nmode = \"auto\"\n\n\
             [[environment]]\nname = \"prod\"\nmode = \"manual\"\npromotes_from = \"dev\"\nstack = \"media\"\n\
             env_file = \"live.env\"\nstack_files = [\"a.yml\", \"b.yml\"]\non_failure = \"rollback\"\non_drift = \"heal\"\n",
        )
        .unwrap();
        insta::assert_yaml_snapshot!(pipeline);
    }

    #[test]
    fn the_default_pipeline_is_the_file_with_two_environments() {
        let file = "[[environment]]\nname = \"preprod\"\nmode = \"auto\"\n\
                    [[environment]]\nname = \"prod\"\nmode = \"manual\"\npromotes_from = \"preprod\"\n";
        assert_eq!(read(file), default_pipeline(&["stack.yml".parse().unwrap()], "lab"));
    }

    #[test]
    fn the_example_describes_what_it_says() {
        let example = include_str!("../../../release-manager.example.toml");
        let names: Vec<_> = read(example).unwrap().environments().iter().map(|known| known.name.to_string()).collect();
        assert_eq!(names, ["preprod", "staging", "prod", "media-preprod", "media-prod"]);
    }

    #[test]
    fn a_mistake_in_the_file_is_one_line_with_its_place() {
        let mistakes = [
            "environment = 1\n",
            "[[environment]]\nname = \"dev\"\nmode = \"auto\"\nstak = \"x\"\n",
            "[[environment]]\nname = \"Dev\"\nmode = \"auto\"\n",
            "\n[[environment]]\nname = \"dev\"\nmode = \"sometimes\"\n",
            "[[environment]]\nmode = \"auto\"\n",
            "[[notify]]\nkind = \"slack\"\nurl = \"x\"\ntoken = \"y\"\n",
            "[[notify]]\nkind = \"pigeon\"\n",
            "[[notify]]\nkind = \"slack\"\nurl = \"x\"\nevents = [\"fail\"]\n",
            "[[notify]]\nkind = \"email\"\nhost = \"h\"\nfrom = \"nobody\"\nto = [\"a@b.test\"]\n",
        ];
        let errors: Vec<_> = mistakes.into_iter().map(|text| whole(text).unwrap_err()).collect();
        insta::assert_snapshot!(errors.join("\n"));
        check("environment = []\n", "a pipeline needs at least one environment");
        check(
            "[[environment]]\nname = \"prod\"\nmode = \"manual\"\n",
            "environment `prod`: promotes_from: it is missing: a manual environment gets its releases from another",
        );
        check(
            "[[environment]]\nname = \"prod\"\nmode = \"manual\"\npromotes_from = \"dev\"\n",
            "environment `prod` promotes from `dev`, which does not stand before it",
        );
    }

    #[test]
    fn every_kind_of_target_is_understood_and_no_secret_is_shown() {
        let (.., targets) = whole(include_str!("../../../release-manager.example.toml")).unwrap();
        let shown = format!("{targets:?}");
        assert!(!shown.contains("h1dden"), "{shown}");
        let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["phone", "discord", "slack", "telegram", "webhook", "email", "commit_status"]);
    }

    #[test]
    fn an_environment_may_have_an_engine_of_its_own() {
        let environment = |more: &str| format!("[[environment]]\nname = \"dev\"\nmode = \"auto\"\n{more}\n");
        let engines = |more: &str| whole(&environment(more)).map(|(_, engines, _)| engines);
        let there = |host: &str, certificates: Option<&str>| {
            let engine = EngineAddress { host: host.to_owned(), certificates: certificates.map(Into::into) };
            Ok(BTreeMap::from([("lab-dev".parse().unwrap(), engine)]))
        };
        assert_eq!(engines(""), Ok(BTreeMap::new()));
        assert_eq!(engines("docker_host = \"unix:///x.sock\""), there("unix:///x.sock", None));
        let with_tls = "docker_host = \"tcp://nas:2376\"\ndocker_cert_path = \"/run/secrets/nas\"";
        assert_eq!(engines(with_tls), there("tcp://nas:2376", Some("/run/secrets/nas")));
        check(
            &environment("docker_cert_path = \"/x\""),
            "environment `dev`: docker_host: it is missing: docker_cert_path belongs to it",
        );
        check(
            &environment("docker_host = \"unix:///x\"\ndocker_cert_path = \"/x\""),
            "environment `dev`: docker_cert_path: only an Engine at tcp://host:port takes certificates",
        );
        check(
            &environment("docker_host = \"nas\""),
            "environment `dev`: docker_host: `nas` was read: use unix:///path/to/docker.sock or tcp://host:port",
        );
    }

    #[test]
    fn a_mistake_in_a_target_names_it() {
        check("[[notify]]\nkind = \"ntfy\"\n", "notify `ntfy`: `url` or `url_file` is missing");
        check(
            "[[notify]]\nkind = \"slack\"\nurl = \"x\"\nurl_file = \"y\"\n",
            "notify `slack`: set `url` or `url_file`, not both",
        );
        check(
            "[[notify]]\nkind = \"slack\"\nurl = \"x\"\nenvironments = [\"nowhere\"]\n",
            "notify `slack`: there is no environment `nowhere`",
        );
        let twice = "[[notify]]\nkind = \"slack\"\nurl = \"x\"\n".repeat(2);
        check(&twice, "two [[notify]] are named `slack`: give each a `name` of its own");
    }
}
