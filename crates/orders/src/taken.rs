//! Requests whose idempotency key was taken before.

use crate::books;
use crate::messages::{Given, PlaceError};
use std::collections::HashMap;
use store::answers::{self, Fingerprint, RequestKey, Stored};
use store::{Db, StoreError};

/// What the first requests with some keys asked for, and what they were told.
pub(crate) struct FirstAnswers {
    asked: HashMap<RequestKey, Fingerprint>,
    told: HashMap<RequestKey, Stored>,
}

impl FirstAnswers {
    /// Looks the keys up.
    pub(crate) async fn of(db: &Db, keys: &[RequestKey]) -> Result<Self, StoreError> {
        let asked = books::find_keys(db, keys).await?;
        Ok(Self { asked, told: answers::find(db, keys).await? })
    }

    /// What the same request is told now; `None` if its key is free.
    pub(crate) fn again(
        &self,
        key: &RequestKey,
        fingerprint: &Fingerprint,
    ) -> Option<Result<Given, PlaceError>> {
        let asked = self.asked.get(key)?;
        Some(match self.told.get(key) {
            _ if asked != fingerprint => Err(PlaceError::KeyReused),
            Some(stored) => Ok(Given { answer: stored.answer.clone(), replayed: true }),
            None => Err(PlaceError::InProgress),
        })
    }
}

/// What a request was told when it was made before; `None` if its key is free.
pub(crate) async fn answered_before(
    db: &Db,
    key: &RequestKey,
    fingerprint: &Fingerprint,
) -> Option<Result<Given, PlaceError>> {
    match FirstAnswers::of(db, std::slice::from_ref(key)).await {
        Ok(first) => first.again(key, fingerprint),
        Err(error) => Some(Err(PlaceError::Unavailable { source: error.into() })),
    }
}
