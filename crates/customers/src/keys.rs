//! API keys: their text, what they may do, and who holds them. Pure.

use crate::account::Role;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{CustomerId, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use uuid::Uuid;

/// Length of a key in bytes. Sixteen visible characters are the least that an operator may
/// configure by hand; nobody needs more than 512, and each is hashed before it is known.
const LENGTH: RangeInclusive<usize> = 16..=512;

/// SHA-256 of a whole key. It stands for the key in memory and in the database.
pub(crate) type KeyHash = [u8; 32];

/// What begins each key of ours.
const MARK: &str = "ok_";

/// Length of a key of ours: the mark and 43 characters.
const OURS: usize = MARK.len() + 43;

/// Characters of a key of ours that are no secret: the mark, and 48 of the 256 random bits.
const PREFIX: usize = MARK.len() + 8;

/// Who makes a request. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The id of their key or account.
    pub id: Uuid,
    /// What they came in with.
    pub kind: Kind,
    /// What people call them: the name of their key, or of their role.
    pub name: Arc<str>,
    /// What they may do.
    pub scopes: Scopes,
}

/// What kind of principal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody in particular: somebody who has shown nothing.
    Guest,
    /// A service, with an API key.
    Key,
    /// Somebody of the shop who has signed in; never [`Role::Customer`].
    Staff(Role),
    /// A customer who has signed in.
    Customer(CustomerId),
}

impl Principal {
    /// Somebody who has shown nothing.
    #[must_use]
    pub fn guest() -> Self {
        let (name, scopes) = ("guest".into(), Scopes::default());
        Self { id: Uuid::nil(), kind: Kind::Guest, name, scopes }
    }

    /// As the timeline of an order names them: without anything personal.
    #[must_use]
    pub fn actor(&self) -> Arc<str> {
        match self.kind {
            Kind::Guest => self.name.clone(),
            Kind::Key => format!("key:{}", self.name).into(),
            Kind::Staff(role) => format!("{}:{}", role.as_str(), self.id).into(),
            Kind::Customer(id) => format!("customer:{id}").into(),
        }
    }
}

/// A key as it stands in the books: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key, and its holder.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it opens nothing any more.
    pub revoked: bool,
    /// Its first characters, for people to tell keys apart. Only keys of ours have some: of a text
    /// that a person chose, no part is told.
    pub prefix: Option<String>,
    /// When it stops to open anything by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to a minute or so.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at this moment.
    #[must_use]
    pub fn opens(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What a principal may do: names such as `orders:write`, where `orders:*` stands for all that
/// begin with `orders:`, and `*` for everything. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<[Box<str>]>);

impl Scopes {
    /// Reads scopes separated by spaces. Any text is a set of scopes; one without a name in it
    /// allows nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(Box::from).collect())
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|scope| scope.to_string()).collect()
    }

    /// Whether they cover `wanted`, such as `orders:write`.
    #[must_use]
    pub fn allows(&self, wanted: &str) -> bool {
        self.0.iter().any(|scope| match scope.strip_suffix('*') {
            Some("") => true,
            Some(family) if family.ends_with(':') => wanted.starts_with(family),
            _ => **scope == *wanted,
        })
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The text of a new key: `ok_` and 43 characters that hold 32 random bytes.
#[must_use]
pub fn new_secret(random: [u8; 32]) -> String {
    format!("{MARK}{}", URL_SAFE_NO_PAD.encode(random))
}

/// The part of a key that may be told.
pub(crate) fn prefix(secret: &str) -> Option<String> {
    let is_ours = secret.len() == OURS && secret.starts_with(MARK);
    secret.get(..PREFIX).filter(|_| is_ours).map(str::to_owned)
}

/// The hash of a key; `None` if the text cannot be one.
///
/// No slow, salted hash: a key is random, not chosen by a person, so its hash cannot be guessed
/// back. And no comparison in constant time: what is looked up is the hash, and how long that
/// takes tells at most how far two hashes agree, from which nobody can work towards a key.
pub(crate) fn hash(key: &str) -> Option<KeyHash> {
    let can_be_one = LENGTH.contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    can_be_one.then(|| Sha256::digest(key.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_allow_what_they_name_and_nothing_else() {
        for (scopes, wanted, allowed) in [
            ("*", "orders:write", true),
            ("orders:write", "orders:write", true),
            ("  products:read\torders:write ", "orders:write", true),
            ("orders:*", "orders:write", true),
            ("orders:*", "orders:price", true),
            ("orders:*", "orders", false),
            ("orders:*", "orders-archive:read", false),
            ("orders*", "orders:write", false),
            ("orders:read", "orders:write", false),
            ("orders:writer", "orders:write", false),
            ("orders:w", "orders:write", false),
            ("", "orders:write", false),
            ("", "", false),
        ] {
            assert_eq!(Scopes::parse(scopes).allows(wanted), allowed, "{scopes:?} {wanted:?}");
        }
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let scopes = Scopes::parse(" orders:*  products:read ");
        assert_eq!(scopes.to_string(), "orders:* products:read");
        assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
        assert_eq!(Scopes::default(), Scopes::parse(""));
    }

    #[test]
    fn a_new_secret_holds_all_its_random_bytes() {
        let secret = new_secret([0xff; 32]);
        assert_eq!(secret, format!("ok_{}8", "_".repeat(42)));
        assert_eq!(secret.len(), 46);
        assert!(hash(&secret).is_some());
    }

    #[test]
    fn of_a_key_of_ours_the_beginning_may_be_told() {
        let secret = new_secret([0; 32]);
        assert_eq!(prefix(&secret).as_deref(), Some("ok_AAAAAAAA"));
        for other in
            ["", "ok_", "ok_chosen-by-a-person-0123", &"ä".repeat(23), &format!("{secret}A")]
        {
            assert_eq!(prefix(other), None, "{other}");
        }
    }

    #[test]
    fn actors_are_named_without_anything_personal() {
        let id = Uuid::from_u128(7);
        let actor = |kind| {
            let name = "till 3".into();
            Principal { id, kind, name, scopes: Scopes::default() }.actor().to_string()
        };
        assert_eq!(actor(Kind::Key), "key:till 3");
        assert_eq!(actor(Kind::Staff(Role::Operator)), format!("operator:{id}"));
        let customer = CustomerId(Uuid::from_u128(8));
        assert_eq!(actor(Kind::Customer(customer)), format!("customer:{customer}"));
    }

    #[test]
    fn only_sixteen_or_more_visible_characters_can_be_a_key() {
        // SHA-256 of sixteen letters "a".
        let known = hash(&"a".repeat(16)).expect("is a key");
        assert_eq!(known[..4], [0x0c, 0x0b, 0xea, 0xce]);
        assert!(hash(&"a".repeat(512)).is_some());
        for no_key in
            ["", &"a".repeat(15), &"a".repeat(513), "aaaaaaaa aaaaaaaa", "äaaaaaaaaaaaaaaaa"]
        {
            assert_eq!(hash(no_key), None, "{no_key:?}");
        }
    }
}
