//! The two listeners.

use crate::admission::Gate;
use crate::config::{GatewayConfig, Limits};
use crate::documents::openapi;
use crate::http::cursor::CursorSeal;
use crate::http::edge::{RequestSpan, TraceIds, edge};
use crate::routes::probes::{self, Probes};
use crate::routes::{self, Methods, fallback};
use crate::services::Services;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpResponse, HttpServer, middleware, rt, web};
use std::io;
use std::net::SocketAddr;
use tokio::task::JoinHandle;
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
}

struct Listener {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
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
    let shared = Shared::new(services, probes, config.cursor_secret)?;
    let (public, private) = (shared.clone(), shared);
    // Both are bound before one serves: a gateway serves whole or not at all.
    let public = bind(config.listen, config.workers, &config.limits, move |routes| {
        public.clone().public(routes);
    })?;
    let private = bind(config.private_listen, 1, &config.limits, move |routes| {
        private.clone().private(routes);
    })?;
    Ok(RunningGateway { public: public.run(), private: private.run() })
}

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    gate: web::Data<Gate>,
    probes: web::Data<Probes>,
    trace_ids: web::Data<TraceIds>,
    methods: web::Data<Methods>,
    document: web::Data<Document>,
}

impl Shared {
    pub(crate) fn new(
        services: Services,
        probes: Probes,
        cursor_secret: [u8; 32],
    ) -> Result<Self, GatewayError> {
        let document = openapi();
        Ok(Self {
            trace_ids: web::Data::new(TraceIds(services.ids.clone())),
            gate: web::Data::new(Gate { services, cursors: CursorSeal::new(cursor_secret) }),
            probes: web::Data::new(probes),
            methods: web::Data::new(Methods::of(&document, UNDOCUMENTED)),
            document: web::Data::new(Document(document.to_json()?.into())),
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
            .service(web::resource("/openapi.json").guard(actix_web::guard::Get()).to(document))
            .service(web::resource("/docs").guard(actix_web::guard::Get()).to(to_docs))
            .service(SwaggerUi::new(DOCS).config(Config::from("/openapi.json")))
            .default_service(web::to(fallback));
    }

    /// Everything that the private listener serves.
    pub(crate) fn private(self, config: &mut web::ServiceConfig) {
        let methods = Methods::of(&utoipa::openapi::OpenApi::default(), PRIVATE);
        config
            .app_data(self.probes)
            .app_data(self.trace_ids)
            .app_data(web::Data::new(methods))
            .service(probes::livez)
            .service(probes::readyz)
            .service(probes::metrics)
            .default_service(web::to(fallback));
    }
}

/// Routes of the private listener.
const PRIVATE: &[&str] = &["/livez", "/readyz", "/metrics"];

async fn document(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("Location", "/docs/")).finish()
}

/// A server that holds its address but does not serve yet.
struct Bound {
    address: SocketAddr,
    run: Box<dyn FnOnce() -> Server>,
}

/// Binds a server whose routes `configure` makes.
fn bind(
    address: SocketAddr,
    workers: usize,
    limits: &Limits,
    configure: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> Result<Bound, GatewayError> {
    let refused = |source| GatewayError::Listen { address, source };
    let server = HttpServer::new(move || {
        App::new()
            .configure(configure.clone())
            .wrap(middleware::from_fn(edge))
            .wrap(TracingLogger::<RequestSpan>::new())
    });
    let server = server
        .workers(workers.max(1))
        .backlog(limits.backlog)
        .max_connections(limits.connections_per_worker)
        .client_request_timeout(limits.request_head)
        .keep_alive(limits.keep_alive)
        .shutdown_timeout(limits.drain.as_secs())
        .tcp_nodelay(true)
        .disable_signals()
        .bind(address)
        .map_err(refused)?;
    let found = server.addrs().first().copied();
    let address = found.ok_or_else(|| refused(io::ErrorKind::AddrNotAvailable.into()))?;
    Ok(Bound { address, run: Box::new(move || server.run()) })
}

impl Bound {
    fn run(self) -> Listener {
        let server = (self.run)();
        let handle = server.handle();
        Listener { address: self.address, handle, task: rt::spawn(server) }
    }
}

impl Listener {
    async fn stop(self, graceful: bool) {
        self.handle.stop(graceful).await;
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(event = "listener_failed", %error),
            Err(error) => tracing::error!(event = "listener_crashed", %error),
        }
    }
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

    /// Stops to accept and returns when nothing is served any more: gracefully, when the requests
    /// in work are answered (at most [`Limits::drain`] later); else at once. The private listener
    /// goes last, so that the end can be watched.
    pub async fn stop(self, graceful: bool) {
        self.public.stop(graceful).await;
        self.private.stop(false).await;
    }
}
