//! Accounts, and the caller's own.

use super::answers::{ok, with_status};
use super::keys::check_scopes;
use super::tokens::{Secret, email, is_wrong_password, new_password};
use crate::admission::Gate;
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::http::query::page_of;
use crate::problem::{Code, Problem};
use crate::views::{self, AccountView, Me};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use customers::{Kind, NewAccount, Password, Role};
use domain::CustomerId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) const ROLES: &[&str] =
    &[Role::Customer.as_str(), Role::Operator.as_str(), Role::Admin.as_str()];

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount)]
pub(crate) struct AccountBody {
    #[schema(required = true, value_type = String, examples("ops@shop.example"))]
    email: Option<String>,
    /// 10 to 128 characters, at least five different ones; not the e-mail address.
    #[schema(required = true, value_type = String, format = Password, examples("correct horse battery"))]
    password: Option<Secret>,
    /// `operator` runs the shop, `admin` may do everything, `customer` is one who exists already.
    #[schema(required = true, value_type = String, examples("operator"))]
    role: Option<String>,
    /// Which customer; exactly with the role `customer`.
    #[schema(value_type = Option<Uuid>)]
    customer_id: Option<String>,
}

impl AccountBody {
    /// The account that is asked for.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<NewAccount, Problem> {
        let mut faults = Faults::default();
        let email = email(self.email, &mut faults);
        let password = new_password(self.password, email.as_ref(), "/password", &mut faults);
        let role = faults.require(self.role, "/role").and_then(|text| {
            let expected = "must be customer, operator or admin";
            faults.require_valid(Role::parse(&text), "/role", expected)
        });
        let named = self.customer_id.is_some();
        let customer_id = self.customer_id.and_then(|text| {
            let id = text.parse::<CustomerId>().ok();
            faults.require_valid(id, "/customer_id", "must be a UUID")
        });
        if role.is_some_and(|role| (role == Role::Customer) != named) {
            faults.add("/customer_id", "goes with the role customer, and with no other");
        }
        faults.finish()?;
        let (Some(email), Some(password), Some(role)) = (email, password, role) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        Ok(NewAccount { email, password, role, customer_id })
    }
}

problems! {
    /// What keeps an account from being made.
    AccountTaken:
    409 "`ACCOUNT_EXISTS`: with this address, or of this customer.",
}

/// Make an account.
///
/// For the staff, or for a customer who exists. Nobody makes an account that may do more than they
/// may do themselves; for a customer's that is `customers:read`, `customers:write`, `orders:read`,
/// `orders:write` and `payments:read`. Needs the scope `accounts:write`.
#[utoipa::path(
    tag = "signing in",
    request_body(content = AccountBody, example = json!({"email": "ops@shop.example",
        "password": "correct horse battery", "role": "operator"})),
    responses(
        (status = 201, description = "The account.", body = AccountView<'static>),
        WriteProblems,
        AccountTaken,
    ),
)]
#[post("/v1/accounts")]
pub(crate) async fn create_account(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let new = body::json::<AccountBody>(&request, payload).await?.check()?;
    check_scopes(&caller, &new.role.reach())?;
    let customers = gate.services.customers.clone();
    let make = async move { customers.create_account(new).await };
    let account = caller.write(make).await.map_err(|problem: Problem| {
        if problem.code() != Code::NotFound {
            return problem;
        }
        let mut faults = Faults::default();
        faults.add("/customer_id", "there is no such customer");
        faults.finish().err().unwrap_or(problem)
    })?;
    Ok(with_status(StatusCode::CREATED, &AccountView::from(&account)))
}

/// List the accounts, newest first.
///
/// Needs the scope `accounts:read`.
#[utoipa::path(
    tag = "signing in",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::AccountPage),
        ReadProblems,
    ),
)]
#[get("/v1/accounts")]
pub(crate) async fn list_accounts(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/accounts", &gate.cursors)?;
    let after = page.after(|text| text.parse::<Uuid>().ok())?;
    let rows = caller.read(gate.services.customers.list_accounts(after, page.rows())).await?;
    let rows = page.page(rows, &gate.cursors, |account| account.id.to_string());
    Ok(ok(&rows.view::<AccountView<'_>>()))
}

/// Delete an account.
///
/// Its sessions end: on this node at once, on the others within ten seconds. A customer stays a
/// customer. Nobody deletes an account that may do more than they may do themselves, nor their own:
/// somebody must be left. Needs the scope `accounts:write`.
#[utoipa::path(
    tag = "signing in",
    params(("id" = Uuid, Path, description = "The account.")),
    responses(
        (status = 204, description = "It is gone."),
        NotFound,
        ReadProblems,
    ),
)]
#[delete("/v1/accounts/{id}")]
pub(crate) async fn delete_account(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let absent = || Problem::not_found("account");
    let id: Uuid = id.parse().map_err(|_| absent())?;
    if caller.principal().id == id {
        return Err(Problem::new(Code::Forbidden, "Nobody deletes their own account here."));
    }
    let account = caller.read(gate.services.customers.account(id)).await?.ok_or_else(absent)?;
    check_scopes(&caller, &account.role.reach())?;
    let customers = gate.services.customers.clone();
    caller.write(async move { customers.delete_account(id).await }).await.map_err(
        |problem: Problem| if problem.code() == Code::NotFound { absent() } else { problem },
    )?;
    Ok(HttpResponse::NoContent().finish())
}

/// Read who makes this request.
///
/// Whatever the key or token allows.
#[utoipa::path(
    tag = "signing in",
    responses(
        (status = 200, description = "Who it is, and what they may do.", body = Me),
        ReadProblems,
    ),
)]
#[get("/v1/me")]
pub(crate) async fn read_me(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    Ok(ok(&Me::from(caller.principal())))
}

/// A password to take the place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(crate) struct PasswordBody {
    #[schema(required = true, value_type = String, format = Password)]
    current_password: Option<Secret>,
    /// 10 to 128 characters, at least five different ones; not the e-mail address.
    #[schema(required = true, value_type = String, format = Password)]
    new_password: Option<Secret>,
}

problems! {
    /// What keeps a password from being changed.
    WrongPassword:
    401 "`UNAUTHENTICATED`; `INVALID_CREDENTIALS`: the current password is another one.",
}

/// Change one's password.
///
/// All sessions of the account end, this one too. Attempts are bounded like those to sign in. For
/// whoever has signed in: an API key has no password.
#[utoipa::path(
    tag = "signing in",
    request_body(content = PasswordBody, example = json!({
        "current_password": "correct horse battery", "new_password": "another horse battery"})),
    responses(
        (status = 204, description = "It is changed."),
        WriteProblems,
        WrongPassword,
    ),
)]
#[put("/v1/me/password")]
pub(crate) async fn change_password(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let id = match caller.principal().kind {
        Kind::Staff(_) | Kind::Customer(_) => caller.principal().id,
        Kind::Guest | Kind::Key => {
            return Err(Problem::new(Code::Forbidden, "An API key has no password."));
        }
    };
    let PasswordBody { current_password, new_password: new } =
        body::json(&request, payload).await?;
    let customers = gate.services.customers.clone();
    let account = caller.read(customers.account(id)).await?;
    let account = account.ok_or_else(Problem::unauthenticated)?;
    let mut faults = Faults::default();
    let current = faults.require(current_password, "/current_password");
    let new = new_password(new, Some(&account.email), "/new_password", &mut faults);
    faults.finish()?;
    // What is missing was noted above.
    let (Secret(current), new) = current.zip(new).ok_or_else(Problem::internal)?;
    let attempt = gate.guards.attempt(&request, account.email.as_str().as_bytes())?;
    let current = Password::tried(current);
    let changed =
        caller.write(async move { customers.change_password(id, current, new).await }).await;
    if !is_wrong_password(&changed) {
        gate.guards.give_back(attempt);
    }
    changed?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::parse;
    use serde_json::{Value, json};

    #[test]
    fn accounts_are_checked() {
        let check = |body: &Value| {
            let body = parse::<AccountBody>(body.to_string().as_bytes());
            body.and_then(AccountBody::check).map_err(|problem| problem.code())
        };
        let (id, password) = ("0190a000-0000-7000-8000-000000000001", "correct horse battery");
        let account = |role: &str, customer: Option<&str>| json!({"email": "a@b", "password": password, "role": role, "customer_id": customer});
        for (role, customer) in [("operator", None), ("admin", None), ("customer", Some(id))] {
            let new = check(&account(role, customer)).expect("is good");
            assert_eq!((new.role.as_str(), new.customer_id.is_some()), (role, customer.is_some()));
        }
        for bad in [
            account("customer", None),
            account("operator", Some(id)),
            account("root", None),
            account("customer", Some("7")),
            json!({"email": "a@b", "password": password}),
        ] {
            assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
        }
        let scopes = json!({"email": "a@b", "password": password, "role": "admin", "scopes": []});
        assert_eq!(check(&scopes).err(), Some(Code::InvalidBody));
    }
}
