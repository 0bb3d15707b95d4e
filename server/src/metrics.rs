//! Numbers for Prometheus: what is counted as it happens, and what is looked up when somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use release_manager::health::HealthStatus;
use release_manager::live::Live;
use release_manager::ports::SourceError;
use release_manager::time::Timestamp;

use crate::store::Tally;

/// The upper bounds, in seconds, of how long requests take.
const REQUEST_SECONDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HealthLabels {
    environment: String,
    health: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    environment: String,
    status: String,
}

/// What is counted over all of a process' life. Cheap to share.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    polls: Family<ResultLabels, Counter>,
    rate_limit_left: Gauge,
    source_checked: Gauge<f64, AtomicU64>,
    source_problem: Gauge,
    engine_problem: Gauge,
    services: Family<HealthLabels, Gauge>,
    deployments: Family<OutcomeLabels, Counter>,
    deployment_seconds: Family<OutcomeLabels, Counter<f64, AtomicU64>>,
    viewers: Gauge,
    database_bytes: Gauge,
    backup: Gauge<f64, AtomicU64>,
}

/// What is looked up when somebody asks.
#[derive(Debug)]
pub struct Now<'a> {
    /// What moves.
    pub live: &'a Live,
    /// The deployments that are stored, by environment and status.
    pub deployments: &'a [Tally],
    /// The size of the database with what stands beside it.
    pub database_bytes: u64,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::with_lost_lines(Counter::default())
    }

    /// Nothing counted yet but the log lines that were lost, which are counted where they are.
    pub fn with_lost_lines(lost: Counter) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(REQUEST_SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            polls: Family::default(),
            rate_limit_left: Gauge::default(),
            source_checked: Gauge::default(),
            source_problem: Gauge::default(),
            engine_problem: Gauge::default(),
            services: Family::default(),
            deployments: Family::default(),
            deployment_seconds: Family::default(),
            viewers: Gauge::default(),
            database_bytes: Gauge::default(),
            backup: Gauge::default(),
        };
        metrics.rate_limit_left.set(-1);
        metrics.register(lost);
        metrics
    }

    fn register(&mut self, lost: Counter) {
        self.registry.register_collector(Box::new(Process));
        let ours = self.registry.sub_registry_with_prefix("release_manager");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The version that runs", version);
        ours.register("http_requests", "Requests answered", self.requests.clone());
        ours.register_with_unit("http_request", "How long requests took", Unit::Seconds, self.request_seconds.clone());
        ours.register("log_lines_lost", "Log lines that standard error did not take", lost);
        ours.register("source_polls", "Times the source was asked for its newest revision", self.polls.clone());
        ours.register(
            "source_rate_limit_left",
            "Requests that GitHub still allows; -1 while it has not said",
            self.rate_limit_left.clone(),
        );
        ours.register(
            "source_checked_timestamp",
            "When the source last answered, as seconds since 1970; 0 while it never has",
            self.source_checked.clone(),
        );
        ours.register("source_problem", "1 while the source does not answer", self.source_problem.clone());
        ours.register("engine_problem", "1 while the Docker Engine cannot be used", self.engine_problem.clone());
        ours.register("services", "Services by environment and health", self.services.clone());
        ours.register("deployments", "Deployments in history by environment and status", self.deployments.clone());
        ours.register_with_unit(
            "deployment",
            "How long those that have ended took, added up",
            Unit::Seconds,
            self.deployment_seconds.clone(),
        );
        ours.register("event_viewers", "Open streams of live events", self.viewers.clone());
        ours.register_with_unit(
            "database",
            "Size of the database and what stands beside it",
            Unit::Bytes,
            self.database_bytes.clone(),
        );
        ours.register(
            "backup_timestamp",
            "When the last scheduled backup was made, as seconds since 1970; 0 while none was",
            self.backup.clone(),
        );
    }

    /// A request was answered. Paths that belong to no route count together, so that nobody can make names up.
    pub fn count_request(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let route = route.unwrap_or("other").to_owned();
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let method = if known.contains(method) { method.to_string() } else { "other".to_owned() };
        self.request_seconds.get_or_create(&RouteLabels { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status: status.as_u16() }).inc();
    }

    /// The source was asked.
    pub fn count_poll<T>(&self, answer: &Result<T, SourceError>) {
        let result = match answer {
            Ok(_) => "ok",
            Err(SourceError::RateLimited { .. }) => "rate_limited",
            Err(SourceError::Unauthorised { .. }) => "unauthorised",
            Err(SourceError::Unreachable { .. }) => "unreachable",
            Err(_) => "refused",
        };
        self.polls.get_or_create(&ResultLabels { result }).inc();
    }

    /// How many requests the host still allows.
    pub fn rate_limit_left(&self, left: i64) {
        self.rate_limit_left.set(left);
    }

    /// A backup was made by the schedule.
    pub fn backed_up(&self, at: Timestamp) {
        self.backup.set(seconds(at));
    }

    /// Somebody follows what moves, until the returned value is dropped.
    pub fn viewer(self: &Arc<Self>) -> Viewer {
        self.viewers.inc();
        Viewer(Arc::clone(self))
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self, now: &Now<'_>) -> Result<String, std::fmt::Error> {
        self.note(now);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn note(&self, now: &Now<'_>) {
        self.source_checked.set(now.live.source.checked_at.map_or(0.0, seconds));
        self.source_problem.set(i64::from(now.live.source.problem.is_some()));
        self.engine_problem.set(i64::from(now.live.engine_problem.is_some()));
        self.database_bytes.set(i64::try_from(now.database_bytes).unwrap_or(i64::MAX));
        let healths =
            [HealthStatus::Healthy, HealthStatus::Unhealthy, HealthStatus::Progressing, HealthStatus::Unknown];
        for (name, environment) in &now.live.environments {
            for health in healths {
                let count = environment.health.services.values().filter(|known| known.status == health).count();
                let labels = HealthLabels { environment: name.to_string(), health: health.as_str() };
                self.services.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        for tally in now.deployments {
            let labels = OutcomeLabels { environment: tally.environment.clone(), status: tally.status.clone() };
            self.deployments.get_or_create(&labels).inner().store(tally.count, Ordering::Relaxed);
            let seconds = tally.took.as_secs_f64();
            self.deployment_seconds.get_or_create(&labels).inner().store(seconds.to_bits(), Ordering::Relaxed);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.seconds_since(Timestamp::from_millis(0))
}

/// Whoever follows what moves.
#[derive(Debug)]
pub struct Viewer(Arc<Metrics>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.dec();
    }
}

/// What Linux knows of this process. Absent elsewhere.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(bytes) = resident_bytes() else { return Ok(()) };
        let gauge = ConstGauge::new(bytes);
        let unit = Some(&Unit::Bytes);
        let metric = encoder.encode_descriptor("process_resident_memory", "Memory in use", unit, MetricType::Gauge)?;
        gauge.encode(metric)
    }
}

fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// How many requests a host still allows: set by whoever speaks to it, read by whoever counts. -1 while it has not said.
#[derive(Debug, Clone)]
pub struct RateLimitLeft(Arc<AtomicI64>);

impl Default for RateLimitLeft {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(-1)))
    }
}

impl RateLimitLeft {
    /// The host has said it.
    pub fn set(&self, left: u64) {
        self.0.store(i64::try_from(left).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// What it said last.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
