//! The gateway before the real services on SQLite. The payment provider cannot be reached, so
//! orders that cost something stay pending.

mod contract;
mod life;
mod listeners;
mod operations;
mod pressure;
mod shop;
mod slow;
mod streams;

use crate::http::edge::{RequestSpan, edge};
use crate::limits::Senses;
use crate::server::Shared;
use crate::{GatewayConfig, Probes, Readiness, Services, render_life_answer, render_order_answer};
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, middleware};
use actors::{BatchLimits, Home, SystemClock, SystemIds};
use broker::{Broker, BrokerConfig, FollowConfig};
use customers::CustomersConfig;
use domain::Clock;
use flags::Flags;
use inventory::{StockCache, StockCacheConfig};
use orders::{OrdersConfig, Parts, Pricer};
use payments::{AuthorizationExpiry, HttpProvider, ProviderConfig};
use recommendations::{Recommendations, RecommendationsConfig};
use resilience::{BreakerConfig, BulkheadConfig, DependencyConfig, RetryBudgetConfig, RetryPolicy};
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use topology::Edge;
use tracing_actix_web::TracingLogger;

/// The key with every scope.
const ADMIN: &str = "admin-key-0123456789";
/// A key that may place orders, but not name prices.
const SHOPPER: &str = "shopper-key-0123456789";
/// A key that may only read products.
const READER: &str = "reader-key-0123456789";

/// An answer, read to its end.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and code of a problem, whose form is checked.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let json = self.json();
        for member in ["type", "title", "status", "code", "message", "details", "trace_id"] {
            assert!(!json[member].is_null(), "{member} is missing: {}", self.body);
        }
        assert_eq!(json["status"], self.status);
        assert_eq!(json["trace_id"], self.header("x-trace-id"));
        (self.status, json["code"].as_str().unwrap_or("").to_owned())
    }
}

type Answering = Pin<Box<dyn Future<Output = Told>>>;

/// A client of the gateway.
struct Client(Box<dyn Fn(TestRequest) -> Answering>);

impl Client {
    async fn new(shared: Shared) -> Self {
        let app = App::new()
            .configure(move |config| shared.public(config))
            .wrap(middleware::from_fn(edge))
            .wrap(TracingLogger::<RequestSpan>::new());
        let app = init_service(app).await;
        let app = std::rc::Rc::new(app);
        Self(Box::new(move |request| {
            let app = app.clone();
            Box::pin(async move {
                let response: actix_web::HttpResponse<BoxBody> =
                    match try_call_service(&*app, request.to_request()).await {
                        Ok(response) => response.into_parts().1.map_into_boxed_body(),
                        Err(error) => error.error_response(),
                    };
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = actix_web::body::to_bytes(response.into_body()).await;
                let body = String::from_utf8(body.expect("a body").to_vec()).expect("text");
                Told { status, headers, body }
            })
        }))
    }

    async fn send(&self, request: TestRequest) -> Told {
        (self.0)(request).await
    }

    /// Asks with the key of the administrator.
    async fn ask(&self, method: Method, path: &str) -> Told {
        self.send(request(ADMIN, method, path)).await
    }

    async fn get(&self, path: &str) -> Told {
        self.ask(Method::GET, path).await
    }

    /// Sends a JSON body with an idempotency key.
    async fn post(&self, path: &str, key: &str, body: &Value) -> Told {
        let request = request(ADMIN, Method::POST, path).insert_header(("Idempotency-Key", key));
        self.send(request.set_json(body)).await
    }
}

/// A request with an API key.
fn request(key: &str, method: Method, path: &str) -> TestRequest {
    let bearer = ("Authorization", format!("Bearer {key}"));
    TestRequest::default().method(method).uri(path).insert_header(bearer)
}

/// Runs `test` before a shop with its keys, products A (free of charge) and B (1.99 USD), and 10
/// units of each.
fn in_a_shop<F: Future<Output = ()>>(test: impl FnOnce(Services, Client) -> F) {
    // The second call in a process is refused; the first one counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        let services = services(&db).await;
        for (name, secret, scopes) in [
            ("admin", ADMIN, "*"),
            ("shopper", SHOPPER, "orders:write products:read"),
            ("reader", READER, "products:read"),
        ] {
            services.customers.ensure_key(name, secret, scopes).await.expect("a key");
        }
        let senses = Senses::of(Vec::new(), probes().database);
        let shared = Shared::new(services.clone(), probes(), &config(), senses);
        let shared = shared.expect("a document");
        let client = Client::new(shared).await;
        for (sku, unit_amount) in [("A", 0), ("B", 199)] {
            let product = json!({"name": sku, "unit_amount": unit_amount, "currency": "USD"});
            let put = request(ADMIN, Method::PUT, &format!("/v1/products/{sku}"));
            assert_eq!(client.send(put.set_json(product)).await.status, 200);
            let path = format!("/v1/stock/{sku}/adjustments");
            let told = client.post(&path, &format!("open-{sku}"), &json!({"delta": 10})).await;
            assert_eq!(told.status, 200, "{}", told.body);
        }
        let broker = services.broker.clone();
        test(services, client).await;
        broker.drain().await;
        db.close().await;
    });
}

fn probes() -> Probes {
    let reasons = vec!["draining".to_owned()];
    Probes {
        ready: Arc::new(move || Readiness::NotReady(reasons.clone())),
        database: Arc::new(|| true),
        metrics: Arc::new(|| "orders_total 7\n".to_owned()),
        topology: Arc::new(topology::Report::default),
        diagnostics: Arc::new(crate::NoDiagnostics),
    }
}

fn config() -> GatewayConfig {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    GatewayConfig::new(any, any, [9; 32])
}

async fn services(db: &Db) -> Services {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let here = Home::current();
    let config = CustomersConfig::new(rand::random);
    let customers = customers::start(db.clone(), clock.clone(), ids.clone(), config, &here).await;
    let customers = customers.expect("starts");
    let catalog = catalog::start(db.clone(), clock.clone(), &here).await.expect("starts");
    let cache = StockCache::new(StockCacheConfig::default(), clock.clone(), Edge::unseen());
    let inventory = inventory::start(db.clone(), clock.clone(), ids.clone(), cache, &here);
    let provider = Arc::new(HttpProvider::new(provider()).expect("a provider"));
    let payments = payments::start(db.clone(), clock.clone(), customers.clone(), provider, &here);
    let broker = broker(db, clock.clone(), &here).await;
    let waker = broker.clone();
    let flags = Flags::fixed(orders::FLAGS);
    let parts = Parts {
        db: db.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        catalog: catalog.clone(),
        pricer: Pricer::new(flags.clone()),
        inventory: inventory.clone(),
        payments: payments.clone(),
        render: render_order_answer,
        render_life: render_life_answer,
        committed: Arc::new(move |partitions| waker.wake(partitions.iter().copied())),
    };
    let config = OrdersConfig {
        lanes: 1,
        waiting_max: 100,
        batch: BatchLimits { items_max: 100, weight_max: 8_000, in_flight_max: 1 },
        charge_patience: Duration::from_secs(30),
        reconcile_every: Duration::from_secs(3_600),
        stuck_after: Duration::from_secs(3_600),
        stuck_visible: Duration::from_secs(3_600),
        payment_expiry: Duration::from_secs(3_600),
        give_up_after: Duration::from_secs(3_600),
        lease: Duration::from_secs(15),
        audit_every: Duration::from_secs(3_600),
        answers_kept: Duration::from_secs(3_600),
    };
    let orders = orders::start(parts, &config, std::slice::from_ref(&here));
    let limits = RecommendationsConfig::default();
    let recommendations = Recommendations::new(Arc::new(|_| true), limits);
    broker.follow(recommendations.follower(), &here, FollowConfig::default());
    Services {
        orders,
        catalog,
        customers,
        flags,
        inventory,
        payments,
        recommendations,
        broker,
        clock,
        ids,
    }
}

/// A broker that gives an event up after one attempt.
async fn broker(db: &Db, clock: Arc<dyn Clock>, home: &Home) -> Broker {
    let config = BrokerConfig {
        attempts_max: 1,
        poll: Duration::from_millis(20),
        gather: Duration::ZERO,
        ..BrokerConfig::default()
    };
    let homes = std::slice::from_ref(home);
    let consumers: Vec<Arc<dyn broker::Consumer>> = vec![Arc::new(operations::Picky)];
    broker::start(db.clone(), clock, consumers, homes, config).await.expect("starts")
}

/// A provider behind a port that nobody listens on.
fn provider() -> ProviderConfig {
    ProviderConfig {
        base_url: "http://127.0.0.1:1".to_owned(),
        api_key: "sk_test".to_owned(),
        call_timeout: Duration::from_secs(1),
        limits: DependencyConfig {
            breaker: BreakerConfig {
                slot: Duration::from_secs(1),
                slots: 10,
                calls_min: 20,
                failure_percent: 50,
                slow_call: Duration::from_secs(1),
                open_for: Duration::from_secs(5),
                probes: 3,
            },
            bulkhead: BulkheadConfig { in_flight_max: 10, waiting_max: 100 },
            retry: RetryPolicy {
                attempts_max: 1,
                backoff_first: Duration::from_millis(1),
                backoff_max: Duration::from_millis(1),
            },
            retry_budget: RetryBudgetConfig { percent: 10, initial: 1, saved_max: 1 },
        },
        authorization_expiry: AuthorizationExpiry::default(),
        webhook_secrets: vec![operations::SIGNING_SECRET.to_owned()],
    }
}
