//! Customers.

use super::answers::{self, Entry, json, ok, with_status};
use super::order_body::check_method;
use crate::admission::{Caller, Gate};
use crate::documents::{
    CustomerOutcome, NotFound, PageParameters, ReadProblems, StreamProblems, WriteProblems,
};
use crate::http::body::{self, Faults, check_ndjson, parse};
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, CustomerView};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use customers::{Created, NewCustomer};
use domain::CustomerId;
use serde::Deserialize;
use utoipa::ToSchema;

pub(super) const TEXT_LENGTH_MAX: usize = 200;
pub(super) const EMAIL_LENGTH_MAX: usize = 254;

/// A customer to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCustomer)]
pub(crate) struct CustomerBody {
    /// The client's own name of the customer, up to 200 characters. If a customer has it already,
    /// that one is the answer, unchanged.
    #[schema(examples("household-1"))]
    external_ref: Option<String>,
    /// What people call them, up to 200 characters.
    #[schema(required = true, value_type = String, examples("Ada Lovelace"))]
    name: Option<String>,
    #[schema(examples("ada@example.com"))]
    email: Option<String>,
    /// Used for orders that name no payment method.
    #[schema(examples("pm_card_visa"))]
    default_payment_method: Option<String>,
}

impl CustomerBody {
    /// The customer that is asked for.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<NewCustomer, Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.external_ref.as_deref(), TEXT_LENGTH_MAX, "/external_ref");
        faults.check_text(self.name.as_deref(), TEXT_LENGTH_MAX, "/name");
        let name = faults.require(self.name, "/name");
        faults.check_text(self.email.as_deref(), EMAIL_LENGTH_MAX, "/email");
        if self.email.as_deref().is_some_and(|email| !email.is_empty() && !email.contains('@')) {
            faults.add("/email", "must be an e-mail address");
        }
        let method = self.default_payment_method;
        check_method(method.as_deref(), "/default_payment_method", &mut faults);
        faults.finish()?;
        let Self { external_ref, email, .. } =
            Self { name: None, default_payment_method: None, ..self };
        // A missing name was noted above.
        let name = name.ok_or_else(Problem::internal)?;
        Ok(NewCustomer { external_ref, name, email, default_payment_method: method })
    }
}

async fn create(
    gate: &Gate,
    caller: &Caller,
    new: Vec<NewCustomer>,
) -> Result<Vec<Created>, Problem> {
    let (customers, context) = (gate.services.customers.clone(), caller.context());
    caller.write(async move { customers.create(new, &context).await }).await
}

fn status_of(created: &Created) -> StatusCode {
    if created.is_new { StatusCode::CREATED } else { StatusCode::OK }
}

/// Make a customer.
///
/// Needs the scope `customers:write`.
#[utoipa::path(
    tag = "customers",
    request_body(content = CustomerBody,
        example = json!({"external_ref": "household-1", "name": "Ada Lovelace",
            "email": "ada@example.com", "default_payment_method": "pm_card_visa"})),
    responses(
        (status = 200, description = "A customer has this `external_ref` already; unchanged.", body = CustomerView<'static>),
        (status = 201, description = "The new customer.", body = CustomerView<'static>,
            headers(("Location" = String))),
        WriteProblems,
    ),
)]
#[post("/v1/customers")]
pub(crate) async fn create_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "customers:write").await?;
    let new = body::json::<CustomerBody>(&request, payload).await?.check()?;
    let created = create(&gate, &caller, vec![new]).await?;
    // One customer in, one out.
    let created = created.first().ok_or_else(Problem::internal)?;
    let mut response = with_status(status_of(created), &CustomerView::from(&created.customer));
    let location = format!("/v1/customers/{}", created.customer.id);
    if let Ok(value) = header::HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

/// Make many customers.
///
/// Newline-delimited JSON: each line is a customer, each line of the answer tells the outcome of
/// one: `{line, status, customer}` or `{line, status, error}`; `line` counts from 1. Where an
/// `external_ref` is taken already, the answer is the existing customer with status 200, so the
/// same stream can be sent again. Needs the scope `customers:write`.
#[utoipa::path(
    tag = "customers",
    request_body(content = CustomerBody, content_type = "application/x-ndjson",
        description = "One customer per line, each line at most 1 MiB.",
        example = json!({"external_ref": "household-1", "name": "Ada Lovelace"})),
    responses(
        (status = 200, description = "One outcome per line.", body = CustomerOutcome,
            content_type = "application/x-ndjson"),
        StreamProblems,
    ),
)]
#[post("/v1/customers:batch")]
pub(crate) async fn create_customers(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "customers:write").await?;
    check_ndjson(&request)?;
    let read = |_: &Caller, _, line: &[u8]| parse::<CustomerBody>(line)?.check();
    let call = async |gate: &Gate, caller: &Caller, new| {
        let created = create(gate, caller, new).await?;
        let entry = |created: &Created| {
            let view = CustomerView::from(&created.customer);
            Entry::Ok((status_of(created).as_u16(), json(&view)))
        };
        Ok(created.iter().map(entry).collect())
    };
    Ok(answers::batch((gate, caller), payload, "customer", read, call))
}

/// Read a customer.
///
/// Needs the scope `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(("id" = Uuid, Path, description = "The customer.")),
    responses(
        (status = 200, description = "The customer.", body = CustomerView<'static>),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/customers/{id}")]
pub(crate) async fn get_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "customers:read").await?;
    let absent = || Problem::not_found("customer");
    let id: CustomerId = id.parse().map_err(|_| absent())?;
    let customer = caller.read(gate.services.customers.get(id)).await?.ok_or_else(absent)?;
    Ok(ok(&CustomerView::from(&customer)))
}

/// List customers, newest first.
///
/// Needs the scope `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::CustomerPage),
        ReadProblems,
    ),
)]
#[get("/v1/customers")]
pub(crate) async fn list_customers(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request, "customers:read").await?;
    let page = page_of(&request, "/v1/customers", &gate.cursors)?;
    let after = page.after(|text| text.parse::<CustomerId>().ok())?;
    let rows = caller.read(gate.services.customers.list(after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |customer| customer.id.to_string());
    Ok(ok(&rows.view::<CustomerView<'_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use serde_json::{Value, json};

    fn check(body: &Value) -> Result<NewCustomer, Code> {
        parse::<CustomerBody>(body.to_string().as_bytes())
            .and_then(CustomerBody::check)
            .map_err(|problem| problem.code())
    }

    #[test]
    fn customers_are_checked() {
        let good = check(&json!({"name": "Ada", "external_ref": "h-1", "email": "a@b"}));
        let good = good.expect("a good customer");
        assert_eq!((good.name.as_str(), good.external_ref.as_deref()), ("Ada", Some("h-1")));
        assert_eq!((good.email.as_deref(), good.default_payment_method), (Some("a@b"), None));
        for bad in [
            json!({}),
            json!({"name": ""}),
            json!({"name": "a\u{0}"}),
            json!({"name": "Ada", "email": "ada"}),
            json!({"name": "Ada", "external_ref": "x".repeat(201)}),
            json!({"name": "Ada", "default_payment_method": "4111 1111"}),
        ] {
            assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
        }
        for bad in [json!({"name": 7}), json!({"name": "Ada", "id": "x"})] {
            assert_eq!(check(&bad).err(), Some(Code::InvalidBody), "{bad}");
        }
    }
}
