//! What the worst stack files cost: each is read by a process of its own that may have only so much memory.

use std::process::Stdio;

use super::scene::Scene;

/// No file may cost more, whatever it says. A build without optimization needs some 370 MB for the worst known.
const MOST_KILOBYTES: u32 = 600_000;

/// `count` lines made of their numbers.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect::<Vec<_>>().concat()
}

/// How `stack config` ends that may have so many kilobytes: the exit code, if it ended by itself, and what it said.
async fn config(scene: &Scene, text: &str, kilobytes: u32) -> (Option<i32>, String) {
    scene.write("stack.yml", text);
    let mut command = std::process::Command::new("sh");
    // The program takes the shell's place, and keeps its limit.
    command.args(["-c", r#"ulimit -d "$0" && exec "$@""#, &kilobytes.to_string()]);
    command.args([env!("CARGO_BIN_EXE_release-manager"), "stack", "config", "-c", "stack.yml", "shop"]);
    command.current_dir(scene.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn the_worst_stack_files_are_read_within_bounded_memory() {
    let scene = Scene::without_engine();
    let names = (0..90).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",");
    let bomb = lines(12, |level| {
        let below = level.saturating_sub(1);
        let items = if level == 0 { "x, ".repeat(10) } else { format!("*a{below}, ").repeat(10) };
        format!("x-a{level}: &a{level} [{items}]")
    });
    let rich = "x-a: &a {image: a, labels: {a: b, c: d}, ports: ['80'], environment: [A=b], dns: ['1.1.1.1']}\n";
    for (what, text, code) in [
        ("services", format!("services:\n{}", lines(10_000, |number| format!(" a{number}: {{image: a}}"))), 0),
        ("too many services", format!("services:\n{}", lines(50_000, |number| format!(" a{number}: {{image: a}}"))), 1),
        ("services by alias", format!("{rich}services:\n{}", lines(10_000, |number| format!(" a{number}: *a"))), 0),
        (
            "networks by alias",
            format!(
                "x-n: &n [{names}]\nnetworks: {{{names}}}\nservices:\n{}",
                lines(2_000, |number| format!(" a{number}: {{image: a, networks: *n}}"))
            ),
            0,
        ),
        (
            "networks",
            format!("services: {{a: {{image: a}}}}\nnetworks:\n{}", lines(90_000, |number| format!(" a{number}:"))),
            0,
        ),
        (
            "variables",
            format!("services:\n a:\n  image: a\n  environment:\n{}", lines(90_000, |number| format!("   A{number}:"))),
            0,
        ),
        ("ports", "services: {a: {image: a, ports: ['1-65535']}}".to_owned(), 0),
        ("aliases", bomb, 1),
        ("brackets", "[".repeat(1_000_000), 1),
        ("values", format!("services: [{}]", "{},".repeat(199_000)), 1),
    ] {
        let (ended, said) = config(&scene, &text, MOST_KILOBYTES).await;
        let start: String = said.chars().take(300).collect();
        assert_eq!(ended, Some(code), "{what}: {start}");
    }
    // The limit is one: a tenth of it is too little for a file that is taken.
    let services = lines(10_000, |number| format!(" a{number}: {{image: a}}"));
    let (ended, said) = config(&scene, &format!("services:\n{services}"), MOST_KILOBYTES / 10).await;
    assert_ne!(ended, Some(0), "{said}");
}
