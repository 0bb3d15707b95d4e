//! The sample prod: a stack that was running before Release Manager came, as most are.

use std::collections::BTreeMap;

use release_manager::manager::{Ports, Settings};
use release_manager::names::RepoPath;
use release_manager::{env_file, plan, stack};

/// Deploys prod from its own env file, unless prod has a stack or a history. Like somebody who has
/// used `docker stack deploy` so far: Release Manager then adopts what runs.
pub async fn prod(ports: &Ports, settings: &Settings) -> Result<(), String> {
    let Some(prod) = settings.pipeline.environments().last() else { return Ok(()) };
    let known = ports.ledger.latest(&prod.name).await.map_err(words)?;
    let live = ports.swarm.live(&prod.stack).await.map_err(words)?;
    if known.is_some() || !live.services.is_empty() {
        return Ok(());
    }
    let head = ports.source.head().await.map_err(words)?.sha;
    let read = async |path: &RepoPath| ports.source.read(path, &head).await.map_err(words);
    let mut variables = env_file::parse(&read(&prod.env_file).await?).map_err(|errors| format!("{errors:?}"))?;
    variables.entry("ENV_NAME".to_owned()).or_insert_with(|| prod.name.to_string());
    let mut files = Vec::new();
    for path in &prod.stack_files {
        let text = String::from_utf8(read(path).await?).map_err(words)?;
        files.push(stack::StackFile { path: path.clone(), text });
    }
    let input = stack::Input {
        stack: &prod.stack,
        files: &files,
        variables: &variables,
        bind_base: None,
        reach: stack::Reach::Repository,
    };
    let mut contents = release_manager::ports::Files::new();
    for path in stack::referenced_files(input).map_err(|errors| format!("{errors:?}"))? {
        let content = read(&path).await?;
        contents.insert(path, content);
    }
    let (rendered, _) = stack::render(input, &contents).map_err(|errors| format!("{errors:?}"))?;
    // As `docker stack deploy` does: a service runs the very image that its registry has under the name now.
    let mut images = BTreeMap::new();
    for (service, wanted) in &rendered.services {
        let image = plan::image_of(&wanted.spec).unwrap_or_default();
        if let Some(pinned) = ports.swarm.pin(image).await.map_err(words)?.pinned() {
            images.insert(service.clone(), pinned);
        }
    }
    let rendered = plan::with_pins(&rendered, &images);
    for action in plan::plan(&rendered, &live, None).actions {
        if let Some(write) = &action.write {
            ports.swarm.apply(write).await.map_err(words)?;
        }
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
fn words(error: impl ToString) -> String {
    error.to_string()
}
