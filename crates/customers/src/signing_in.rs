//! Signing up, in and out: accounts, sessions, tokens.

use crate::account::{Account, Email, NewAccount, Password, Role};
use crate::books::{self, accounts, sessions};
use crate::messages::Credential;
use crate::{Customer, Customers, CustomersError, NewCustomer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{CustomerId, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;
use store::Tx;
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

/// How long somebody may stay signed in, in seconds: thirty days, however often they come.
pub const SESSION_SECONDS: u32 = 30 * 24 * 3600;

/// Sessions of an account that last at the same time; one more ends the oldest.
pub const SESSIONS_MAX: i64 = 20;

/// Sessions that are forgotten at each sign-in, when they have expired.
const FORGOTTEN_AT_ONCE: i64 = 100;

/// What begins each refresh token.
const MARK: &str = "rt_";

/// Length of a refresh token: the mark, and 43 characters that hold 32 random bytes.
const LENGTH: usize = MARK.len() + 43;

/// What somebody gets who signs in. It is shown in no log.
pub struct Grant {
    /// Opens the API for a short time.
    pub access_token: String,
    /// For how long, in seconds.
    pub expires_in: i64,
    /// Is changed once for the next grant.
    pub refresh_token: String,
    /// When there will be no next grant any more.
    pub session_expires_at: Timestamp,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grant(…)")
    }
}

/// A refresh token that was just made: its text for the client, its hash for the books.
struct Fresh {
    text: String,
    hash: sessions::TokenHash,
}

fn hash(refresh_token: &str) -> sessions::TokenHash {
    Sha256::digest(refresh_token.as_bytes()).into()
}

/// The hash of a refresh token; `None` if the text cannot be one.
fn shown(text: &str) -> Option<sessions::TokenHash> {
    (text.starts_with(MARK) && text.len() == LENGTH).then(|| hash(text))
}

impl Customers {
    /// Begins a transaction of accounts and sessions, in turn: however many sign in and go on, they
    /// take only a few of the connections that the orders need.
    async fn begin_in_turn(&self) -> Result<(Tx, Option<SemaphorePermit<'_>>), CustomersError> {
        // Nobody closes the semaphore.
        let turn = self.turns.acquire().await.ok();
        Ok((self.db.begin().await?, turn))
    }

    fn fresh_token(&self) -> Fresh {
        let text = format!("{MARK}{}", URL_SAFE_NO_PAD.encode((self.random)()));
        Fresh { hash: hash(&text), text }
    }

    /// Makes a customer with an account.
    ///
    /// # Errors
    /// [`CustomersError::AccountExists`], after the password was hashed, so that it takes as long;
    /// [`CustomersError::Busy`], [`CustomersError::Hashing`], [`CustomersError::Store`].
    pub async fn sign_up(
        &self,
        new: NewCustomer,
        email: Email,
        password: Password,
    ) -> Result<Customer, CustomersError> {
        let password_hash = self.passwords.hash(password).await?;
        let (id, now) = (CustomerId(self.ids.uuid()), self.clock.now());
        let account = Account {
            id: self.ids.uuid(),
            email,
            role: Role::Customer,
            customer_id: Some(id),
            created_at: now,
        };
        let (mut tx, _turn) = self.begin_in_turn().await?;
        let customer = books::insert(&mut tx, id, new, now).await?;
        if !accounts::insert(&mut tx, &account, &password_hash).await? {
            return Err(CustomersError::AccountExists);
        }
        tx.commit().await?;
        Ok(customer)
    }

    /// Makes an account: for the staff, or for a customer that exists.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`] without such a customer; [`CustomersError::AccountExists`];
    /// [`CustomersError::Busy`], [`CustomersError::Hashing`], [`CustomersError::Store`].
    pub async fn create_account(&self, new: NewAccount) -> Result<Account, CustomersError> {
        let NewAccount { email, password, role, customer_id } = new;
        let password_hash = self.passwords.hash(password).await?;
        let created_at = self.clock.now();
        let account = Account { id: self.ids.uuid(), email, role, customer_id, created_at };
        let (mut tx, _turn) = self.begin_in_turn().await?;
        if let Some(id) = customer_id {
            let locked = books::lock(&mut tx, id).await?.filter(|locked| !locked.erased);
            locked.ok_or(CustomersError::NotFound)?;
            if accounts::has_one(&mut tx, id).await? {
                return Err(CustomersError::AccountExists);
            }
        }
        if !accounts::insert(&mut tx, &account, &password_hash).await? {
            return Err(CustomersError::AccountExists);
        }
        tx.commit().await?;
        Ok(account)
    }

    /// Up to `limit` accounts, newest first; `after` is the last one of the page before.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn list_accounts(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Account>, CustomersError> {
        Ok(accounts::list(&self.db, after, limit).await?)
    }

    /// Deletes an account and ends its sessions; a customer stays a customer.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`], [`CustomersError::Store`].
    pub async fn delete_account(&self, id: Uuid) -> Result<(), CustomersError> {
        let (mut tx, _turn) = self.begin_in_turn().await?;
        accounts::lock(&mut tx, id).await?.ok_or(CustomersError::NotFound)?;
        let ended = accounts::delete(&mut tx, id, self.clock.now()).await?;
        tx.commit().await?;
        self.forget_sessions(ended).await;
        Ok(())
    }

    /// Signs somebody in: begins a session. With an unknown address it takes as long as with a
    /// wrong password, and says the same.
    ///
    /// # Errors
    /// [`CustomersError::Refused`], [`CustomersError::Busy`], [`CustomersError::Hashing`],
    /// [`CustomersError::Store`].
    pub async fn sign_in(
        &self,
        email: Option<&Email>,
        password: Password,
    ) -> Result<Grant, CustomersError> {
        let kept = match email {
            Some(email) => accounts::find_by_email(&self.db, email).await?,
            None => None,
        };
        let password_hash = kept.as_ref().map(|kept| kept.password_hash.clone());
        let fits = self.passwords.fits(password, password_hash).await?;
        let outcome = if fits { "granted" } else { "refused" };
        metrics::counter!("sign_ins_total", "outcome" => outcome).increment(1);
        let kept = kept.filter(|_| fits).ok_or(CustomersError::Refused)?;
        let (id, now) = (kept.account.id, self.clock.now());
        let (mut tx, _turn) = self.begin_in_turn().await?;
        // The account may be gone by now, or have another password.
        let locked = accounts::lock(&mut tx, id).await?;
        locked
            .filter(|locked| locked.password_hash == kept.password_hash)
            .ok_or(CustomersError::Refused)?;
        let session = sessions::Locked {
            id: self.ids.uuid(),
            account_id: id,
            expires_at: now.plus_seconds(SESSION_SECONDS.into()),
            ended: false,
        };
        let token = self.fresh_token();
        let ended = sessions::begin(&mut tx, &session, &token.hash, SESSIONS_MAX, now).await?;
        tx.commit().await?;
        self.forget_sessions(ended).await;
        self.tidy(now).await;
        self.grant(&session, token, now)
    }

    /// Changes a refresh token for the next grant of its session. A token that was used before is
    /// in two hands: its session ends, for both.
    ///
    /// # Errors
    /// [`CustomersError::Refused`], [`CustomersError::Store`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<Grant, CustomersError> {
        let old = shown(refresh_token).ok_or(CustomersError::Refused)?;
        let now = self.clock.now();
        // Read before anything is locked: a token that nobody knows takes no turn from the orders.
        let found = sessions::of_token(&self.db, &old).await?.ok_or(CustomersError::Refused)?;
        let (mut tx, _turn) = self.begin_in_turn().await?;
        let session = sessions::lock(&mut tx, found).await?.filter(|session| !session.ended);
        let session = session.ok_or(CustomersError::Refused)?;
        if !sessions::use_token(&mut tx, &old, now).await? {
            sessions::end(&mut tx, session.id, "reused", now).await?;
            tx.commit().await?;
            self.forget_sessions([session.id]).await;
            metrics::counter!("refresh_token_reuses_total").increment(1);
            tracing::warn!(
                event = "refresh_token_reused",
                user_id = %session.account_id,
                "a refresh token came a second time; its session has ended"
            );
            return Err(CustomersError::Refused);
        }
        if session.expires_at <= now {
            return Err(CustomersError::Refused);
        }
        let fresh = self.fresh_token();
        sessions::insert_token(&mut tx, session.id, &fresh.hash, now).await?;
        tx.commit().await?;
        self.grant(&session, fresh, now)
    }

    /// Signs out: ends the session of this refresh token, or all of its account. `false` for a token
    /// that is not known: it ends nothing.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn sign_out(
        &self,
        refresh_token: &str,
        everywhere: bool,
    ) -> Result<bool, CustomersError> {
        let Some(token) = shown(refresh_token) else { return Ok(false) };
        let found = sessions::of_token(&self.db, &token).await?;
        let Some(session) = found else { return Ok(false) };
        // The account is locked before its sessions, so its id is read without a lock. Whoever
        // wants to end all of them may come with a session that another one has ended.
        let account = sessions::account_of(&self.db, session).await?;
        let Some(account) = account else { return Ok(true) };
        let now = self.clock.now();
        let (mut tx, _turn) = self.begin_in_turn().await?;
        let ended = if everywhere {
            accounts::lock(&mut tx, account).await?;
            sessions::end_all(&mut tx, account, "signed_out", now).await?
        } else {
            sessions::end(&mut tx, session, "signed_out", now).await?;
            vec![session]
        };
        tx.commit().await?;
        self.forget_sessions(ended).await;
        Ok(true)
    }

    /// Changes the password of an account and ends all its sessions.
    ///
    /// # Errors
    /// [`CustomersError::Refused`] if `current` is not the password, or the account is gone;
    /// [`CustomersError::Busy`], [`CustomersError::Hashing`], [`CustomersError::Store`].
    pub async fn change_password(
        &self,
        account: Uuid,
        current: Password,
        new: Password,
    ) -> Result<(), CustomersError> {
        let kept = accounts::find(&self.db, account).await?.ok_or(CustomersError::Refused)?;
        let old = kept.password_hash;
        if !self.passwords.fits(current, Some(old.clone())).await? {
            return Err(CustomersError::Refused);
        }
        let hash = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let (mut tx, _turn) = self.begin_in_turn().await?;
        accounts::lock(&mut tx, account).await?;
        if !accounts::change_password(&mut tx, account, &old, &hash, now).await? {
            return Err(CustomersError::Refused);
        }
        let ended = sessions::end_all(&mut tx, account, "password_changed", now).await?;
        tx.commit().await?;
        self.forget_sessions(ended).await;
        Ok(())
    }

    /// The account of this id.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn account(&self, id: Uuid) -> Result<Option<Account>, CustomersError> {
        Ok(accounts::find(&self.db, id).await?.map(|kept| kept.account))
    }

    fn grant(
        &self,
        session: &sessions::Locked,
        token: Fresh,
        now: Timestamp,
    ) -> Result<Grant, CustomersError> {
        let access_token = self.mint.issue(session.account_id, session.id, self.ids.uuid(), now);
        let failed = || CustomersError::Hashing("the token could not be signed".to_owned());
        Ok(Grant {
            access_token: access_token.ok_or_else(failed)?,
            expires_in: self.mint.life_seconds(),
            refresh_token: token.text,
            session_expires_at: session.expires_at,
        })
    }

    async fn forget_sessions(&self, ended: impl IntoIterator<Item = Uuid>) {
        for session in ended {
            self.keys.forget(&Credential::Session(session)).await;
        }
    }

    /// Forgets some sessions that have expired. Nobody waits for it to succeed.
    async fn tidy(&self, now: Timestamp) {
        if let Err(error) = sessions::forget_expired(&self.db, now, FORGOTTEN_AT_ONCE).await {
            let cause = &error as &dyn std::error::Error;
            tracing::info!(event = "sessions_kept", cause, "expired sessions were not forgotten");
        }
    }
}
