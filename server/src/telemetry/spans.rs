//! Notes every span while it is open, and hands it over once it is closed, in the words of OTLP (JSON over HTTP).

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::export::Exporter;
use super::settings::TraceSettings;

/// Spans that wait to be sent. Where the collector does not keep up, the newest are lost, and counted.
const QUEUE: usize = 4096;
/// The most that is noted of one span.
const MOST_EVENTS: usize = 128;
/// The longest text that is noted.
const LONGEST: usize = 2048;

/// What notes, and what sends.
pub(super) fn noting(settings: TraceSettings) -> (Noting, Exporter) {
    let (closed, waiting) = mpsc::channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    (Noting { closed, lost: Arc::clone(&lost) }, Exporter::new(settings, waiting, lost))
}

/// The layer that notes.
pub(super) struct Noting {
    closed: mpsc::Sender<Value>,
    lost: Arc<AtomicU64>,
}

/// A span that is open.
struct Open {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    name: &'static str,
    started: SystemTime,
    attributes: Fields,
    events: Vec<Value>,
    failed: bool,
}

impl Open {
    fn close(self) -> Value {
        let mut span = json!({
            "traceId": format!("{:032x}", self.trace),
            "spanId": format!("{:016x}", self.id),
            "name": self.name,
            // A request is served; all else goes on within.
            "kind": if self.name == "request" { 2 } else { 1 },
            "startTimeUnixNano": nanos(self.started),
            "endTimeUnixNano": nanos(SystemTime::now()),
            "attributes": self.attributes.0,
            "events": self.events,
            "status": if self.failed { json!({ "code": 2 }) } else { json!({}) },
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        span
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Noting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent =
            span.parent().and_then(|parent| parent.extensions().get::<Open>().map(|open| (open.trace, open.id)));
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(Open {
            trace: parent.map_or_else(|| u128::from(random()) << 64 | u128::from(random()), |(trace, _)| trace),
            id: random(),
            parent: parent.map(|(_, id)| id),
            name: span.name(),
            started: SystemTime::now(),
            attributes: fields,
            events: Vec::new(),
            failed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut open.attributes);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        open.failed |= *event.metadata().level() == Level::ERROR;
        if open.events.len() < MOST_EVENTS {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let name = fields.take("message").unwrap_or_else(|| event.metadata().name().to_owned());
            open.events.push(json!({ "timeUnixNano": nanos(SystemTime::now()), "name": name, "attributes": fields.0 }));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let open = context.span(&id).and_then(|span| span.extensions_mut().remove::<Open>());
        if let Some(open) = open
            && self.closed.try_send(open.close()).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The fields of a span or an event, as attributes.
#[derive(Default)]
struct Fields(Vec<Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: &Value) {
        self.0.push(json!({ "key": field.name(), "value": value }));
    }

    fn text(&mut self, field: &Field, mut text: String) {
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
        }
        self.put(field, &json!({ "stringValue": text }));
    }

    /// Takes a text out.
    fn take(&mut self, key: &str) -> Option<String> {
        let place = self.0.iter().position(|known| known["key"] == key)?;
        self.0.remove(place)["value"]["stringValue"].as_str().map(str::to_owned)
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, &json!({ "doubleValue": value }));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        // In JSON a 64-bit number is a text.
        self.put(field, &json!({ "intValue": value.to_string() }));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &json!({ "intValue": value.to_string() }));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, &json!({ "boolValue": value }));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}

fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// A number that only has to differ from the others, and is not 0: std's hasher is keyed anew each time.
fn random() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn noted(work: impl FnOnce()) -> Vec<Value> {
        let (closed, mut waiting) = mpsc::channel(8);
        let noting = Noting { closed, lost: Arc::default() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(noting), work);
        std::iter::from_fn(|| waiting.try_recv().ok()).collect()
    }

    #[test]
    fn a_span_within_another_belongs_to_its_trace() {
        let spans = noted(|| {
            let outer = tracing::info_span!("request", request.id = "r1", status = tracing::field::Empty);
            outer.record("status", 202_u16);
            let _entered = outer.enter();
            let _inner = tracing::info_span!("deployment", deployment.id = 7_i64, held = false).entered();
        });
        let [inner, outer] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((&inner["traceId"], &inner["parentSpanId"]), (&outer["traceId"], &outer["spanId"]));
        assert_eq!((inner["kind"].as_i64(), outer["kind"].as_i64()), (Some(1), Some(2)));
        assert!(outer.get("parentSpanId").is_none() && outer["traceId"].as_str().unwrap().len() == 32);
        assert_eq!(
            inner["attributes"],
            json!([
                { "key": "deployment.id", "value": { "intValue": "7" } },
                { "key": "held", "value": { "boolValue": false } },
            ])
        );
        assert_eq!(outer["attributes"][1], json!({ "key": "status", "value": { "intValue": "202" } }));
    }

    #[test]
    fn what_is_logged_within_stands_there_and_an_error_marks_it_as_failed() {
        let spans = noted(|| {
            let _span = tracing::info_span!("poll").entered();
            tracing::info!(revision = "abc", "Looked");
            tracing::error!("{}", "x".repeat(LONGEST + 1));
        });
        assert_eq!(spans[0]["status"], json!({ "code": 2 }));
        assert_eq!(spans[0]["events"][0]["name"], "Looked");
        assert_eq!(spans[0]["events"][0]["attributes"][0]["key"], "revision");
        assert_eq!(spans[0]["events"][1]["name"].as_str().unwrap().len(), LONGEST);
    }
}
