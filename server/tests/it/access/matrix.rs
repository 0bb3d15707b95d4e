//! Every route with every method, without a login and with each role: what the router has is compared with the table,
//! and the table with what is answered.

use std::collections::BTreeSet;

use release_manager::access::{Grant, Operation, Place, Role};
use reqwest::{Method, StatusCode};
use server::http::{Access, access_of};

use super::house::{House, everywhere, only};

/// The paths of the router, as it prints itself.
pub(super) fn paths(house: &House) -> BTreeSet<String> {
    let printed = format!("{:?}", house.router);
    let quoted = printed.split('"').skip(1).step_by(2);
    // The last two are axum's own: the fallback.
    quoted.filter(|text| text.starts_with('/') && !text.contains("__private__")).map(str::to_owned).collect()
}

/// A path that matches, of an environment that there is.
pub(super) fn concrete(path: &str, environment: &str, id: &str) -> String {
    let part = |part: &str| match part {
        "{environment}" => environment.to_owned(),
        "{id}" => id.to_owned(),
        "{service}" => "web".to_owned(),
        other if other.starts_with('{') => "something".to_owned(),
        other => other.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn status(house: &House, method: &Method, path: &str, token: Option<&str>) -> StatusCode {
    let mut request = house.request(method.clone(), &concrete(path, "prod", "1"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_stands_in_the_table_and_is_answered_as_it_says() {
    let house = House::new().await;
    let mut roles = Vec::new();
    for (name, grant) in [
        ("viewer", everywhere(Role::Viewer)),
        ("preprod", only("preprod")),
        ("prod", only("prod")),
        ("deployer", everywhere(Role::Deployer)),
        ("admin", everywhere(Role::Admin)),
    ] {
        roles.push((name, house.token(name, grant.clone()).await, grant));
    }
    let admin = roles.last().unwrap().1.clone();
    let mut seen = 0;
    for path in paths(&house) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let by_admin = status(&house, &method, &path, Some(&admin)).await;
            if by_admin == StatusCode::METHOD_NOT_ALLOWED {
                continue;
            }
            seen += 1;
            let access = access_of(&method, &path)
                .unwrap_or_else(|| panic!("{method} {path} stands in no table: say which operation it is"));
            let stranger = status(&house, &method, &path, None).await;
            let Access::Needs(operation) = access else {
                assert_eq!(stranger, by_admin, "{method} {path} is the same for everybody");
                continue;
            };
            assert_eq!(stranger, StatusCode::UNAUTHORIZED, "{method} {path} without a login");
            for (name, token, grant) in &roles {
                let answer = status(&house, &method, &path, Some(token)).await;
                let refused = answer == StatusCode::FORBIDDEN;
                assert_eq!(refused, !may(grant, operation, &path), "{method} {path} as {name}: {answer}");
                assert_ne!(answer, StatusCode::UNAUTHORIZED, "{method} {path} as {name}");
            }
        }
    }
    assert!(seen > 40, "the router did not show its routes: {seen}");
    house.close().await;
}

/// What the rules say, in other words than the code's.
fn may(grant: &Grant, operation: Operation, path: &str) -> bool {
    let rule = operation.rule();
    let here = rule.place == Place::Everywhere
        || !path.contains("{environment}")
        || grant.scope().contains(&"prod".parse().unwrap());
    // Whoever may not even read users is told so by the page itself.
    let page = matches!(path, "/settings/users" | "/settings/tokens" | "/audit");
    grant.role() >= if page { Role::Admin } else { rule.needs } && (here || rule.needs == Role::Viewer)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_function_and_page_stands_in_the_table() {
    let house = House::new().await;
    let paths = paths(&house);
    for (path, _) in app::access::SERVER_FUNCTIONS {
        assert!(paths.contains(*path), "{path} stands in the table, but there is no such server function");
    }
    for (path, _) in app::access::PAGES {
        assert!(paths.contains(*path), "{path} stands in the table, but there is no such page");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployer_of_preprod_gives_no_order_to_prod_by_any_door() {
    let house = House::new().await;
    let token = house.token("preprod", only("preprod")).await;
    for (path, form) in [("/rpc/promote", "environment=ENV&all=true&seen=x"), ("/rpc/retry", "environment=ENV")] {
        for (environment, refused) in [("prod", true), ("preprod", false)] {
            let form = form.replace("ENV", environment);
            let request = house.post(path).bearer_auth(&token).body(form.clone());
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status() == StatusCode::FORBIDDEN, refused, "{path} {form}: {}", answer.status());
        }
    }
    let body = r#"{"confirm": true}"#;
    for (environment, refused) in [("prod", true), ("preprod", false)] {
        let request = house.post(&format!("/api/deploy/{environment}")).bearer_auth(&token).body(body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status() == StatusCode::FORBIDDEN, refused, "{environment}: {}", answer.status());
    }
    house.close().await;
}
