//! Who comes in, and with what: API keys and access tokens.

use crate::books::keys as books;
use crate::keys::{self, ApiKey, Principal, Scopes};
use crate::messages::{Credential, Recognise};
use crate::{Customers, CustomersError, token};
use actors::{RequestContext, TraceId};
use domain::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use topology::Outcome;
use tracing::Span;
use uuid::Uuid;

/// How long a request waits to learn who makes it.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(2);

/// An API key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub scopes: Scopes,
    /// When it stops to open anything.
    pub expires_at: Option<Timestamp>,
}

impl Customers {
    /// What is shown, as far as it can be judged without the database: `None` if it opens nothing.
    /// The signature and the times of a token are checked here, at every request.
    fn credential(&self, shown: &str, now: Timestamp) -> Option<Credential> {
        if token::looks_like_one(shown) {
            return self.mint.check(shown, now).map(|claims| Credential::Session(claims.sid));
        }
        keys::hash(shown).map(Credential::Key)
    }

    /// Whether this is a token that we signed, be it good or not any more. Nobody guesses such a
    /// thing.
    #[must_use]
    pub fn has_signed(&self, shown: &str) -> bool {
        token::looks_like_one(shown) && self.mint.signed(shown).is_some()
    }

    /// Who shows this key or token; `None` if it opens nothing. One that was seen within the last
    /// ten seconds costs a hash and a look into memory; another one is looked up in the database,
    /// unless it cannot be good by itself.
    ///
    /// # Errors
    /// [`CustomersError::Store`]; [`CustomersError::Ask`], such as `Full` under a flood of unknown
    /// keys. The request is then neither allowed nor refused.
    pub async fn authenticate(&self, shown: &str) -> Result<Option<Principal>, CustomersError> {
        let now = self.clock.now();
        let Some(credential) = self.credential(shown, now) else { return Ok(None) };
        if let Some(known) = self.keys.recall(&credential, now).await {
            self.recalled.increment(1);
            self.edge.looked(Outcome::Ok);
            return Ok(known);
        }
        self.looked_up.increment(1);
        let context = RequestContext::new(
            Instant::now() + LOOK_UP_PATIENCE,
            TraceId::new(self.ids.uuid()),
            Span::current(),
            "authentication".into(),
        );
        self.ask(&self.doorman, Recognise { credential }, &context).await
    }

    /// What memory alone says of this key or token: `Some(None)` that it opens nothing, `None` that
    /// it was not seen within the last seconds and must be looked up.
    pub async fn recall(&self, shown: &str) -> Option<Option<Principal>> {
        let now = self.clock.now();
        let Some(credential) = self.credential(shown, now) else { return Some(None) };
        let known = self.keys.recall(&credential, now).await?;
        self.recalled.increment(1);
        self.edge.looked(Outcome::Ok);
        Some(known)
    }

    /// Whose key or token this was within the last ten minutes, for a time in which the database is
    /// away. `None` says nothing about it.
    pub async fn recall_proven(&self, shown: &str) -> Option<Principal> {
        let now = self.clock.now();
        self.keys.recall_proven(&self.credential(shown, now)?, now).await
    }

    /// Makes sure that a key with this secret exists, and gives it. An existing one stays as it
    /// is, also if it is revoked or has another name or other scopes.
    ///
    /// # Errors
    /// [`CustomersError::WeakKey`], before anything was written; [`CustomersError::Store`].
    pub async fn ensure_key(
        &self,
        name: &str,
        secret: &str,
        scopes: &str,
    ) -> Result<ApiKey, CustomersError> {
        let (name, scopes) = (name.to_owned(), Scopes::parse(scopes));
        self.keep_key(NewKey { name, scopes, expires_at: None }, secret).await
    }

    /// Makes a key and gives it with its secret, which is kept nowhere.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn make_key(&self, new: NewKey) -> Result<(ApiKey, String), CustomersError> {
        let secret = keys::new_secret((self.random)());
        Ok((self.keep_key(new, &secret).await?, secret))
    }

    async fn keep_key(&self, new: NewKey, secret: &str) -> Result<ApiKey, CustomersError> {
        let hash = keys::hash(secret).ok_or(CustomersError::WeakKey)?;
        let key = ApiKey {
            id: self.ids.uuid(),
            name: new.name,
            scopes: new.scopes,
            created_at: self.clock.now(),
            revoked: false,
            prefix: keys::prefix(secret),
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let key = self.edge.call(books::ensure(&self.db, &hash, &key)).await?;
        self.keys.forget(&Credential::Key(hash)).await;
        Ok(key)
    }

    /// Up to `limit` keys, newest first, also those that were revoked; `after` is the last one of
    /// the page before.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn list_keys(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ApiKey>, CustomersError> {
        Ok(self.edge.call(books::list(&self.db, after, limit)).await?)
    }

    /// The key of this id, also if it was revoked.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn key(&self, id: Uuid) -> Result<Option<ApiKey>, CustomersError> {
        Ok(self.edge.call(books::get(&self.db, id)).await?)
    }

    /// Revokes a key: on this node at once, on the others within ten seconds. `false` if there is
    /// no such key, or it was revoked before.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn revoke_key(&self, id: Uuid) -> Result<bool, CustomersError> {
        let revoked = self.edge.call(books::revoke(&self.db, id, self.clock.now())).await?;
        let Some(hash) = revoked else { return Ok(false) };
        self.keys.forget(&Credential::Key(hash)).await;
        Ok(true)
    }

    /// Writes when keys were used since the last call, in one statement. Called once in a while; a
    /// use that is not written is lost with the process.
    ///
    /// # Errors
    /// [`CustomersError::Store`]; the uses are lost then.
    pub async fn note_key_uses(&self) -> Result<(), CustomersError> {
        let uses = self.keys.take_uses();
        if uses.is_empty() { Ok(()) } else { Ok(books::note_uses(&self.db, uses).await?) }
    }
}
