//! The customers of the shop, and the API keys of those who work with it.
//!
//! Customers never change for now, so what is cached of them cannot be wrong. A key is looked up
//! by the hash of its whole text; the keys themselves are kept nowhere and logged never.
//!
//! **Invariant:** ten seconds after a key was revoked it opens nothing on any node. On the node that
//! revoked it this is so at once, but for a look-up that was on its way just then. If a node's
//! clock is set back meanwhile, the ten seconds may become sixty there, never more. Only on a node
//! that cannot reach the database does a key that it saw before pass for ten minutes: it can write
//! nothing there.

mod actor;
mod books;
mod customer;
mod doorman;
mod error;
mod keys;
mod messages;

pub use customer::{Created, Customer, NewCustomer, Payer};
pub use error::CustomersError;
pub use keys::{ApiKey, Principal, Scopes, new_secret};

use actor::Registrar;
use actors::{
    Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, TraceId, Vitals,
};
use domain::{Clock, CustomerId, IdSource};
use doorman::{Doorman, Memory};
use messages::{Create, ReadPayers, Recognise};
use metrics::{Counter, counter};
use moka::future::Cache;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tokio::time::Instant;
use topology::{Edge, Outcome};
use tracing::Span;
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Most customers in one [`Customers::create`].
pub const CREATE_MAX: usize = 1000;

/// Customers whose way of paying is kept in memory: those who order at the same time, many times
/// over, in some tens of megabytes.
const PAYERS_MAX: u64 = 100_000;

/// Key look-ups that may wait. At a fraction of a millisecond each, with four at a time, the last
/// one waits less than [`LOOK_UP_PATIENCE`].
const LOOK_UPS_MAX: usize = 1024;

/// How long a request waits to learn whose key it carries.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(2);

/// The handle of the customers and the keys. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    registrar: Mailbox<Registrar>,
    doorman: Mailbox<Doorman>,
    payers: Cache<CustomerId, Payer>,
    keys: Memory,
    recalled: Counter,
    looked_up: Counter,
    edge: Edge,
}

/// Starts the service at `home`.
///
/// # Errors
/// None for now; the service reads nothing before it is asked.
#[expect(clippy::unused_async, reason = "all services are started alike")]
pub async fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    home: &Home,
) -> Result<Customers, CustomersError> {
    let keys = Memory::new();
    let registrar = {
        let (db, clock, ids) = (db.clone(), clock.clone(), ids.clone());
        actors::supervise(
            "customers",
            home,
            MailboxPolicy::Small,
            Supervision::STANDARD,
            move || Registrar::new(db.clone(), clock.clone(), ids.clone()),
        )
    };
    let doorman = {
        let (db, clock, keys) = (db.clone(), clock.clone(), keys.clone());
        actors::supervise(
            "api_keys",
            home,
            MailboxPolicy::Large(LOOK_UPS_MAX),
            Supervision::STANDARD,
            move || Doorman::new(db.clone(), clock.clone(), keys.clone()),
        )
    };
    Ok(Customers {
        db,
        clock,
        ids,
        registrar,
        doorman,
        payers: Cache::new(PAYERS_MAX),
        keys,
        // Held, because finding a counter by name costs more than counting.
        recalled: counter!("api_key_checks_total", "outcome" => "recalled"),
        looked_up: counter!("api_key_checks_total", "outcome" => "looked_up"),
        edge: Edge::unseen(),
    })
}

impl Customers {
    /// The same service for a caller: what it asks is counted on `edge`.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Asks an actor, and counts the call.
    async fn ask<S, M, T>(
        &self,
        mailbox: &Mailbox<S>,
        message: M,
        context: &RequestContext,
    ) -> Result<T, CustomersError>
    where
        M: Request<Answer = Result<T, StoreError>>,
        S: Serve<M>,
    {
        self.edge.call(async { Ok(mailbox.ask(message, context).await??) }).await
    }

    /// Creates customers in one transaction and answers line by line, in order. A line whose
    /// `external_ref` is taken, by an earlier customer or an earlier line, gets that customer as
    /// it is: an import may be repeated.
    ///
    /// # Errors
    /// [`CustomersError::TooMany`] and [`CustomersError::Invalid`] before anything was written;
    /// [`CustomersError::Store`]; [`CustomersError::Ask`].
    pub async fn create(
        &self,
        customers: Vec<NewCustomer>,
        context: &RequestContext,
    ) -> Result<Vec<Created>, CustomersError> {
        if customers.len() > CREATE_MAX {
            return Err(CustomersError::TooMany(customers.len()));
        }
        if let Some(line) = customers.iter().position(|new| !new.can_be_kept()) {
            return Err(CustomersError::Invalid { line });
        }
        if customers.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(&self.registrar, Create { customers }, context).await
    }

    /// The customer of this id.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn get(&self, id: CustomerId) -> Result<Option<Customer>, CustomersError> {
        Ok(self.edge.call(books::get(&self.db, id)).await?)
    }

    /// Up to `limit` customers, newest first; `after` is the last one of the page before.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn list(
        &self,
        after: Option<CustomerId>,
        limit: i64,
    ) -> Result<Vec<Customer>, CustomersError> {
        Ok(self.edge.call(books::list(&self.db, after, limit)).await?)
    }

    /// How these customers pay; those that do not exist are absent. Customers seen before come
    /// from memory, the others from one query.
    ///
    /// # Errors
    /// [`CustomersError::Store`]; [`CustomersError::Ask`].
    pub async fn payers(
        &self,
        ids: Vec<CustomerId>,
        context: &RequestContext,
    ) -> Result<HashMap<CustomerId, Payer>, CustomersError> {
        let mut known = HashMap::with_capacity(ids.len());
        let mut unknown = HashSet::new();
        for id in ids {
            match self.payers.get(&id).await {
                Some(payer) => drop(known.insert(id, payer)),
                None => drop(unknown.insert(id)),
            }
        }
        if unknown.is_empty() {
            self.edge.looked(Outcome::Ok);
            return Ok(known);
        }
        let ids = unknown.into_iter().collect();
        for (id, payer) in self.ask(&self.registrar, ReadPayers { ids }, context).await? {
            self.payers.insert(id, payer.clone()).await;
            known.insert(id, payer);
        }
        Ok(known)
    }

    /// Whose key this is; `None` if it opens nothing. A key that was seen within the last ten
    /// seconds costs a hash and a look into memory; another one is looked up in the database.
    ///
    /// # Errors
    /// [`CustomersError::Store`]; [`CustomersError::Ask`], such as `Full` under a flood of unknown
    /// keys. The request is then neither allowed nor refused.
    pub async fn authenticate(&self, key: &str) -> Result<Option<Principal>, CustomersError> {
        let Some(hash) = keys::hash(key) else {
            return Ok(None);
        };
        if let Some(known) = self.keys.recall(&hash, self.clock.now()).await {
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
        self.ask(&self.doorman, Recognise { hash }, &context).await
    }

    /// What memory alone says of this key: `Some(None)` that it opens nothing, `None` that it was
    /// not seen within the last seconds and must be looked up.
    pub async fn recall(&self, key: &str) -> Option<Option<Principal>> {
        let Some(hash) = keys::hash(key) else {
            return Some(None);
        };
        let known = self.keys.recall(&hash, self.clock.now()).await?;
        self.recalled.increment(1);
        self.edge.looked(Outcome::Ok);
        Some(known)
    }

    /// Whose key this was within the last ten minutes, for a time in which the database is away.
    /// `None` says nothing about the key.
    pub async fn recall_proven(&self, key: &str) -> Option<Principal> {
        let hash = keys::hash(key)?;
        self.keys.recall_proven(&hash, self.clock.now()).await
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
        let hash = keys::hash(secret).ok_or(CustomersError::WeakKey)?;
        let key = ApiKey {
            id: self.ids.uuid(),
            name: name.to_owned(),
            scopes: Scopes::parse(scopes),
            created_at: self.clock.now(),
            revoked: false,
        };
        let key = self.edge.call(books::ensure_key(&self.db, &hash, &key)).await?;
        self.keys.forget(&hash).await;
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
        Ok(self.edge.call(books::list_keys(&self.db, after, limit)).await?)
    }

    /// Revokes a key: on this node at once, on the others within ten seconds. `false` if there is
    /// no such key, or it was revoked before.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn revoke_key(&self, id: Uuid) -> Result<bool, CustomersError> {
        let revoked = self.edge.call(books::revoke_key(&self.db, id, self.clock.now())).await?;
        let Some(hash) = revoked else {
            return Ok(false);
        };
        self.keys.forget(&hash).await;
        Ok(true)
    }

    /// What can be seen of the two actors: the one of the customers and the one of the keys.
    #[must_use]
    pub fn vitals(&self) -> [&Arc<Vitals>; 2] {
        [self.registrar.vitals(), self.doorman.vitals()]
    }

    /// Refuses new messages and waits until all that were taken have their answer.
    pub async fn drain(&self) {
        self.registrar.drain().await;
        self.doorman.drain().await;
    }
}
