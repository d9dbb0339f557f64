//! Customers.

use super::answers::{self, Entry, etag, json, ok, with_status};
use super::order_body::check_method;
use crate::access::Owner;
use crate::admission::{Caller, Gate};
use crate::documents::{
    CustomerOutcome, NotFound, PageParameters, ReadProblems, StreamProblems, WriteProblems,
    problems,
};
use crate::http::body::{self, Faults, check_ndjson, parse};
use crate::http::conditional::if_match;
use crate::http::headers::none_match_names;
use crate::http::query::page_of;
use crate::problem::{Code, Problem};
use crate::views::{self, CustomerView};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use customers::{Created, Customer, CustomerChange, NewCustomer};
use domain::CustomerId;
use serde::{Deserialize, Deserializer};
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
        check_email(self.email.as_deref(), &mut faults);
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

/// Notes a text that is no e-mail address to write to.
pub(super) fn check_email(email: Option<&str>, faults: &mut Faults) {
    faults.check_text(email, EMAIL_LENGTH_MAX, "/email");
    if email.is_some_and(|email| !email.is_empty() && !email.contains('@')) {
        faults.add("/email", "must be an e-mail address");
    }
}

/// What is to become of a customer. What is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerChange)]
pub(crate) struct ChangeBody {
    /// What people call them, up to 200 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(required = false, nullable = false, value_type = Option<String>, examples("Ada King"))]
    name: Option<Option<String>>,
    /// `null` takes it away. With which e-mail address they sign in does not change.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, examples("ada@example.com"))]
    email: Option<Option<String>>,
    /// Used for orders that name no payment method; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, examples("pm_card_visa"))]
    default_payment_method: Option<Option<String>>,
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl ChangeBody {
    /// The change that is asked for.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<CustomerChange, Problem> {
        let mut faults = Faults::default();
        if self.name == Some(None) {
            faults.add("/name", "may not be null");
        }
        let name = self.name.flatten();
        faults.check_text(name.as_deref(), TEXT_LENGTH_MAX, "/name");
        check_email(self.email.as_ref().and_then(Option::as_deref), &mut faults);
        let method = self.default_payment_method.as_ref().and_then(Option::as_deref);
        check_method(method, "/default_payment_method", &mut faults);
        faults.finish()?;
        let Self { email, default_payment_method, .. } = self;
        Ok(CustomerChange { name, email, default_payment_method })
    }
}

/// The customer that a path names, if they are there for the caller: somebody else's id is judged
/// without a look, as one that nobody has.
pub(super) fn customer_id(text: &str, owner: Owner) -> Result<CustomerId, Problem> {
    let id = text.parse().ok().filter(|id| owner.may_see(Some(*id)));
    id.ok_or_else(absent)
}

pub(super) fn absent() -> Problem {
    Problem::not_found("customer")
}

/// A customer with the entity tag of their version.
pub(super) fn tagged(status: StatusCode, customer: &Customer) -> HttpResponse {
    let mut response = with_status(status, &CustomerView::from(customer));
    if let Ok(tag) = header::HeaderValue::from_str(&etag(customer.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The same, with where they are to be found.
pub(super) fn located(status: StatusCode, customer: &Customer) -> HttpResponse {
    let mut response = tagged(status, customer);
    let location = format!("/v1/customers/{}", customer.id);
    if let Ok(value) = header::HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
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
            headers(("Location" = String), ("ETag" = String))),
        WriteProblems,
    ),
)]
#[post("/v1/customers")]
pub(crate) async fn create_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let new = body::json::<CustomerBody>(&request, payload).await?.check()?;
    let created = create(&gate, &caller, vec![new]).await?;
    // One customer in, one out.
    let created = created.first().ok_or_else(Problem::internal)?;
    Ok(located(status_of(created), &created.customer))
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
    let caller = gate.admit(&request).await?;
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
/// Needs the scope `customers:read`. Customers who have signed in read themselves.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = Uuid, Path, description = "The customer."),
        ("If-None-Match" = Option<String>, Header, description = "An entity tag read before."),
    ),
    responses(
        (status = 200, description = "The customer.", body = CustomerView<'static>, headers(("ETag" = String))),
        (status = 304, description = "The customer is still the one of `If-None-Match`."),
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
    let (caller, owner) = gate.admit_owner(&request).await?;
    let id = customer_id(&id, owner)?;
    let customer = caller.read(gate.services.customers.get(id)).await?.ok_or_else(absent)?;
    let tag = etag(customer.version);
    if none_match_names(request.headers(), &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    Ok(tagged(StatusCode::OK, &customer))
}

problems! {
    /// What keeps a customer from being changed.
    NotThatVersion:
    412 "`VERSION_MISMATCH`, with `details.current_version`.",
}

/// Change a customer.
///
/// A JSON merge patch (RFC 7396): what is absent stays as it is, `null` takes it away. A change that
/// changes nothing leaves the version as it is. Orders on other nodes may be paid the old way for
/// half a minute. Needs the scope `customers:write`; customers who have signed in change themselves.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = Uuid, Path, description = "The customer."),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the customer as the client knows them: the change is made only if they are still that."),
    ),
    request_body(content = ChangeBody, example = json!({"default_payment_method": "pm_card_visa"})),
    responses(
        (status = 200, description = "The customer after the change.", body = CustomerView<'static>, headers(("ETag" = String))),
        NotFound,
        WriteProblems,
        NotThatVersion,
    ),
)]
#[patch("/v1/customers/{id}")]
pub(crate) async fn change_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let if_match = if_match(request.headers())?;
    let change = body::json::<ChangeBody>(&request, payload).await?.check()?;
    let id = customer_id(&id, owner)?;
    let (customers, context) = (gate.services.customers.clone(), caller.context());
    let change = async move { customers.change(id, change, if_match, &context).await };
    Ok(tagged(StatusCode::OK, &caller.write(change).await.map_err(named)?))
}

problems! {
    /// There is nobody to erase.
    NeverThere:
    404 "`NOT_FOUND`: there never was such a customer.",
}

/// Erase a customer.
///
/// Forgets the person: name, e-mail address, reference, way of paying, addresses, and the account
/// with its sessions. The id stays, because orders, payments and the timeline name it: the books are
/// kept. What clients wrote into `metadata` and `external_ref` of orders stays too. Erasing somebody
/// again is answered like the first time. Needs the scope `customers:write`; customers who have
/// signed in erase themselves, and are signed out by it.
#[utoipa::path(
    tag = "customers",
    params(("id" = Uuid, Path, description = "The customer.")),
    responses(
        (status = 204, description = "They are erased, now or before."),
        ReadProblems,
        NeverThere,
    ),
)]
#[delete("/v1/customers/{id}")]
pub(crate) async fn erase_customer(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let id = customer_id(&id, owner)?;
    let (customers, context) = (gate.services.customers.clone(), caller.context());
    caller.write(async move { customers.erase(id, &context).await }).await.map_err(named)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Says which thing is not there.
fn named(problem: Problem) -> Problem {
    if problem.code() == Code::NotFound { absent() } else { problem }
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
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/customers", &gate.cursors)?;
    let after = page.after(|text| text.parse::<CustomerId>().ok())?;
    let rows = caller.read(gate.services.customers.list(after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |customer| customer.id.to_string());
    Ok(ok(&rows.view::<CustomerView<'_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_change_tells_null_from_absent() {
        let check = |body: &Value| {
            let body = parse::<ChangeBody>(body.to_string().as_bytes());
            body.and_then(ChangeBody::check).map_err(|problem| problem.code())
        };
        assert_eq!(check(&json!({})), Ok(CustomerChange::default()));
        let change = check(&json!({"name": "A", "email": null}));
        let expected = CustomerChange {
            name: Some("A".to_owned()),
            email: Some(None),
            default_payment_method: None,
        };
        assert_eq!(change, Ok(expected));
        for bad in [
            json!({"name": null}),
            json!({"name": ""}),
            json!({"email": "ada"}),
            json!({"default_payment_method": "4111 1111"}),
        ] {
            assert_eq!(check(&bad), Err(Code::ValidationFailed), "{bad}");
        }
        for bad in [json!({"external_ref": "x"}), json!({"version": 2}), json!({"name": 7})] {
            assert_eq!(check(&bad), Err(Code::InvalidBody), "{bad}");
        }
    }
}
