//! `GET /api/docs`: the description of the API for people. It is drawn from the description itself, loads nothing, and
//! runs no script.

use std::fmt::{self, Write};

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::AppState;
use super::error::{KINDS, Problem};
use super::extract::Path;

const STYLE: &str = include_str!("docs.css");

/// The page.
pub(super) async fn docs(State(state): State<AppState>) -> Response {
    let mut response = Html(page(&state.description)).into_response();
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// `GET /problems/{slug}`: what the `type` of a problem leads to.
pub(super) async fn problem(Path(slug): Path<String>) -> Result<Redirect, Problem> {
    match KINDS.iter().find(|kind| kind.slug == slug) {
        Some(kind) => Ok(Redirect::temporary(&format!("/api/docs#problem-{}", kind.slug))),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such kind of problem".to_owned())),
    }
}

/// Text between tags or in an attribute.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Text<'a> {
    Text(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn page(description: &Value) -> String {
    let mut html = String::new();
    // Writing to a text cannot fail.
    let _ = draw(&mut html, description);
    html
}

fn draw(html: &mut String, description: &Value) -> fmt::Result {
    let info = &description["info"];
    write!(
        html,
        "<!DOCTYPE html><html lang=\"en-GB\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>API · Release Manager</title><style>{STYLE}</style>\
         </head><body><header><h1>{} API <small>{}</small></h1><p>{}</p><p><a href=\"/\">Dashboard</a> · \
         <a href=\"/api/openapi.json\">openapi.json</a></p></header><main>",
        text(info, "title"),
        text(info, "version"),
        text(info, "description"),
    )?;
    for tag in items(description, "tags") {
        draw_tag(html, description, tag)?;
    }
    draw_problems(html)?;
    draw_schemas(html, description)?;
    html.write_str("</main></body></html>\n")
}

fn draw_tag(html: &mut String, description: &Value, tag: &Value) -> fmt::Result {
    let name = &tag["name"];
    let operations: Vec<_> = members(description, "paths")
        .flat_map(|(path, methods)| methods.as_object().into_iter().flatten().map(move |known| (path, known)))
        .filter(|(_, (_, operation))| items(operation, "tags").contains(name))
        .collect();
    if operations.is_empty() {
        return Ok(());
    }
    write!(html, "<section><h2>{}</h2><p>{}</p>", text(tag, "name"), text(tag, "description"))?;
    for (path, (method, operation)) in operations {
        draw_operation(html, path, method, operation)?;
    }
    html.write_str("</section>")
}

fn draw_operation(html: &mut String, path: &str, method: &str, operation: &Value) -> fmt::Result {
    let (id, method) = (text(operation, "operationId"), method.to_uppercase());
    write!(
        html,
        "<details id=\"{id}\"><summary><b class=\"{method}\">{method}</b> <code>{}</code> <span>{}</span></summary>",
        Text(path),
        text(operation, "summary"),
    )?;
    write!(html, "<p>{}</p>", text(operation, "description"))?;
    draw_parameters(html, items(operation, "parameters"))?;
    for (_, content) in members(&operation["requestBody"], "content") {
        html.write_str("<h4>Body</h4><p>")?;
        draw_type(html, &content["schema"])?;
        html.write_str("</p>")?;
    }
    html.write_str("<h4>Answers</h4><table>")?;
    for (status, response) in members(operation, "responses") {
        write!(html, "<tr><th><code>{}</code></th><td>{}</td><td>", Text(status), text(response, "description"))?;
        if let Some((_, content)) = members(response, "content").next() {
            draw_type(html, &content["schema"])?;
        }
        html.write_str("</td></tr>")?;
    }
    html.write_str("</table></details>")
}

fn draw_parameters(html: &mut String, parameters: &[Value]) -> fmt::Result {
    if parameters.is_empty() {
        return Ok(());
    }
    html.write_str("<h4>Parameters</h4><table>")?;
    for parameter in parameters {
        write!(html, "<tr><th><code>{}</code></th><td>{}</td><td>", text(parameter, "name"), text(parameter, "in"))?;
        draw_type(html, &parameter["schema"])?;
        write!(html, "</td><td>{}</td></tr>", text(parameter, "description"))?;
    }
    html.write_str("</table>")
}

/// A type in a few words: `Plan`, `list of Finding`, `integer (at least 1)`.
fn draw_type(html: &mut String, schema: &Value) -> fmt::Result {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return write!(html, "<a href=\"#{0}\">{0}</a>", Text(name));
    }
    for (joint, alternatives) in [(" or ", items(schema, "oneOf")), (" and ", items(schema, "allOf"))] {
        for (index, alternative) in alternatives.iter().enumerate() {
            html.write_str(if index > 0 { joint } else { "" })?;
            draw_type(html, alternative)?;
        }
    }
    match &schema["type"] {
        Value::Array(types) => {
            let names: Vec<&str> = types.iter().filter_map(Value::as_str).collect();
            write!(html, "{}", Text(&names.join(" or ")))?;
        }
        Value::String(name) if name == "array" => html.write_str("list of ")?,
        Value::String(name) if name == "object" && schema.get("additionalProperties").is_some() => {
            html.write_str("by name: ")?;
            return draw_type(html, &schema["additionalProperties"]);
        }
        Value::String(name) => write!(html, "{}", Text(name))?,
        _ => (),
    }
    if schema.get("items").is_some() {
        draw_type(html, &schema["items"])?;
    }
    draw_bounds(html, schema)
}

fn draw_bounds(html: &mut String, schema: &Value) -> fmt::Result {
    let words: Vec<String> = items(schema, "enum").iter().map(ToString::to_string).collect();
    if !words.is_empty() {
        write!(html, ": <code>{}</code>", Text(&words.join(" | ")))?;
    }
    for (name, word) in [("minimum", "at least"), ("maximum", "at most"), ("default", "usually"), ("format", "")] {
        match schema.get(name) {
            Some(Value::String(value)) => write!(html, " ({word}{})", Text(value))?,
            Some(value) if !value.is_null() => write!(html, " ({word} {})", Text(&value.to_string()))?,
            _ => (),
        }
    }
    Ok(())
}

fn draw_problems(html: &mut String) -> fmt::Result {
    html.write_str("<section><h2>Problems</h2><p>The <code>type</code> of an error, for ever.</p><table>")?;
    for kind in KINDS {
        let statuses: Vec<String> = kind.statuses.iter().map(ToString::to_string).collect();
        write!(
            html,
            "<tr id=\"problem-{0}\"><th><code>/problems/{0}</code></th><td>{1}</td><td>{2}</td></tr>",
            Text(kind.slug),
            statuses.join(", "),
            Text(kind.meaning),
        )?;
    }
    html.write_str("</table></section>")
}

fn draw_schemas(html: &mut String, description: &Value) -> fmt::Result {
    html.write_str("<section><h2>Types</h2>")?;
    for (name, schema) in members(&description["components"], "schemas") {
        write!(html, "<article id=\"{0}\"><h3>{0}</h3><p>{1}</p>", Text(name), text(schema, "description"))?;
        if members(schema, "properties").next().is_none() {
            html.write_str("<p>")?;
            draw_type(html, schema)?;
            html.write_str("</p>")?;
        } else {
            html.write_str("<table>")?;
            for (name, property) in members(schema, "properties") {
                write!(html, "<tr><th><code>{}</code></th><td>", Text(name))?;
                draw_type(html, property)?;
                write!(html, "</td><td>{}</td></tr>", text(property, "description"))?;
            }
            html.write_str("</table>")?;
        }
        html.write_str("</article>")?;
    }
    html.write_str("</section>")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_description_says_is_text_and_never_markup() {
        let description = json!({
            "info": { "title": "<script>alert(1)</script>" },
            "components": { "schemas": { "A\"><b>": { "type": "string", "description": "<i>" } } },
        });
        let html = page(&description);
        assert!(!html.contains("<script") && !html.contains("<i>") && !html.contains("\"><b>"), "{html}");
    }

    #[test]
    fn a_type_is_told_in_a_few_words() {
        let drawn = |schema: Value| {
            let mut html = String::new();
            draw_type(&mut html, &schema).unwrap();
            html
        };
        assert_eq!(drawn(json!({ "type": "array", "items": { "$ref": "#/x/Y" } })), "list of <a href=\"#Y\">Y</a>");
        assert_eq!(
            drawn(json!({ "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 1 }] })),
            "null or integer (at least 1)"
        );
        assert_eq!(
            drawn(json!({ "type": "string", "enum": ["a", "b"] })),
            "string: <code>&quot;a&quot; | &quot;b&quot;</code>"
        );
    }
}
