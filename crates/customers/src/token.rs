//! Access tokens: JSON web tokens that say which session somebody is in, for a short time. What
//! they may do is not in them: that is looked up by the session.
//!
//! One algorithm, HS256, and one form of header. A token that says anything else of itself (another
//! algorithm, a key to be fetched, extensions) is refused before its signature is looked at.

use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// The type of our tokens (RFC 9068): another token of ours, if there should be one, has another.
const TYPE: &str = "at+jwt";

/// For whom they are.
const AUDIENCE: &str = "orderly-api";

/// Longest token, in bytes. Ours have some 450.
const LENGTH_MAX: usize = 2_048;

/// How far the clocks of two nodes may be apart, in seconds.
const SKEW_SECONDS: i64 = 30;

/// How tokens are made and checked.
#[derive(Clone)]
pub struct TokenSettings {
    /// Who makes them.
    pub issuer: String,
    /// Secrets that sign them; the first one signs, all of them are accepted. All nodes of a shop
    /// share them. Empty: one is made and kept in the database.
    pub keys: Vec<Vec<u8>>,
    /// How long one is good for, in seconds.
    pub life_seconds: u32,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// The account.
    pub(crate) sub: Uuid,
    /// The session.
    pub(crate) sid: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// Makes and checks tokens.
pub(crate) struct Mint {
    issuer: String,
    life_seconds: i64,
    keys: Vec<NamedKey>,
    validation: Validation,
}

struct NamedKey {
    /// Stands in the header, to choose among the keys that we know.
    id: String,
    sign: EncodingKey,
    check: DecodingKey,
}

impl NamedKey {
    fn new(secret: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(b"orderly key id\0").chain_update(secret).finalize();
        let mut id = String::new();
        for byte in hash.iter().take(8) {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        let (sign, check) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { id, sign, check }
    }
}

impl Mint {
    /// Tokens of these settings, which have at least one key.
    pub(crate) fn new(settings: &TokenSettings) -> Self {
        // Once for the process; whoever was first has installed the same.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // By our own clock, below.
        validation.validate_exp = false;
        Self {
            issuer: settings.issuer.clone(),
            life_seconds: settings.life_seconds.into(),
            keys: settings.keys.iter().map(|secret| NamedKey::new(secret)).collect(),
            validation,
        }
    }

    /// How long a token is good for, in seconds.
    pub(crate) const fn life_seconds(&self) -> i64 {
        self.life_seconds
    }

    /// A token for this account and session; `None` if it cannot be made, which nothing of what it
    /// says is a reason for.
    pub(crate) fn issue(
        &self,
        account: Uuid,
        session: Uuid,
        id: Uuid,
        now: Timestamp,
    ) -> Option<String> {
        let key = self.keys.first()?;
        let iat = now.micros().div_euclid(1_000_000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: account,
            sid: session,
            iat,
            nbf: iat,
            exp: iat.saturating_add(self.life_seconds),
            jti: id,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, &claims, &key.sign).ok()
    }

    /// What a token says, if it is one of ours and good at this moment.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let claims = self.signed(token)?;
        let now = now.micros().div_euclid(1_000_000);
        let is_now = claims.nbf <= now.saturating_add(SKEW_SECONDS) && now < claims.exp;
        is_now.then_some(claims)
    }

    /// What a token says, if it is one of ours, at whatever time.
    pub(crate) fn signed(&self, token: &str) -> Option<Claims> {
        if token.len() > LENGTH_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let kid = header.kid.clone()?;
        let mut plain = Header::new(Algorithm::HS256);
        plain.typ = Some(TYPE.to_owned());
        plain.kid = Some(kid.clone());
        if header != plain {
            return None;
        }
        let key = self.keys.iter().find(|key| key.id == kid)?;
        let token = jsonwebtoken::decode::<Claims>(token, &key.check, &self.validation).ok()?;
        let claims = token.claims;
        let is_ours = claims.iat <= claims.exp
            && claims.exp.saturating_sub(claims.iat) <= self.life_seconds.max(0);
        is_ours.then_some(claims)
    }
}

/// Whether a text looks like a token: what it is, [`Mint::check`] says.
pub(crate) fn looks_like_one(text: &str) -> bool {
    // A header begins with `{"`.
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// HS256 and nothing else, on the implementation of HMAC that the rest of the program uses.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes())?)),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?)),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    // For keys that come as JSON, which are refused.
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(secret: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        let mac = Hmac::<Sha256>::new_from_slice(secret);
        mac.map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        // In constant time.
        mac.verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
