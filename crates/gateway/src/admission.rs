//! Who may come in, and for how long they wait.

use crate::access::{self, Entry, Owner, Rules};
use crate::http::cursor::CursorSeal;
use crate::http::{edge, headers};
use crate::limits::{Class, Guards, Place};
use crate::problem::{Code, Problem};
use crate::services::Services;
use actix_web::{HttpMessage, HttpRequest, rt};
use actors::{RequestContext, TraceId};
use customers::Principal;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use store::answers::RequestKey;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tracing::{Instrument, Span, field};

/// What every handler has at hand.
pub(crate) struct Gate {
    pub(crate) services: Services,
    pub(crate) cursors: CursorSeal,
    pub(crate) guards: Guards,
    pub(crate) rules: Rules,
}

/// Says of a request that its answer comes from memory, because the database is away.
pub(crate) struct FromMemory;

/// A request that was let in.
#[derive(Clone)]
pub(crate) struct Caller {
    principal: Principal,
    trace_id: TraceId,
    /// How long the client waits.
    timeout: Duration,
    deadline: Instant,
    span: Span,
    /// The principal as the timeline names it.
    actor: Arc<str>,
    /// The database is away: only memory can answer.
    only_memory: bool,
    /// Held until the request and all that it set going are done.
    place: Arc<Place>,
}

impl Gate {
    /// Lets a request in that the table of [`access`] allows, unless its client has used up its
    /// quota or the node cannot serve it now. All of this comes before any work. For routes on
    /// which nothing belongs to anybody: where customers are to see what is theirs,
    /// [`Self::admit_owner`] lets them in, and this does not.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, `RATE_LIMITED`, `FORBIDDEN`, `INVALID_HEADER` (the time-out),
    /// `UNAVAILABLE`, `OVERLOADED`.
    pub(crate) async fn admit(&self, request: &HttpRequest) -> Result<Caller, Problem> {
        let (caller, owner) = self.admit_owner(request).await?;
        match owner {
            Owner::Anybody => Ok(caller),
            Owner::Only(_) => Err(Problem::new(Code::Forbidden, "This is not for customers.")),
        }
    }

    /// Like [`Self::admit`], and says whose things the caller may see and change.
    ///
    /// # Errors
    /// See [`Self::admit`].
    pub(crate) async fn admit_owner(
        &self,
        request: &HttpRequest,
    ) -> Result<(Caller, Owner), Problem> {
        let route = edge::route(request).unwrap_or_default();
        let rule = self.rules.of(request.method().as_str(), &route)?;
        let span = Span::current();
        let class = Class::of(request.method(), &route);
        let principal = if rule.entry == Entry::Open {
            self.guards.may_try(request)?;
            Principal::guest()
        } else {
            let principal = self.recognise(request, class).await?;
            span.record("user_id", field::display(principal.id));
            self.guards.take(request, principal.id)?;
            principal
        };
        let owner = rule.judge(&principal)?;
        let timeout = headers::timeout(request.headers())?;
        let place = Arc::new(self.guards.let_in(class)?);
        let only_memory = class == Class::Memory && !self.guards.database_answers();
        let actor = principal.actor();
        let (trace_id, deadline) = (edge::trace_id(request), Instant::now() + timeout);
        let caller =
            Caller { principal, trace_id, timeout, deadline, span, actor, only_memory, place };
        Ok((caller, owner))
    }

    /// Who makes the request. What memory knows costs nothing; only whoever is not known there is
    /// held to the number of failures of its address. A token that we signed is no guess, also when
    /// it has expired: every client comes with such a one now and then.
    async fn recognise(&self, request: &HttpRequest, class: Class) -> Result<Principal, Problem> {
        let shown = headers::bearer(request.headers());
        let known = match &shown {
            Ok(shown) => self.services.customers.recall(shown).await,
            Err(_) => Some(None),
        };
        if let Some(Some(principal)) = known {
            return Ok(principal);
        }
        let is_guess = !shown.as_ref().is_ok_and(|shown| self.services.customers.has_signed(shown));
        if is_guess {
            self.guards.may_try(request)?;
        }
        let found = match &shown {
            Ok(shown) if known.is_none() => self.look_up(shown, class).await?,
            _ => None,
        };
        found.ok_or_else(|| {
            if is_guess {
                self.guards.failed(request);
            }
            shown.err().unwrap_or_else(Problem::unauthenticated)
        })
    }

    /// Whether what somebody showed still opens something, for what goes on after they were let in.
    pub(crate) async fn still_knows(&self, shown: &str) -> bool {
        matches!(self.services.customers.authenticate(shown).await, Ok(Some(_)))
    }

    /// Asks the database whose key or session this is; while it is away, only one that it knew
    /// lately passes, to what needs no database, and of the others nothing can be said.
    async fn look_up(&self, key: &str, class: Class) -> Result<Option<Principal>, Problem> {
        let customers = &self.services.customers;
        if self.guards.database_answers() {
            match customers.authenticate(key).await.map_err(Problem::from) {
                // It went away just now, or it is too busy to be asked.
                Err(problem) if problem.code() == Code::Unavailable && !class.needs_database() => {
                    edge::log(&problem);
                }
                done => return done,
            }
        }
        match customers.recall_proven(key).await {
            Some(principal) => Ok(Some(principal)),
            None => Err(Problem::new(
                Code::Unavailable,
                "The database cannot be reached, so the key or token cannot be checked.",
            )),
        }
    }
}

impl Caller {
    /// Who it is.
    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Refuses unless the caller has `scope`.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub(crate) fn require(&self, scope: &'static str) -> Result<(), Problem> {
        access::require(&self.principal, scope)
    }

    /// Whether the caller has `scope`.
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.principal.scopes.allows(scope)
    }

    /// The caller's request of this key.
    pub(crate) fn request_key(&self, key: String) -> RequestKey {
        RequestKey { principal_id: self.principal.id, key }
    }

    /// The context of this request.
    pub(crate) fn context(&self) -> RequestContext {
        RequestContext::new(self.deadline, self.trace_id, self.span.clone(), self.actor.clone())
    }

    /// The same caller with the whole time-out ahead: for the next part of a stream.
    pub(crate) fn renewed(&self) -> Self {
        Self { deadline: Instant::now() + self.timeout, ..self.clone() }
    }

    /// The moment at which the client stops waiting.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The trace, as text.
    pub(crate) fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }

    /// Runs a read until it is done, the deadline passes, or the client leaves.
    ///
    /// # Errors
    /// That of the read, or `DEADLINE_EXCEEDED`.
    pub(crate) async fn read<T, E: Into<Problem>>(
        &self,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        let in_time = timeout_at(self.deadline, read).await;
        in_time.map_err(|_| Problem::expired())?.map_err(Into::into)
    }

    /// Like [`Self::read`], where memory may answer instead while the database is away. The answer
    /// then says so.
    ///
    /// # Errors
    /// That of the read, or `DEADLINE_EXCEEDED`.
    pub(crate) async fn read_or_remember<T, E: Into<Problem>>(
        &self,
        request: &HttpRequest,
        read: impl Future<Output = Result<T, E>>,
        remember: impl FnOnce() -> T,
    ) -> Result<T, Problem> {
        if !self.only_memory {
            match self.read(read).await {
                // It went away just now.
                Err(problem) if problem.code() == Code::Unavailable => edge::log(&problem),
                done => return done,
            }
        }
        request.extensions_mut().insert(FromMemory);
        Ok(remember())
    }

    /// Whether the database is away, so that what memory tells may be old. The answer then says so.
    pub(crate) fn must_remember(&self, request: &HttpRequest) -> bool {
        if self.only_memory {
            request.extensions_mut().insert(FromMemory);
        }
        self.only_memory
    }

    /// Runs a write in a task of its own, which goes on when the client leaves (rule D16).
    ///
    /// # Errors
    /// That of the write, or `INTERNAL` if it panics.
    pub(crate) async fn write<T: 'static, E: Into<Problem> + 'static>(
        &self,
        write: impl Future<Output = Result<T, E>> + 'static,
    ) -> Result<T, Problem> {
        let place = self.place.clone();
        let write = async move {
            let done = write.await;
            drop(place);
            done
        };
        let task = rt::spawn(write.instrument(self.span.clone()));
        task.await.map_err(|error| Problem::internal().because(error))?.map_err(Into::into)
    }
}
