//! Mounts of a service.

use serde_json::Value;

use super::Context;
use super::json::Json;
use crate::stack::findings::Findings;
use crate::stack::load::model::{Mount, Service, Volume};

pub(super) fn convert(context: Context<'_>, service: &Service, findings: &mut Findings) -> Vec<Value> {
    let convert = |mount: &Mount| {
        // What a volume says is repeated in every mount of it.
        let repeated = context.document.volumes.get(&mount.source).map_or(0, size);
        let spec = findings.take_text(&mount.place, repeated).then(|| mount_spec(context, mount))?;
        findings.take(&mount.place, spec)
    };
    service.mounts.iter().filter_map(convert).map(Value::from).collect()
}

fn mount_spec(context: Context<'_>, mount: &Mount) -> Result<Json, String> {
    let kind = mount.kind.as_str();
    let base = Json::default().put("Type", kind).text("Target", &mount.target).flag("ReadOnly", mount.read_only);
    if mount.target.is_empty() {
        return Err("`target` is missing: name the directory in the container".to_owned());
    }
    match kind {
        "volume" => volume(context, mount, base),
        "bind" => bind(mount, base),
        "npipe" => pipe(mount, base),
        "tmpfs" => tmpfs(mount, base),
        "cluster" => cluster(context, mount, base),
        "image" => image(mount, base),
        _ => Err(format!("`{kind}` is no type of volume: use volume, bind, tmpfs, npipe, cluster or image")),
    }
}

fn size(volume: &Volume) -> usize {
    let pairs = volume.labels.iter().chain(volume.driver_opts.iter().flatten());
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}

fn incompatible(mount: &Mount, kind: &str, bind: bool, volume: bool, tmpfs: bool) -> Result<(), String> {
    let foreign = [
        ("bind", mount.bind.is_some() && !bind),
        ("volume", mount.volume.is_some() && !volume),
        ("tmpfs", mount.tmpfs.is_some() && !tmpfs),
    ];
    match foreign.into_iter().find(|(_, found)| *found) {
        Some((options, _)) => Err(format!("`{options}` options do not fit a mount of type {kind}: remove them")),
        None => Ok(()),
    }
}

fn volume(context: Context<'_>, mount: &Mount, base: Json) -> Result<Json, String> {
    incompatible(mount, "volume", false, true, false)?;
    if mount.source.is_empty() {
        return Ok(base);
    }
    let declared = declared(context, &mount.source)?;
    let given = mount.volume.clone().unwrap_or_default();
    let mut options = Json::default().flag("NoCopy", given.no_copy).text("Subpath", &given.subpath);
    if !declared.external {
        options = options.put("Labels", context.labels(&declared.labels)).some("DriverConfig", driver(declared));
    }
    let source = context.named(&mount.source, declared.name.as_ref());
    Ok(base.put("Source", source).text("Consistency", &mount.consistency).put("VolumeOptions", options))
}

fn declared<'a>(context: Context<'a>, key: &str) -> Result<&'a Volume, String> {
    context.document.volumes.get(key).ok_or_else(|| {
        format!(
            "there is no volume `{key}`: add it to `volumes` at the top level, or write a path that begins with `/`"
        )
    })
}

/// An empty `driver_opts` counts as a driver's, too.
fn driver(volume: &Volume) -> Option<Json> {
    if volume.driver.is_empty() && volume.driver_opts.is_none() {
        return None;
    }
    let options = volume.driver_opts.clone().unwrap_or_default();
    Some(Json::default().text("Name", &volume.driver).strings("Options", &options))
}

fn bind(mount: &Mount, base: Json) -> Result<Json, String> {
    incompatible(mount, "bind", true, false, false)?;
    let options = mount.bind.as_ref().map(|propagation| Json::default().text("Propagation", propagation));
    Ok(base.text("Source", &mount.source).text("Consistency", &mount.consistency).some("BindOptions", options))
}

fn pipe(mount: &Mount, base: Json) -> Result<Json, String> {
    if mount.source.is_empty() {
        return Err("a named pipe needs a `source`".to_owned());
    }
    incompatible(mount, "npipe", true, false, false)?;
    let options = mount.bind.as_ref().map(|propagation| Json::default().text("Propagation", propagation));
    Ok(base.text("Source", &mount.source).text("Consistency", &mount.consistency).some("BindOptions", options))
}

fn tmpfs(mount: &Mount, base: Json) -> Result<Json, String> {
    incompatible(mount, "tmpfs", false, false, true)?;
    if !mount.source.is_empty() {
        return Err("a tmpfs has no `source`: remove it".to_owned());
    }
    Ok(base.some("TmpfsOptions", mount.tmpfs.map(|size| Json::default().number("SizeBytes", size))))
}

fn cluster(context: Context<'_>, mount: &Mount, base: Json) -> Result<Json, String> {
    incompatible(mount, "cluster", false, false, false)?;
    let source = if mount.source.is_empty() {
        return Err("a cluster volume needs a `source`".to_owned());
    } else if mount.source.starts_with("group:") {
        mount.source.clone()
    } else {
        context.named(&mount.source, declared(context, &mount.source)?.name.as_ref())
    };
    Ok(base.put("Source", source).text("Consistency", &mount.consistency).put("ClusterOptions", Json::default()))
}

fn image(mount: &Mount, base: Json) -> Result<Json, String> {
    incompatible(mount, "image", false, false, false)?;
    if mount.source.is_empty() {
        return Err("a mounted image needs a `source`".to_owned());
    }
    Ok(base.put("Source", mount.source.as_str()).text("Consistency", &mount.consistency))
}
