//! The shapes of people: customers, accounts, tokens, keys.

use super::{Each, From, METHOD_NAME, Member, OneOf, PRINTABLE, Pattern, Row, Shape, Text, Time};
use crate::routes::{accounts, addresses, customers, keys, tokens};
use ::customers::{EMAIL_LENGTH_MAX, Password};

const EMAIL: &str = r"^[^@\u0000-\u001f\u007f-\u009f]*@[^\u0000-\u001f\u007f-\u009f]*$";

/// One to sign in with: spaces around it do not count, spaces in it make it none.
const SIGN_IN_EMAIL: &str =
    r"^[^@\s\u0000-\u001f\u007f-\u009f]+@[^@\s\u0000-\u001f\u007f-\u009f]+$";

pub(super) const SCOPE: &str = r"^(\*|[a-z-]+:(\*|[a-z-]+))$";

const COUNTRY: &str = "^[A-Z]{2}$";

/// Anything, of some length.
const ANYTHING: &str = r"^[\s\S]*$";

const NEW_PASSWORD: Shape = Text(Password::LENGTH_MIN, Password::LENGTH_MAX, ANYTHING);
const SECRET: Shape = Text(0, tokens::SECRET_LENGTH_MAX, ANYTHING);
const NAME: Shape = Text(1, customers::TEXT_LENGTH_MAX, PRINTABLE);
const ACCOUNT_EMAIL: Shape = Text(3, EMAIL_LENGTH_MAX, SIGN_IN_EMAIL);

const CUSTOMER: &[Member] = &[
    ("name", NAME),
    ("email", Text(1, customers::EMAIL_LENGTH_MAX, EMAIL)),
    ("default_payment_method", METHOD_NAME),
];

/// The members of bodies.
pub(super) const BODIES: &[Row] = &[
    (&["NewCustomer"], &[("external_ref", NAME)]),
    (&["NewCustomer", "CustomerChange"], CUSTOMER),
    (
        &["NewAddress"],
        &[
            ("recipient", NAME),
            ("line1", NAME),
            ("line2", NAME),
            ("city", NAME),
            ("region", NAME),
            ("postal_code", Text(1, addresses::POSTAL_CODE_LENGTH_MAX, PRINTABLE)),
            ("country", Pattern(COUNTRY)),
        ],
    ),
    (&["SignUp"], &[("email", ACCOUNT_EMAIL), ("password", NEW_PASSWORD), ("name", NAME)]),
    (
        &["TokenRequest"],
        &[
            ("grant_type", OneOf(tokens::GRANT_TYPES)),
            ("email", Text(1, EMAIL_LENGTH_MAX, PRINTABLE)),
            ("password", SECRET),
            ("refresh_token", SECRET),
        ],
    ),
    (&["SignOut"], &[("refresh_token", SECRET)]),
    (
        &["NewAccount"],
        &[("email", ACCOUNT_EMAIL), ("password", NEW_PASSWORD), ("role", OneOf(accounts::ROLES))],
    ),
    (&["PasswordChange"], &[("current_password", SECRET), ("new_password", NEW_PASSWORD)]),
    (
        &["ApiKeyRequest"],
        &[
            ("name", Text(1, keys::NAME_LENGTH_MAX, PRINTABLE)),
            ("scopes", Each(1, keys::SCOPES_MAX, &Text(1, keys::SCOPE_LENGTH_MAX, SCOPE))),
            ("expires_at", Time),
        ],
    ),
];

/// The members of answers.
pub(super) const ANSWERS: &[Row] = &[
    (&["Customer"], &[("version", From(1))]),
    (&["Account"], &[("role", OneOf(accounts::ROLES))]),
    (&["Address"], &[("country", Pattern(COUNTRY))]),
    (&["TokenGrant"], &[("expires_in", From(1))]),
];
