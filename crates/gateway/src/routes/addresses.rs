//! Addresses of customers.

use super::answers::ok;
use super::customers::{TEXT_LENGTH_MAX, absent, customer_id};
use crate::admission::Gate;
use crate::documents::{NotFound, ReadProblems, WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::problem::{Code, Problem};
use crate::views::{AddressList, AddressView};
use actix_web::{HttpRequest, HttpResponse, delete, get, put, web};
use customers::Address;
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest name of an address, in characters.
pub(super) const NAME_LENGTH_MAX: usize = 50;
pub(super) const POSTAL_CODE_LENGTH_MAX: usize = 20;

/// An address to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAddress)]
pub(crate) struct AddressBody {
    /// Who receives what is sent there.
    #[schema(required = true, value_type = String, examples("Ada Lovelace"))]
    recipient: Option<String>,
    /// Street and number.
    #[schema(required = true, value_type = String, examples("12 St James's Square"))]
    line1: Option<String>,
    line2: Option<String>,
    #[schema(required = true, value_type = String, examples("London"))]
    city: Option<String>,
    /// State or province.
    region: Option<String>,
    #[schema(examples("SW1Y 4JH"))]
    postal_code: Option<String>,
    /// ISO 3166-1, two capitals.
    #[schema(required = true, value_type = String, examples("GB"))]
    country: Option<String>,
}

impl AddressBody {
    /// The address.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<Address, Problem> {
        let mut faults = Faults::default();
        for (text, most, pointer) in [
            (&self.recipient, TEXT_LENGTH_MAX, "/recipient"),
            (&self.line1, TEXT_LENGTH_MAX, "/line1"),
            (&self.line2, TEXT_LENGTH_MAX, "/line2"),
            (&self.city, TEXT_LENGTH_MAX, "/city"),
            (&self.region, TEXT_LENGTH_MAX, "/region"),
            (&self.postal_code, POSTAL_CODE_LENGTH_MAX, "/postal_code"),
        ] {
            faults.check_text(text.as_deref(), most, pointer);
        }
        let recipient = faults.require(self.recipient, "/recipient");
        let line1 = faults.require(self.line1, "/line1");
        let city = faults.require(self.city, "/city");
        let country = faults.require(self.country, "/country").and_then(|text| {
            let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
            faults.require_valid(is_code.then_some(text), "/country", "must be two capitals")
        });
        faults.finish()?;
        let (Some(recipient), Some(line1), Some(city), Some(country)) =
            (recipient, line1, city, country)
        else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        let (line2, region, postal_code) = (self.line2, self.region, self.postal_code);
        Ok(Address { recipient, line1, line2, city, region, postal_code, country })
    }
}

/// What cannot be a name names no address.
fn address_name(text: &str) -> Result<String, Problem> {
    let is_name = (1..=NAME_LENGTH_MAX).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text;
    is_name.then(|| text.to_owned()).ok_or_else(no_address)
}

fn no_address() -> Problem {
    Problem::not_found("address")
}

/// List the addresses of a customer.
///
/// By name; at most fifty. Needs the scope `customers:read`; customers who have signed in see their
/// own.
#[utoipa::path(
    tag = "customers",
    params(("id" = Uuid, Path, description = "The customer.")),
    responses(
        (status = 200, description = "The addresses.", body = AddressList<'static>),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/customers/{id}/addresses")]
pub(crate) async fn list_addresses(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let id = customer_id(&id, owner)?;
    let customers = &gate.services.customers;
    let addresses = caller.read(customers.addresses(id)).await?;
    if addresses.is_empty() {
        caller.read(customers.get(id)).await?.ok_or_else(absent)?;
    }
    Ok(ok(&AddressList { data: addresses.iter().map(AddressView::from).collect() }))
}

problems! {
    /// There is nobody, or nothing, to write.
    NoSuchPlace:
    404 "`NOT_FOUND`: no such customer, or what cannot be a name.",
}

/// Write an address of a customer.
///
/// Under a name of the client's choice, in place of the address that has it. Needs the scope
/// `customers:write`; customers who have signed in write their own.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = Uuid, Path, description = "The customer."),
        ("name" = String, Path, description = "The client's name of the address, such as `home`; up to 50 characters, without surrounding spaces."),
    ),
    request_body(content = AddressBody,
        example = json!({"recipient": "Ada Lovelace", "line1": "12 St James's Square",
            "city": "London", "postal_code": "SW1Y 4JH", "country": "GB"})),
    responses(
        (status = 200, description = "The address.", body = AddressView<'static>),
        WriteProblems,
        NoSuchPlace,
    ),
)]
#[put("/v1/customers/{id}/addresses/{name}")]
pub(crate) async fn put_address(
    request: HttpRequest,
    gate: web::Data<Gate>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let address = body::json::<AddressBody>(&request, payload).await?.check()?;
    let (id, name) = path.into_inner();
    let (id, name) = (customer_id(&id, owner)?, address_name(&name)?);
    let (customers, context) = (gate.services.customers.clone(), caller.context());
    let put = async move { customers.put_address(id, name, address, &context).await };
    let named = caller.write(put).await.map_err(|problem: Problem| {
        if problem.code() == Code::NotFound { absent() } else { problem }
    })?;
    Ok(ok(&AddressView::from(&named)))
}

problems! {
    /// There is no address to remove.
    NoAddress:
    404 "`NOT_FOUND`: no such address, or customer.",
}

/// Remove an address of a customer.
///
/// Needs the scope `customers:write`; customers who have signed in remove their own.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = Uuid, Path, description = "The customer."),
        ("name" = String, Path, description = "The client's name of the address."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        ReadProblems,
        NoAddress,
    ),
)]
#[delete("/v1/customers/{id}/addresses/{name}")]
pub(crate) async fn remove_address(
    request: HttpRequest,
    gate: web::Data<Gate>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let (id, name) = path.into_inner();
    let id = customer_id(&id, owner).map_err(|_| no_address())?;
    let name = address_name(&name)?;
    let (customers, context) = (gate.services.customers.clone(), caller.context());
    let remove = async move { customers.remove_address(id, name, &context).await };
    caller.write(remove).await.map_err(|problem: Problem| {
        if problem.code() == Code::NotFound { no_address() } else { problem }
    })?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::parse;
    use serde_json::{Value, json};

    #[test]
    fn addresses_are_checked() {
        let check = |body: &Value| {
            let body = parse::<AddressBody>(body.to_string().as_bytes());
            body.and_then(AddressBody::check).map_err(|problem| problem.code())
        };
        let good = json!({"recipient": "Ada", "line1": "1 Mill", "city": "London",
            "country": "GB"});
        assert_eq!(check(&good).map(|address| address.country), Ok("GB".to_owned()));
        for (member, value) in [
            ("recipient", Value::Null),
            ("line1", json!("")),
            ("city", json!("a\u{0}")),
            ("country", json!("gb")),
            ("country", json!("GBR")),
            ("postal_code", json!("9".repeat(21))),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            assert_eq!(check(&bad), Err(Code::ValidationFailed), "{bad}");
        }
        assert_eq!(check(&json!({"customer_id": "x"})), Err(Code::InvalidBody));
    }

    #[test]
    fn names_of_addresses_have_a_form() {
        for good in ["home", "Büro 2", &"x".repeat(50)] {
            assert!(address_name(good).is_ok(), "{good}");
        }
        for bad in ["", " home", "a\nb", &"x".repeat(51)] {
            assert!(address_name(bad).is_err(), "{bad:?}");
        }
    }
}
