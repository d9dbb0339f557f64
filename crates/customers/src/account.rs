//! Whoever signs in: accounts and their roles. Pure.

use crate::keys::Scopes;
use domain::{CustomerId, Timestamp};
use std::fmt;
use uuid::Uuid;

/// Longest e-mail address, in characters (RFC 5321).
pub const EMAIL_LENGTH_MAX: usize = 254;

/// What somebody who signs in is to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Orders, and sees what is theirs.
    Customer,
    /// Runs the shop: orders, stock, products, customers.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Operator, Self::Admin];

    /// As it stands in the books and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads a role.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// What the role may do, as scopes. A customer has none: what customers may do is theirs
    /// alone, and each route says whether they may use it.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        Scopes::parse(match self {
            Self::Customer => "",
            // Not prices of single orders, not keys, not accounts.
            Self::Operator => {
                "orders:read orders:write products:* stock:* customers:* payments:* operations:* \
                 audit:* topology:*"
            }
            Self::Admin => "*",
        })
    }

    /// What somebody of the role can see and change, as scopes. Whoever makes an account knows its
    /// password, so they must be allowed all of it; for a customer that is what is theirs.
    #[must_use]
    pub fn reach(self) -> Scopes {
        match self {
            Self::Customer => Scopes::parse(
                "customers:read customers:write orders:read orders:write payments:read",
            ),
            Self::Operator | Self::Admin => self.scopes(),
        }
    }
}

/// An e-mail address, in the form in which addresses are compared: trimmed, in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address; `None` if the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let is_good = !local.is_empty()
            && !domain.is_empty()
            && text.chars().count() <= EMAIL_LENGTH_MAX
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        is_good.then(|| Self(text.to_lowercase()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A person's address belongs in no log.
        f.write_str("Email(…)")
    }
}

/// An account, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Names the account.
    pub id: Uuid,
    /// With what they sign in.
    pub email: Email,
    /// What they are to the shop.
    pub role: Role,
    /// Which customer they are; exactly with [`Role::Customer`].
    pub customer_id: Option<CustomerId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An account to be.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// With what they sign in.
    pub email: Email,
    /// With what else.
    pub password: Password,
    /// What they are to the shop.
    pub role: Role,
    /// Which customer they are; exactly with [`Role::Customer`].
    pub customer_id: Option<CustomerId>,
}

/// A password as somebody typed it. It is shown nowhere.
#[derive(Clone)]
pub struct Password(String);

/// Why a text is not taken as a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`Password::LENGTH_MIN`] or more than [`Password::LENGTH_MAX`] characters.
    #[error("has {} to {} characters", Password::LENGTH_MIN, Password::LENGTH_MAX)]
    Length,
    /// Hardly any different characters.
    #[error("must have at least five different characters")]
    Monotonous,
    /// It has the name before the `@` of the e-mail address in it.
    #[error("may not contain the e-mail address")]
    Address,
}

impl Password {
    /// Fewest characters of a new password. Length is what makes guessing slow; no characters of
    /// certain kinds are asked for (NIST SP 800-63B, section 5.1.1.2).
    pub const LENGTH_MIN: usize = 10;
    /// Most characters. Each try is hashed, so it must have an end.
    pub const LENGTH_MAX: usize = 128;

    /// A password that is tried. Whatever was typed may be tried.
    #[must_use]
    pub const fn tried(text: String) -> Self {
        Self(text)
    }

    /// A new password for this address.
    ///
    /// # Errors
    /// See [`PasswordFault`].
    pub fn new(text: String, email: &Email) -> Result<Self, PasswordFault> {
        if !(Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.chars().count()) {
            return Err(PasswordFault::Length);
        }
        let mut different: Vec<char> = text.chars().collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < 5 {
            return Err(PasswordFault::Monotonous);
        }
        let local = email.as_str().rsplit_once('@').map_or("", |(local, _)| local);
        if local.len() >= 4 && text.to_lowercase().contains(local) {
            return Err(PasswordFault::Address);
        }
        Ok(Self(text))
    }

    /// The characters. Longer texts than any password has are cut: they fit none.
    pub(crate) fn bytes(&self) -> &[u8] {
        const BYTES_MAX: usize = Password::LENGTH_MAX * 4;
        let bytes = self.0.as_bytes();
        bytes.get(..BYTES_MAX + 1).unwrap_or(bytes)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    #[test]
    fn addresses_are_compared_in_one_form() {
        assert_eq!(email(" Ada@Example.ORG "), email("ada@example.org"));
        for bad in
            ["", "@", "a@", "@b", "ada", "a b@c", "a\u{0}@c", &format!("{}@b", "a".repeat(253))]
        {
            assert_eq!(Email::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn new_passwords_are_long_enough_and_not_the_address() {
        let ada = email("ada.lovelace@example.org");
        let check = |text: &str| Password::new(text.to_owned(), &ada).map(drop);
        assert_eq!(check("correct horse battery"), Ok(()));
        assert_eq!(check("пароль-длинный"), Ok(()));
        assert_eq!(check("too short"), Err(PasswordFault::Length));
        assert_eq!(check(&"long ".repeat(26)), Err(PasswordFault::Length));
        assert_eq!(check("aaaaaaaaaaaabbbb"), Err(PasswordFault::Monotonous));
        assert_eq!(check("my-Ada.Lovelace-1"), Err(PasswordFault::Address));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?} {:?}", Password::tried("hunter22".into()), email("ada@b.org"));
        assert!(!shown.contains("hunter") && !shown.contains("ada"), "{shown}");
    }

    #[test]
    fn roles_are_read_as_they_are_written_and_rise() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
        assert!(!Role::Customer.scopes().allows("orders:read"));
        for (scope, allowed) in [
            ("orders:write", true),
            ("stock:write", true),
            ("orders:price", false),
            ("api-keys:write", false),
            ("accounts:write", false),
        ] {
            assert_eq!(Role::Operator.scopes().allows(scope), allowed, "{scope}");
            assert!(Role::Admin.scopes().allows(scope), "{scope}");
        }
    }
}
