//! Who may call.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;

/// The rule by which callers are let in.
pub(crate) struct Access {
    /// Hash of the only key; `None` lets any key in.
    key: Option<[u8; 32]>,
}

impl Access {
    /// With `key` as the only key; `None` lets any key in that is not empty.
    pub(crate) fn new(key: Option<&str>) -> Self {
        Self { key: key.map(hash) }
    }

    fn admits(&self, key: &str) -> bool {
        match &self.key {
            // Hashes have one length, so the comparison tells nothing about the key's.
            Some(only) => bool::from(hash(key).ct_eq(only)),
            None => !key.is_empty(),
        }
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Proof that the caller showed a key.
pub(super) struct Caller;

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim());
        let access = request.app_data::<web::Data<Access>>();
        ready(match (key, access) {
            (None | Some(""), _) => Err(ApiError::no_key()),
            (Some(key), Some(access)) if access.admits(key) => Ok(Self),
            _ => Err(ApiError::wrong_key()),
        })
    }
}
