//! Who calls whom, and how it fares.

use super::answers::ok;
use super::probes::Probes;
use crate::admission::Gate;
use crate::documents::ReadProblems;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::views::TopologyView;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse, get, web};

/// How the answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Mermaid,
    Svg,
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "mermaid" => Some(Self::Mermaid),
            "svg" => Some(Self::Svg),
            _ => None,
        }
    }
}

/// Read how the parts of the shop are, and the calls between them.
///
/// All numbers are this node's own, of the last minute; what is left of an error budget is judged
/// since the node began, over thirty days at most. Answered from memory, also while the database is
/// away and when no other request is let in. Needs the scope `topology:read`.
#[utoipa::path(
    tag = "operations",
    params(
        ("format" = Option<String>, Query, description = "`json` (the default), `mermaid` (a flowchart as text) or `svg` (a picture)."),
    ),
    responses(
        (status = 200, description = "The parts and the calls between them.",
            content((TopologyView = "application/json"), (String = "text/vnd.mermaid"), (String = "image/svg+xml"))),
        ReadProblems,
    ),
)]
#[get("/v1/topology")]
pub(crate) async fn get_topology(
    request: HttpRequest,
    gate: web::Data<Gate>,
    probes: web::Data<Probes>,
) -> Result<HttpResponse, Problem> {
    let _caller = gate.admit(&request).await?;
    let query = Query::of(&request, &["format"])?;
    let format = query.read("format", "format is json, mermaid or svg.", Format::parse)?;
    let report = (probes.topology)();
    let (kind, text) = match format.unwrap_or(Format::Json) {
        Format::Json => return Ok(ok(&TopologyView::from(report))),
        Format::Mermaid => ("text/vnd.mermaid; charset=utf-8", topology::mermaid(&report)),
        Format::Svg => ("image/svg+xml", topology::svg(&report)),
    };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "no-store"))
        // A picture runs nothing and loads nothing.
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .body(text))
}
