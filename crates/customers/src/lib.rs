//! The customers of the shop, and all who work with it: who they are, how they prove it, and what
//! they may do.
//!
//! | module | what is in it |
//! |---|---|
//! | `people` | customers and their addresses: made, read, changed, forgotten |
//! | `signing_in` | accounts, passwords, sessions |
//! | `entry` | who comes in: API keys and access tokens |
//! | `doorman` | what is remembered of keys and sessions, for how long |
//! | `token`, `password`, `keys`, `account` | the forms of what is shown and kept |
//!
//! A key is looked up by the hash of its whole text; keys, passwords and refresh tokens are kept
//! nowhere and logged never.
//!
//! **Invariant:** ten seconds after a key was revoked or a session ended it opens nothing on any
//! node. On the node where that happened this is so at once, but for a look-up that was on its way
//! just then. If a node's clock is set back meanwhile, the ten seconds may become sixty there, never
//! more. Only on a node that cannot reach the database does a key or session that it saw before pass
//! for ten minutes: it can write nothing there.

mod account;
mod actor;
mod address;
mod books;
mod customer;
mod doorman;
mod entry;
mod error;
mod keys;
mod messages;
mod password;
mod people;
mod signing_in;
mod token;

pub use account::{Account, EMAIL_LENGTH_MAX, Email, NewAccount, Password, PasswordFault, Role};
pub use address::{Address, NamedAddress};
pub use customer::{Created, Customer, CustomerChange, NewCustomer, Payer};
pub use entry::NewKey;
pub use error::CustomersError;
pub use keys::{ApiKey, Kind, Principal, Scopes, new_secret};
pub use people::{ADDRESSES_MAX, CREATE_MAX};
pub use signing_in::{Grant, SESSION_SECONDS, SESSIONS_MAX};
pub use token::TokenSettings;

use actor::Registrar;
use actors::{Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, Vitals};
use domain::{Clock, CustomerId, IdSource, Timestamp};
use doorman::{Doorman, Memory};
use metrics::{Counter, counter};
use moka::future::Cache;
use password::Passwords;
use std::sync::Arc;
use store::Db;
use token::Mint;
use tokio::sync::Semaphore;
use topology::Edge;

#[cfg(test)]
mod tests;

/// Customers whose way of paying is kept in memory: those who order at the same time, many times
/// over, in some tens of megabytes.
const PAYERS_MAX: u64 = 100_000;

/// Key look-ups that may wait. At a fraction of a millisecond each, with four at a time, the last
/// one waits less than a request does.
const LOOK_UPS_MAX: usize = 1024;

/// Transactions of accounts and sessions at the same time. More would take connections from the
/// orders.
const SIGNING_IN_AT_ONCE: usize = 2;

/// How the service is set up.
#[derive(Clone)]
pub struct CustomersConfig {
    /// How access tokens are made and checked.
    pub tokens: TokenSettings,
    /// Random bytes, for secrets and salts.
    pub random: fn() -> [u8; 32],
}

impl CustomersConfig {
    /// Tokens of the issuer `orderly` that live for ten minutes, signed with a secret of the
    /// database.
    #[must_use]
    pub fn new(random: fn() -> [u8; 32]) -> Self {
        let issuer = "orderly".to_owned();
        Self { tokens: TokenSettings { issuer, keys: Vec::new(), life_seconds: 600 }, random }
    }
}

/// The handle of the customers, the accounts and the keys. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    random: fn() -> [u8; 32],
    registrar: Mailbox<Registrar>,
    doorman: Mailbox<Doorman>,
    passwords: Passwords,
    mint: Arc<Mint>,
    payers: Cache<CustomerId, (Payer, Timestamp)>,
    keys: Memory,
    turns: Arc<Semaphore>,
    payers_known: Counter,
    payers_unknown: Counter,
    recalled: Counter,
    looked_up: Counter,
    edge: Edge,
}

/// Starts the service at `home`. Without a configured secret for tokens, the one of the database
/// is read, or made.
///
/// # Errors
/// [`CustomersError::Store`].
pub async fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: CustomersConfig,
    home: &Home,
) -> Result<Customers, CustomersError> {
    let CustomersConfig { mut tokens, random } = config;
    if tokens.keys.is_empty() {
        tokens.keys.push(books::keys::signing_secret(&db, random(), clock.now()).await?);
    }
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
        random,
        registrar,
        doorman,
        passwords: Passwords::new(random),
        mint: Arc::new(Mint::new(&tokens)),
        payers: Cache::new(PAYERS_MAX),
        keys,
        turns: Arc::new(Semaphore::new(SIGNING_IN_AT_ONCE)),
        // Held, because finding a counter by name costs more than counting.
        payers_known: counter!("cache_lookups_total", "cache" => "payers", "outcome" => "hit"),
        payers_unknown: counter!("cache_lookups_total", "cache" => "payers", "outcome" => "miss"),
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
    async fn ask<S, M, T, E>(
        &self,
        mailbox: &Mailbox<S>,
        message: M,
        context: &RequestContext,
    ) -> Result<T, CustomersError>
    where
        M: Request<Answer = Result<T, E>>,
        S: Serve<M>,
        CustomersError: From<E>,
    {
        self.edge.call(async { Ok(mailbox.ask(message, context).await??) }).await
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
