//! Any bytes as a stack file, and as two that are merged: an error or a stack, never a panic, and the same twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_manager::names::StackName;
use release_manager::plan;
use release_manager::ports::Files;
use release_manager::stack::{Input, Reach, StackFile, Variables, referenced_files, render};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, second) = text.split_once('\u{1f}').map_or((text, None), |(first, second)| (first, Some(second)));
    let file = |path: &str, text: &str| StackFile { path: path.parse().expect("a path"), text: text.to_owned() };
    let mut files = vec![file("a.yml", first)];
    files.extend(second.map(|second| file("b.yml", second)));
    let stack: StackName = "fuzz".parse().expect("a name");
    let variables = Variables::from([("A".to_owned(), "1".to_owned()), ("EMPTY".to_owned(), String::new())]);
    let input = Input { stack: &stack, files: &files, variables: &variables, bind_base: Some("/srv"), reach: Reach::Repository };
    let named = referenced_files(input).unwrap_or_default();
    let at_hand: Files = named.into_iter().map(|path| (path, b"A=1\n".to_vec())).collect();
    let result = render(input, &at_hand);
    assert_eq!(result, render(input, &at_hand));
    if let Ok((stack, _)) = result {
        let plan = plan::plan(&stack, &Default::default(), None);
        assert_eq!(plan.hash(), plan::plan(&stack, &Default::default(), None).hash());
    }
});
