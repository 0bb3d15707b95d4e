//! Stack files in short: `web app:2 x2 fail=rollback run='sleep 4; exit 3'; db app:1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::canary::ENTRUSTED;

/// The files of a stack that is written in short.
pub(super) fn files(short: &str) -> BTreeMap<String, String> {
    let mut stack = StackFile::default();
    for service in split(short, ';') {
        stack.service(&split(&service, ' '));
    }
    stack.files()
}

/// Splits where a sign stands outside single quotes; the quotes go.
fn split(text: &str, sign: char) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                // Kept for the next level.
                if sign == ';' {
                    part.push(c);
                }
            }
            c if c == sign && !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[derive(Default)]
struct StackFile {
    services: String,
    configs: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    networks: Vec<String>,
}

impl StackFile {
    fn service(&mut self, words: &[String]) {
        let [name, image, rest @ ..] = words else { panic!("a service has a name and an image: {words:?}") };
        let mut top = format!("    image: {image}\n    stop_grace_period: 1s\n");
        let mut deploy = String::new();
        let (mut update, mut back) = (Vec::new(), Vec::new());
        let mut restart = vec!["delay: 500ms".to_owned()];
        let mut mode = "replicated";
        for word in rest {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "fail" => update.push(format!("failure_action: {value}")),
                "monitor" => update.push(format!("monitor: {value}")),
                "ratio" => update.push(format!("max_failure_ratio: {value}")),
                "delay" => update.push(format!("delay: {value}")),
                "par" => update.push(format!("parallelism: {value}")),
                "order" => update.push(format!("order: {value}")),
                "back" => back.push(format!("failure_action: {value}")),
                "restart" => restart.push(format!("condition: {value}")),
                "rest" => restart[0] = format!("delay: {value}"),
                "tries" => restart.push(format!("max_attempts: {value}")),
                "run" => writeln!(top, "    command: ['sh', '-c', \"{value}\"]").unwrap(),
                "after" => writeln!(top, "    depends_on: [{value}]").unwrap(),
                "env" => writeln!(top, "    environment: {{MARK: '{value}'}}").unwrap(),
                "label" => writeln!(deploy, "      labels: {{mark: '{value}'}}").unwrap(),
                "on" => {
                    writeln!(deploy, "      placement: {{constraints: ['{}']}}", value.replace("==", " == ")).unwrap();
                }
                "port" => writeln!(top, "    ports: ['{value}']").unwrap(),
                "health" => top.push_str(&health(value)),
                "net" => {
                    writeln!(top, "    networks: [{value}]").unwrap();
                    self.networks.push(value.to_owned());
                }
                "config" => {
                    let (file, content) = value.split_once(':').unwrap();
                    writeln!(top, "    configs: [{file}]").unwrap();
                    self.configs.insert(file.to_owned(), content.to_owned());
                }
                "secret" => {
                    let (file, content) = value.split_once(':').unwrap();
                    writeln!(top, "    secrets: [{file}]").unwrap();
                    self.secrets.insert(file.to_owned(), format!("{ENTRUSTED}{content}"));
                }
                "global" => mode = "global",
                "job" => mode = "replicated-job",
                "global-job" => mode = "global-job",
                count if count.starts_with('x') => writeln!(deploy, "      replicas: {}", &count[1..]).unwrap(),
                other => panic!("`{other}` says nothing of a service"),
            }
        }
        if !mode.ends_with("job") {
            if !update.iter().any(|part| part.starts_with("monitor")) {
                update.push("monitor: 2s".to_owned());
            }
            writeln!(deploy, "      update_config: {{{}}}", update.join(", ")).unwrap();
            back.push("monitor: 1s".to_owned());
            writeln!(deploy, "      rollback_config: {{{}}}", back.join(", ")).unwrap();
        } else if !restart.iter().any(|part| part.starts_with("condition")) {
            restart.push("condition: none".to_owned());
        }
        writeln!(deploy, "      mode: {mode}\n      restart_policy: {{{}}}", restart.join(", ")).unwrap();
        writeln!(self.services, "  {name}:\n{top}    deploy:\n{deploy}").unwrap();
    }

    fn files(self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut text = format!("services:\n{}", self.services);
        if !self.networks.is_empty() {
            text.push_str("networks:\n");
            for network in &self.networks {
                writeln!(text, "  {network}:").unwrap();
            }
        }
        for (kind, contents) in [("configs", &self.configs), ("secrets", &self.secrets)] {
            if !contents.is_empty() {
                writeln!(text, "{kind}:").unwrap();
            }
            for (name, content) in contents {
                writeln!(text, "  {name}:\n    file: ./{name}.txt").unwrap();
                files.insert(format!("{name}.txt"), content.clone());
            }
        }
        files.insert("stack.yml".to_owned(), text);
        files
    }
}

/// `ok`, `never`, `ok/3s` with a start period.
fn health(value: &str) -> String {
    let (says, start) = value.split_once('/').unwrap_or((value, "0s"));
    let command = if says == "never" { "false" } else { "true" };
    format!(
        "    healthcheck: {{test: ['CMD-SHELL', '{command}'], interval: 1s, timeout: 2s, retries: 1, start_period: \
         {start}}}\n"
    )
}

#[test]
fn a_stack_in_short_becomes_files() {
    let files = files("web app:2 x2 run='sleep 4; exit 3' fail=pause after=db; db app:1 config=motd:hello");
    let text = &files["stack.yml"];
    for part in ["  web:\n    image: app:2", "\"sleep 4; exit 3\"", "replicas: 2", "failure_action: pause", "[db]"] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    assert_eq!(files["motd.txt"], "hello");
}
