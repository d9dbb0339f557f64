//! The customers themselves: made, read, changed, forgotten.

use crate::books::{self, addresses};
use crate::messages::{Change, Create, Credential, Erase, PutAddress, ReadPayers, RemoveAddress};
use crate::{
    Address, Created, Customer, CustomerChange, Customers, CustomersError, NamedAddress,
    NewCustomer, Payer,
};
use actors::RequestContext;
use domain::CustomerId;
use std::collections::{HashMap, HashSet};
use topology::Outcome;

/// Most customers in one [`Customers::create`].
pub const CREATE_MAX: usize = 1000;

/// Most addresses of a customer.
pub const ADDRESSES_MAX: i64 = 50;

/// How long a way of paying is believed without another look, in seconds: as long as another node
/// may go on with what a customer has changed, or with one who was erased.
const PAYER_SECONDS: i64 = 30;

impl Customers {
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

    /// The customer of this id; nobody who was erased.
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

    /// Changes a customer; with `if_match` only if that is its version. How they pay is so on this
    /// node at once, on the others within half a minute.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`], [`CustomersError::VersionMismatch`],
    /// [`CustomersError::Store`], [`CustomersError::Ask`].
    pub async fn change(
        &self,
        id: CustomerId,
        change: CustomerChange,
        if_match: Option<i64>,
        context: &RequestContext,
    ) -> Result<Customer, CustomersError> {
        let changed = self.ask(&self.registrar, Change { id, change, if_match }, context).await;
        self.payers.invalidate(&id).await;
        changed
    }

    /// Forgets a person: name, e-mail address, reference, way of paying, addresses, and the account
    /// with its sessions. What stays is the id, which orders, payments and events name. Forgetting
    /// somebody again changes nothing. On other nodes their tokens pass for up to ten seconds, and
    /// orders with their id for up to half a minute.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`] if there never was such a customer; [`CustomersError::Store`];
    /// [`CustomersError::Ask`].
    pub async fn erase(
        &self,
        id: CustomerId,
        context: &RequestContext,
    ) -> Result<(), CustomersError> {
        let ended = self.ask(&self.registrar, Erase { id }, context).await;
        self.payers.invalidate(&id).await;
        for session in ended? {
            self.keys.forget(&Credential::Session(session)).await;
        }
        Ok(())
    }

    /// The addresses of a customer, by name; none of a customer that does not exist.
    ///
    /// # Errors
    /// [`CustomersError::Store`].
    pub async fn addresses(&self, id: CustomerId) -> Result<Vec<NamedAddress>, CustomersError> {
        Ok(self.edge.call(addresses::list(&self.db, id)).await?)
    }

    /// Writes an address under a name, in place of the one that has it.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`], [`CustomersError::TooManyAddresses`],
    /// [`CustomersError::Store`], [`CustomersError::Ask`].
    pub async fn put_address(
        &self,
        id: CustomerId,
        name: String,
        address: Address,
        context: &RequestContext,
    ) -> Result<NamedAddress, CustomersError> {
        self.ask(&self.registrar, PutAddress { id, name, address }, context).await
    }

    /// Removes an address.
    ///
    /// # Errors
    /// [`CustomersError::NotFound`], [`CustomersError::Store`], [`CustomersError::Ask`].
    pub async fn remove_address(
        &self,
        id: CustomerId,
        name: String,
        context: &RequestContext,
    ) -> Result<(), CustomersError> {
        self.ask(&self.registrar, RemoveAddress { id, name }, context).await
    }

    /// How these customers pay; those that do not exist are absent. Customers seen within the last
    /// half minute come from memory, the others from one query.
    ///
    /// # Errors
    /// [`CustomersError::Store`]; [`CustomersError::Ask`].
    pub async fn payers(
        &self,
        ids: Vec<CustomerId>,
        context: &RequestContext,
    ) -> Result<HashMap<CustomerId, Payer>, CustomersError> {
        // Taken before the look, so that what is learned is never believed for too long.
        let now = self.clock.now();
        let mut known = HashMap::with_capacity(ids.len());
        let mut unknown = HashSet::new();
        for id in ids {
            match self.payers.get(&id).await {
                Some((payer, seen)) if seen <= now && now < seen.plus_seconds(PAYER_SECONDS) => {
                    known.insert(id, payer);
                }
                _ => drop(unknown.insert(id)),
            }
        }
        self.payers_known.increment(known.len() as u64);
        self.payers_unknown.increment(unknown.len() as u64);
        if unknown.is_empty() {
            self.edge.looked(Outcome::Ok);
            return Ok(known);
        }
        let ids = unknown.into_iter().collect();
        for (id, payer) in self.ask(&self.registrar, ReadPayers { ids }, context).await? {
            self.payers.insert(id, (payer.clone(), now)).await;
            known.insert(id, payer);
        }
        Ok(known)
    }
}
