//! The two listeners.

use crate::access::Rules;
use crate::admission::Gate;
use crate::config::GatewayConfig;
use crate::documents::openapi;
use crate::http::body::BodyTime;
use crate::http::cursor::CursorSeal;
use crate::http::edge::{Draining, RequestSpan, TraceIds, edge};
use crate::limits::{Guards, Senses};
use crate::listener::{self, Bound, Listener, Voice};
use crate::routes::debug::{self, Offered};
use crate::routes::probes::{self, Probes};
use crate::routes::{self, Methods, fallback};
use crate::services::Services;
use actix_web::{App, HttpResponse, middleware, web};
use actors::Vitals;
use std::io;
use std::net::SocketAddr;
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::service_config::ServiceConfig as DocumentedConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The page that shows the document.
const DOCS: &str = "/docs/{_:.*}";
/// Routes that are not in the document, because they are about it.
const UNDOCUMENTED: &[&str] = &["/openapi.json", "/docs", DOCS];

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is in use, or may not be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The OpenAPI document cannot be written.
    #[error("the OpenAPI document cannot be written")]
    Document(#[from] serde_json::Error),
}

/// A gateway that serves.
pub struct RunningGateway {
    public: Listener,
    private: Listener,
    draining: Draining,
}

/// The document as it is served.
#[derive(Clone)]
struct Document(web::Bytes);

/// Binds both listeners and serves from now on, on the current actix system.
///
/// # Errors
/// See [`GatewayError`]; then nothing listens.
pub fn start(
    services: Services,
    probes: Probes,
    config: &GatewayConfig,
) -> Result<RunningGateway, GatewayError> {
    let lanes = services.orders.vitals().into_iter().filter(|vitals| is_lane(vitals)).collect();
    let senses = Senses::of(lanes, probes.database.clone());
    let shared = Shared::new(services, probes, config, senses)?;
    let draining = (*shared.draining.clone().into_inner()).clone();
    let (public, private) = (shared.clone(), shared.clone());
    // Both are bound before one serves: a gateway serves whole or not at all.
    let public = bind(config.listen, config.workers, config, &shared, move |routes| {
        public.clone().public(routes);
    })?;
    let private = bind(config.private_listen, 1, config, &shared, move |routes| {
        private.clone().private(routes);
    })?;
    Ok(RunningGateway { public: public.run(), private: private.run(), draining })
}

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    gate: web::Data<Gate>,
    probes: web::Data<Probes>,
    trace_ids: web::Data<TraceIds>,
    methods: web::Data<Methods>,
    document: web::Data<Document>,
    draining: web::Data<Draining>,
    bodies: web::Data<BodyTime>,
    voice: Voice,
}

impl Shared {
    pub(crate) fn new(
        services: Services,
        probes: Probes,
        config: &GatewayConfig,
        senses: Senses,
    ) -> Result<Self, GatewayError> {
        let document = openapi();
        let guards = Guards::new(config, senses);
        let cursors = CursorSeal::new(config.cursor_secret);
        let voice = Voice { clock: services.clock.clone(), ids: services.ids.clone() };
        Ok(Self {
            trace_ids: web::Data::new(TraceIds(services.ids.clone())),
            gate: web::Data::new(Gate { services, cursors, guards, rules: Rules::new() }),
            probes: web::Data::new(probes),
            methods: web::Data::new(Methods::of(&document, UNDOCUMENTED)),
            document: web::Data::new(Document(document.to_json()?.into())),
            draining: web::Data::new(Draining::default()),
            bodies: web::Data::new(BodyTime::new(config.limits.request_body)),
            voice,
        })
    }

    /// Everything that the public listener serves.
    pub(crate) fn public(self, config: &mut web::ServiceConfig) {
        routes::configure(&mut DocumentedConfig::new(config));
        config
            .app_data(self.gate)
            .app_data(self.probes)
            .app_data(self.trace_ids)
            .app_data(self.methods)
            .app_data(self.document)
            .app_data(self.draining)
            .app_data(self.bodies)
            .service(web::resource("/openapi.json").guard(actix_web::guard::Get()).to(document))
            .service(web::resource("/docs").guard(actix_web::guard::Get()).to(to_docs))
            .service(SwaggerUi::new(DOCS).config(Config::from("/openapi.json")))
            .default_service(web::to(fallback));
    }

    /// Everything that the private listener serves.
    pub(crate) fn private(self, config: &mut web::ServiceConfig) {
        let methods = Methods::of(&utoipa::openapi::OpenApi::default(), PRIVATE)
            .and("/debug/log-level", "GET, HEAD, PUT");
        let offered: web::Data<Offered> = web::Data::new(self.probes.diagnostics.clone());
        config
            .app_data(self.probes)
            .app_data(self.trace_ids)
            .app_data(self.draining)
            .app_data(web::Data::new(methods))
            .app_data(offered)
            .app_data(self.bodies)
            .service(debug::get_log_level)
            .service(debug::put_log_level)
            .service(debug::cpu)
            .service(debug::cpu_flame_graph)
            .service(debug::mailboxes)
            .service(debug::mailboxes_flame_graph)
            .service(debug::heap)
            .service(probes::livez)
            .service(probes::readyz)
            .service(probes::metrics)
            .default_service(web::to(fallback));
    }
}

/// Routes of the private listener that only read.
const PRIVATE: &[&str] = &[
    "/livez",
    "/readyz",
    "/metrics",
    "/debug/pprof/profile",
    "/debug/pprof/flamegraph",
    "/debug/pprof/mailboxes",
    "/debug/pprof/mailboxes/flamegraph",
    "/debug/pprof/heap",
];

async fn document(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("Location", "/docs/")).finish()
}

/// Whether this is an actor in front of which orders wait.
pub(crate) fn is_lane(vitals: &Vitals) -> bool {
    vitals.name().starts_with("orders.lane.")
}

/// Binds a listener whose routes `configure` makes.
fn bind(
    address: SocketAddr,
    workers: usize,
    config: &GatewayConfig,
    shared: &Shared,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> Result<Bound, GatewayError> {
    let make = move || {
        App::new()
            .configure(configure.clone())
            .wrap(middleware::from_fn(edge))
            .wrap(TracingLogger::<RequestSpan>::new())
    };
    listener::bind(address, workers, config.limits, shared.voice.clone(), make)
        .map_err(|source| GatewayError::Listen { address, source })
}

impl RunningGateway {
    /// Where clients come in, with the port that was given.
    #[must_use]
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// Where probes and metrics are asked for, with the port that was given.
    #[must_use]
    pub const fn private_address(&self) -> SocketAddr {
        self.private.address
    }

    /// From now on every answer asks its client to connect anew: behind a load balancer that is
    /// elsewhere, as soon as it has seen that this node is not ready.
    pub fn drain(&self) {
        self.draining.begin();
    }

    /// Stops to accept and returns when nothing is served any more: gracefully, when the requests
    /// in work are answered (at most [`Limits::drain`] later); else at once. The private listener
    /// goes last, so that the end can be watched.
    pub async fn stop(self, graceful: bool) {
        self.public.stop(graceful).await;
        self.private.stop(false).await;
    }
}
