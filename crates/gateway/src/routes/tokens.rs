//! Signing up, in and out.

use super::answers::ok;
use super::customers::{TEXT_LENGTH_MAX, located};
use crate::admission::Gate;
use crate::documents::{WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::problem::{Code, Problem};
use crate::views::{CustomerView, TokenGrant};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use customers::{EMAIL_LENGTH_MAX, Email, NewCustomer, Password};
use serde::Deserialize;
use std::fmt;
use utoipa::ToSchema;

/// Longest text that is read as a password or token, in characters.
pub(super) const SECRET_LENGTH_MAX: usize = 512;

/// A text that is shown nowhere.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Somebody who becomes a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignUp)]
pub(crate) struct SignUpBody {
    /// With what they will sign in; also where to write to them.
    #[schema(required = true, value_type = String, examples("ada@example.com"))]
    email: Option<String>,
    /// 10 to 128 characters, at least five different ones; not the e-mail address.
    #[schema(required = true, value_type = String, format = Password, examples("correct horse battery"))]
    password: Option<Secret>,
    /// What people call them, up to 200 characters.
    #[schema(required = true, value_type = String, examples("Ada Lovelace"))]
    name: Option<String>,
}

/// The e-mail address of a body.
pub(super) fn email(text: Option<String>, faults: &mut Faults) -> Option<Email> {
    let text = faults.require(text, "/email")?;
    let email = Email::parse(&text);
    faults.require_valid(email, "/email", "must be an e-mail address")
}

/// A new password of a body, for this address.
pub(super) fn new_password(
    text: Option<Secret>,
    email: Option<&Email>,
    pointer: &str,
    faults: &mut Faults,
) -> Option<Password> {
    let Secret(text) = faults.require(text, pointer)?;
    match Password::new(text, email?) {
        Ok(password) => Some(password),
        Err(fault) => {
            faults.add(pointer, fault.to_string());
            None
        }
    }
}

impl SignUpBody {
    /// Who, and with what they will sign in.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<(NewCustomer, Email, Password), Problem> {
        let mut faults = Faults::default();
        let email = email(self.email, &mut faults);
        let password = new_password(self.password, email.as_ref(), "/password", &mut faults);
        faults.check_text(self.name.as_deref(), TEXT_LENGTH_MAX, "/name");
        let name = faults.require(self.name, "/name");
        faults.finish()?;
        let (Some(email), Some(password), Some(name)) = (email, password, name) else {
            // Whatever is missing was noted above.
            return Err(Problem::internal());
        };
        let address = Some(email.as_str().to_owned());
        let customer =
            NewCustomer { external_ref: None, name, email: address, default_payment_method: None };
        Ok((customer, email, password))
    }
}

problems! {
    /// What keeps somebody from signing up.
    EmailTaken:
    409 "`ACCOUNT_EXISTS`: somebody signs in with this address.",
}

/// Become a customer.
///
/// Needs no key. Makes a customer and an account; then `POST /v1/tokens` signs in. The address is not
/// proven to be theirs. A customer who exists already is given an account by `POST /v1/accounts`.
/// Each attempt counts as a failed authentication of its network address.
#[utoipa::path(
    tag = "signing in",
    request_body(content = SignUpBody, example = json!({"email": "ada@example.com",
        "password": "correct horse battery", "name": "Ada Lovelace"})),
    responses(
        (status = 201, description = "The new customer.", body = CustomerView<'static>,
            headers(("Location" = String), ("ETag" = String))),
        WriteProblems,
        EmailTaken,
    ),
)]
#[post("/v1/sign-up")]
pub(crate) async fn sign_up(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: SignUpBody = body::json(&request, payload).await?;
    let (new, email, password) = body.check()?;
    gate.guards.failed(&request);
    let customers = gate.services.customers.clone();
    let sign_up = async move { customers.sign_up(new, email, password).await };
    Ok(located(StatusCode::CREATED, &caller.write(sign_up).await?))
}

/// What somebody shows to get tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenRequest)]
pub(crate) struct TokenBody {
    /// `password`: sign in, with `email` and `password`. `refresh_token`: go on, with
    /// `refresh_token`.
    #[schema(required = true, value_type = String, examples("password"))]
    grant_type: Option<String>,
    #[schema(examples("ada@example.com"))]
    email: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    /// The one of the last grant; each is good for one change.
    #[schema(value_type = Option<String>)]
    refresh_token: Option<Secret>,
}

/// The two ways of getting tokens.
#[derive(Debug)]
enum Shown {
    Password { email: String, password: Secret },
    Refresh(Secret),
}

pub(super) const GRANT_TYPES: &[&str] = &["password", "refresh_token"];

impl TokenBody {
    /// What is shown.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with every fault.
    fn check(self) -> Result<Shown, Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.email.as_deref(), EMAIL_LENGTH_MAX, "/email");
        for (secret, pointer) in
            [(&self.password, "/password"), (&self.refresh_token, "/refresh_token")]
        {
            if secret.as_ref().is_some_and(|Secret(text)| text.chars().count() > SECRET_LENGTH_MAX)
            {
                faults.add(pointer, format!("has at most {SECRET_LENGTH_MAX} characters"));
            }
        }
        let shown = match self.grant_type.as_deref() {
            Some("password") => {
                if self.refresh_token.is_some() {
                    faults.add("/refresh_token", "does not go with this grant_type");
                }
                let email = faults.require(self.email, "/email");
                let password = faults.require(self.password, "/password");
                email.zip(password).map(|(email, password)| Shown::Password { email, password })
            }
            Some("refresh_token") => {
                for (given, pointer) in
                    [(self.email.is_some(), "/email"), (self.password.is_some(), "/password")]
                {
                    if given {
                        faults.add(pointer, "does not go with this grant_type");
                    }
                }
                faults.require(self.refresh_token, "/refresh_token").map(Shown::Refresh)
            }
            _ => {
                faults.add("/grant_type", format!("must be {}", GRANT_TYPES.join(" or ")));
                None
            }
        };
        faults.finish()?;
        // What is missing was noted above.
        shown.ok_or_else(Problem::internal)
    }
}

problems! {
    /// What keeps somebody from signing in.
    NotRecognised:
    401 "`INVALID_CREDENTIALS`: the address, the password or the refresh token is not right; which, is not told.",
}

/// Sign in, or go on.
///
/// Needs no key. `grant_type: password` begins a session. `grant_type: refresh_token` changes a
/// refresh token for the next grant of the session; each is good for one change, and whoever comes
/// with one that was used ends the session. An access token is good for ten minutes, a session for
/// thirty days; an account has at most twenty, one more ends the oldest. Attempts are bounded by
/// account and by network address.
#[utoipa::path(
    tag = "signing in",
    request_body(content = TokenBody, example = json!({"grant_type": "password",
        "email": "ada@example.com", "password": "correct horse battery"})),
    responses(
        (status = 200, description = "Tokens.", body = TokenGrant),
        WriteProblems,
        NotRecognised,
    ),
)]
#[post("/v1/tokens")]
pub(crate) async fn make_tokens(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let shown = body::json::<TokenBody>(&request, payload).await?.check()?;
    let customers = gate.services.customers.clone();
    let granted = match shown {
        Shown::Password { email, password: Secret(password) } => {
            let known = Email::parse(&email);
            let name = known.as_ref().map_or(email.as_str(), Email::as_str);
            let attempt = gate.guards.attempt(&request, name.as_bytes())?;
            let password = Password::tried(password);
            let sign_in = async move { customers.sign_in(known.as_ref(), password).await };
            let granted = caller.write(sign_in).await;
            if !is_wrong_password(&granted) {
                gate.guards.give_back(attempt);
            }
            granted
        }
        Shown::Refresh(Secret(token)) => {
            caller.write(async move { customers.refresh(&token).await }).await
        }
    };
    let grant = granted.inspect_err(|problem: &Problem| {
        if problem.code() == Code::InvalidCredentials {
            gate.guards.failed(&request);
        }
    })?;
    Ok(ok(&TokenGrant::from(grant)))
}

/// Whether a password was tried and is not the right one. Whatever else went wrong was no try.
pub(super) fn is_wrong_password<T>(done: &Result<T, Problem>) -> bool {
    done.as_ref().is_err_and(|problem| problem.code() == Code::InvalidCredentials)
}

/// A session to be ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignOut)]
pub(crate) struct SignOutBody {
    /// Of the session.
    #[schema(required = true, value_type = String)]
    refresh_token: Option<Secret>,
    /// Whether to end all sessions of the account.
    #[serde(default)]
    everywhere: bool,
}

/// Sign out.
///
/// Needs no key: the refresh token says whose session it is. It ends on this node at once, on the
/// others within ten seconds. A token that is not known ends nothing, and is answered the same (RFC
/// 7009).
#[utoipa::path(
    tag = "signing in",
    request_body(content = SignOutBody, example = json!({"refresh_token": "rt_…"})),
    responses(
        (status = 204, description = "The session has ended, now or before."),
        WriteProblems,
    ),
)]
#[post("/v1/tokens:revoke")]
pub(crate) async fn revoke_tokens(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let SignOutBody { refresh_token, everywhere } = body::json(&request, payload).await?;
    let mut faults = Faults::default();
    let token = faults.require(refresh_token, "/refresh_token");
    faults.finish()?;
    let Secret(token) = token.ok_or_else(Problem::internal)?;
    let customers = gate.services.customers.clone();
    let sign_out = async move { customers.sign_out(&token, everywhere).await };
    let known = caller.write(sign_out).await?;
    if !known {
        gate.guards.failed(&request);
    }
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
