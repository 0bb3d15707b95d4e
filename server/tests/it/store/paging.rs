//! Pages of history behind a row: the same rows as by counting, and found by an index however rare they are.

use std::fs;

use release_manager::deployment::HistoryFilter;
use release_manager::ports::Ledger;
use serde_json::Value;
use sqlx::{Row, SqlitePool};

use super::samples::{Scratch, deploy, deployment, environment, second, service};

#[tokio::test]
async fn a_page_behind_any_row_is_what_counting_gives_also_where_the_filter_does_not_take_that_row() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    for (index, (place, services)) in
        [("prod", "web=1 db=1"), ("preprod", "web=2"), ("prod", "db=2"), ("preprod", "db=3 web=3"), ("prod", "web=4")]
            .into_iter()
            .enumerate()
    {
        let digit = char::from_digit(u32::try_from(index).unwrap() + 10, 16).unwrap();
        deploy(&store, &deployment(place, digit, services), second(1)).await;
    }
    let all = store.history(&HistoryFilter { limit: 50, ..HistoryFilter::default() }).await.unwrap().rows;
    assert_eq!(all.len(), 7);
    for place in [None, Some(environment("prod")), Some(environment("preprod")), Some(environment("nowhere"))] {
        for of in [None, Some(service("web")), Some(service("none"))] {
            for before in 0..=9 {
                let filter = HistoryFilter {
                    environment: place.clone(),
                    service: of.clone(),
                    before: Some(before),
                    limit: 2,
                    ..HistoryFilter::default()
                };
                let taken = all.iter().filter(|row| {
                    row.id < before
                        && place.as_ref().is_none_or(|place| *place == row.environment)
                        && of.as_ref().is_none_or(|of| *of == row.service)
                });
                let expected: Vec<_> = taken.map(|row| row.id).take(2).collect();
                let page = store.history(&filter).await.unwrap();
                assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_question_for_a_page_finds_its_rows_by_an_index() {
    let scratch = Scratch::new();
    scratch.open().await.close().await;
    let pool = SqlitePool::connect(&format!("sqlite://{}", scratch.path().display())).await.unwrap();
    let mut asked = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx")).unwrap() {
        let known: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let query = known["query"].as_str().unwrap();
        let is_of_a_page = query.starts_with("select") && query.contains(" from history") && query.contains("nth");
        if !is_of_a_page || query.contains("order by") {
            continue;
        }
        let plan =
            sqlx::query(sqlx::AssertSqlSafe(format!("explain query plan {query}"))).fetch_all(&pool).await.unwrap();
        for step in plan {
            let step: String = step.get("detail");
            let by_index = step.contains("INDEX history_nth") || step.ends_with("PRIMARY KEY (rowid=?)");
            assert!(step.starts_with("SEARCH history USING") && by_index, "{query}: {step}");
        }
        asked += 1;
    }
    assert_eq!(asked, 9, "four pages, four totals, and the row of the cursor");
}
