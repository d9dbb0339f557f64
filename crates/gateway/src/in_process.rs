//! The public listener's routes without a socket, for simulated time.

use crate::http::edge::{RequestSpan, edge};
use crate::limits::Senses;
use crate::server::{GatewayError, Shared, is_lane};
use crate::{GatewayConfig, Probes, Services};
use actix_web::body::BoxBody;
use actix_web::dev::Service;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, middleware};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use tracing_actix_web::TracingLogger;

/// A request as it comes off the wire.
#[derive(Clone, Debug, Default)]
pub struct PlainRequest {
    /// `GET`, `POST`, ….
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer as it goes onto the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainResponse {
    /// HTTP status.
    pub status: u16,
    /// Names, in lower case, and values; sorted.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

type Answering = Pin<Box<dyn Future<Output = PlainResponse>>>;

/// The gateway as a function.
#[derive(Clone)]
pub struct InProcess(Rc<dyn Fn(PlainRequest) -> Answering>);

impl InProcess {
    /// The gateway before these services.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn new(
        services: Services,
        probes: Probes,
        config: &GatewayConfig,
    ) -> Result<Self, GatewayError> {
        let lanes = services.orders.vitals().into_iter().filter(|vitals| is_lane(vitals)).collect();
        let senses = Senses::of(lanes, probes.database.clone());
        let shared = Shared::new(services, probes, config, senses)?;
        let app = App::new()
            .configure(move |config| shared.public(config))
            .wrap(middleware::from_fn(edge))
            .wrap(TracingLogger::<RequestSpan>::new());
        let app = Rc::new(init_service(app).await);
        Ok(Self(Rc::new(move |request| {
            let app = app.clone();
            Box::pin(async move {
                let mut wire = TestRequest::default().uri(&request.path);
                if let Ok(method) = request.method.parse() {
                    wire = wire.method(method);
                }
                for header in request.headers {
                    wire = wire.append_header(header);
                }
                let response: HttpResponse<BoxBody> =
                    match app.call(wire.set_payload(request.body).to_request()).await {
                        Ok(response) => response.into_parts().1.map_into_boxed_body(),
                        Err(error) => error.error_response(),
                    };
                plain(response).await
            })
        })))
    }

    /// Takes a request and gives its answer, read to the end.
    pub async fn call(&self, request: PlainRequest) -> PlainResponse {
        (self.0)(request).await
    }
}

async fn plain(response: HttpResponse<BoxBody>) -> PlainResponse {
    let status = response.status().as_u16();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect();
    // A map's order is chance.
    headers.sort();
    let body = actix_web::body::to_bytes(response.into_body()).await;
    PlainResponse { status, headers, body: body.map(|body| body.to_vec()).unwrap_or_default() }
}
