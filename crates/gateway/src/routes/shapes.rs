//! What the values of parameters and bodies may be, beyond their types, written into the document:
//! ranges, lengths, patterns, lists of names. One table, next to the checks whose constants it uses.
//!
//! A rule that JSON Schema cannot say stands in the description alone: that a length is in bytes,
//! that a currency exists, that two members differ.

#[path = "shapes_people.rs"]
mod people;

use super::operations_mut;
use super::order_body::METHOD_LENGTH_MAX;
use super::stock_locations::RANK_MAX;
use super::{dead_letters, life_body, order_body, products, stock};
use crate::http::idempotency::KEY_LENGTH_MAX;
use crate::http::query::{LIMIT_MAX, VALUE_BYTES_MAX};
use domain::{AMOUNT_MAX_MINOR, Capture, OrderStatus, Sku};
use serde_json::Value;
use utoipa::Number;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ArrayItems, SchemaType, Type};
use utoipa::openapi::{
    KnownFormat, Object, OneOfBuilder, OpenApi, RefOr, Required, Schema, SchemaFormat,
};

/// Text that a person can read: no control characters.
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// The same, without surrounding spaces.
const TRIMMED: &str = r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$";

/// Three capitals; not all of them are currencies.
const CURRENCY: &str = "^[A-Z]{3}$";

/// The provider's name of a means of payment.
const METHOD: &str = "^[A-Za-z0-9_]+$";

/// Visible ASCII, bare.
const KEY: &str = "^[!-~]+$";

/// Visible ASCII, bare or as a quoted string of RFC 9651.
const KEY_HEADER: &str = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;

/// One entity tag, strong or weak, or any.
const ENTITY_TAG: &str = r#"^(\*|(W/)?"[!#-~]*")$"#;

const TRACE_ID: &str = "^[0-9a-f]{32}$";

/// The longest quoted key: two quotes, and each character escaped.
const KEY_HEADER_LENGTH_MAX: usize = 2 + 2 * KEY_LENGTH_MAX;

/// Longest name and type of an event of the provider; `payments` refuses longer ones.
const EVENT_NAME_LENGTH_MAX: usize = 255;

/// What a value may be.
#[derive(Clone, Copy)]
enum Shape {
    /// A whole number of this range.
    Whole(i64, i64),
    /// A whole number from here.
    From(i64),
    /// A whole number that is not 0, and not further from it.
    NotZero(i64),
    /// Text of so many characters, of this pattern.
    Text(usize, usize, &'static str),
    /// Text of this pattern.
    Pattern(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A moment, as RFC 3339 writes it.
    Time,
    /// A whole number from here, of any size.
    FromToAny(i64),
    /// A list of so many, each of this shape.
    Each(usize, usize, &'static Shape),
    /// A list that is not empty.
    Some,
}

use Shape::{Each, From, FromToAny, NotZero, OneOf, Pattern, Text, Time, Whole};

const AMOUNT: Shape = Whole(0, AMOUNT_MAX_MINOR);
const UNITS: Shape = Whole(1, AMOUNT_MAX_MINOR);
const SKU: Shape = Text(1, Sku::LENGTH_MAX, TRIMMED);
const LOCATION: Shape = Text(1, inventory::LocationName::LENGTH_MAX, TRIMMED);
const REASON: Shape = Text(1, life_body::REASON_LENGTH_MAX, PRINTABLE);
const RULE_ID: Shape = Text(1, pricing::ID_LENGTH_MAX, TRIMMED);
const METHOD_NAME: Shape = Text(1, METHOD_LENGTH_MAX, METHOD);
const FILTER: Shape = Text(0, VALUE_BYTES_MAX, PRINTABLE);

const STATUSES: [&str; OrderStatus::ALL.len()] = {
    let mut names = [""; OrderStatus::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = OrderStatus::ALL[index].as_str();
        index += 1;
    }
    names
};

const CAPTURES: &[&str] = &[Capture::Automatic.as_str(), Capture::Manual.as_str()];

/// A member of an object, or a parameter, by name.
type Member = (&'static str, Shape);

/// Schemas that have the same members.
type Row = (&'static [&'static str], &'static [Member]);

/// The parameters of each name, wherever it stands.
const PARAMETERS: &[Member] = &[
    ("limit", Whole(1, LIMIT_MAX)),
    ("cursor", Text(1, VALUE_BYTES_MAX, PRINTABLE)),
    ("status", OneOf(&STATUSES)),
    ("external_ref", FILTER),
    ("category", FILTER),
    ("q", FILTER),
    ("amount_from", AMOUNT),
    ("amount_to", AMOUNT),
    ("created_after", Time),
    ("created_before", Time),
    ("after", From(0)),
    ("sku", SKU),
    ("name", LOCATION),
    ("Idempotency-Key", Text(1, KEY_HEADER_LENGTH_MAX, KEY_HEADER)),
    ("If-Match", Pattern(ENTITY_TAG)),
    ("X-Request-Timeout-Ms", FromToAny(1)),
    ("Last-Event-ID", From(0)),
];

/// Values for those whose pattern says little to people.
const EXAMPLES: &[(&str, &str)] = &[("If-Match", "\"v2\""), ("If-None-Match", "\"v2\"")];

/// The members of bodies.
const BODIES: &[Row] = &[
    (
        &["NewOrder", "NewOrderInStream"],
        &[
            ("external_ref", Text(1, order_body::EXTERNAL_REF_LENGTH_MAX, PRINTABLE)),
            ("currency", Pattern(CURRENCY)),
            ("lines", Shape::Some),
            ("coupons", Each(0, order_body::COUPONS_MAX, &RULE_ID)),
            ("jurisdiction", RULE_ID),
        ],
    ),
    (&["NewOrderInStream"], &[("idempotency_key", Text(1, KEY_LENGTH_MAX, KEY))]),
    (
        &["NewOrderLine"],
        &[("sku", SKU), ("quantity", UNITS), ("unit_amount", AMOUNT), ("discount_amount", AMOUNT)],
    ),
    (&["NewOrderPayment"], &[("method", METHOD_NAME), ("capture", OneOf(CAPTURES))]),
    (&["WantedUnits"], &[("sku", SKU), ("quantity", UNITS)]),
    (&["Cancellation"], &[("reason", REASON)]),
    (&["NewRefund"], &[("amount", UNITS), ("reason", REASON)]),
    (
        &["ProductChange", "ProductInStream"],
        &[
            ("name", Text(1, products::NAME_LENGTH_MAX, PRINTABLE)),
            ("category", Text(0, products::NAME_LENGTH_MAX, PRINTABLE)),
            ("unit_amount", AMOUNT),
            ("currency", Pattern(CURRENCY)),
        ],
    ),
    (&["ProductInStream", "AdjustmentInStream"], &[("sku", SKU)]),
    (&["PriceInStream"], &[("sku", SKU), ("unit_amount", AMOUNT)]),
    (
        &["StockAdjustment", "AdjustmentInStream"],
        &[
            ("delta", NotZero(AMOUNT_MAX_MINOR)),
            ("reason", Text(1, stock::REASON_LENGTH_MAX, PRINTABLE)),
            ("location", LOCATION),
        ],
    ),
    (
        &["ProviderEvent"],
        &[
            ("id", Text(1, EVENT_NAME_LENGTH_MAX, KEY)),
            ("type", Text(1, EVENT_NAME_LENGTH_MAX, KEY)),
        ],
    ),
    (&["StockMove"], &[("quantity", UNITS), ("from", LOCATION), ("to", LOCATION)]),
    (&["StockLocationChange"], &[("rank", Whole(0, RANK_MAX))]),
    (
        &["Redrive"],
        &[
            ("consumer", Text(1, dead_letters::NAME_LENGTH_MAX, PRINTABLE)),
            ("limit", Whole(1, dead_letters::REDRIVEN_MAX)),
        ],
    ),
];

/// The members of answers: what a client may rely on.
const ANSWERS: &[Row] = &[
    (
        &["Order", "OrderWithShipment", "OrderWithRefund", "OrderWithReturn"],
        &[
            ("status", OneOf(&STATUSES)),
            ("currency", Pattern(CURRENCY)),
            ("amount_subtotal", From(0)),
            ("amount_discount", From(0)),
            ("amount_tax", From(0)),
            ("amount_total", From(0)),
            ("amount_authorized", From(0)),
            ("amount_captured", From(0)),
            ("amount_refunded", From(0)),
            ("lines", Shape::Some),
            ("version", From(1)),
        ],
    ),
    (
        &["OrderLine"],
        &[
            ("sku", SKU),
            ("quantity", From(1)),
            ("unit_amount", From(0)),
            ("discount_amount", From(0)),
            ("amount_total", From(0)),
            ("quantity_shipped", From(0)),
            ("quantity_cancelled", From(0)),
            ("quantity_returned", From(0)),
        ],
    ),
    (&["OrderUnits"], &[("sku", SKU), ("quantity", From(1))]),
    (&["Shipment"], &[("version", From(2)), ("amount_captured", From(0)), ("lines", Shape::Some)]),
    (&["Refund"], &[("version", From(2)), ("amount", From(0))]),
    (&["Return"], &[("version", From(2)), ("amount_refunded", From(0)), ("lines", Shape::Some)]),
    (&["Event"], &[("version", From(1)), ("trace_id", Pattern(TRACE_ID))]),
    (
        &["Payment"],
        &[("amount", From(0)), ("currency", Pattern(CURRENCY)), ("capture", OneOf(CAPTURES))],
    ),
    (&["PaymentOperation"], &[("version", From(2)), ("amount", From(0))]),
    (&["Product"], &[("sku", SKU), ("unit_amount", AMOUNT), ("currency", Pattern(CURRENCY))]),
    (
        &["Stock", "StockDetail"],
        &[
            ("sku", SKU),
            ("on_hand", From(0)),
            ("reserved", From(0)),
            ("available", From(0)),
            ("version", From(1)),
        ],
    ),
    (&["UnitsAtLocation"], &[("location", LOCATION), ("on_hand", From(0)), ("available", From(0))]),
    (&["StockMovement"], &[("quantity", From(1))]),
    (&["StockLocation"], &[("name", LOCATION), ("rank", Whole(0, RANK_MAX))]),
    (&["Problem"], &[("status", Whole(400, 599)), ("trace_id", Pattern(TRACE_ID))]),
];

/// All rows.
fn rows() -> impl Iterator<Item = &'static Row> {
    BODIES.iter().chain(people::BODIES).chain(ANSWERS).chain(people::ANSWERS)
}

/// Operations that can do without a body. No body means an object without members, or a stream
/// without lines.
const WITHOUT_BODY: &[&str] = &[
    "cancel_order",
    "ship_order",
    "deliver_order",
    "redrive_dead_letter",
    "redrive_dead_letters",
    "place_orders",
    "put_products",
    "put_prices",
    "adjust_stocks",
    "create_customers",
];

/// Writes the shapes into `document`.
pub(crate) fn write(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations_mut(item) {
            write_parameters(operation);
            let can_do_without = |id: &String| WITHOUT_BODY.contains(&id.as_str());
            if operation.operation_id.as_ref().is_some_and(can_do_without)
                && let Some(RefOr::T(body)) = &mut operation.request_body
            {
                body.required = Some(Required::False);
            }
        }
    }
    let components = document.components.get_or_insert_default();
    for (names, members) in rows() {
        for name in *names {
            if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(*name) {
                write_members(schema, members);
            }
        }
    }
    if let Some(RefOr::T(schema)) = components.schemas.get_mut("NewRefund") {
        either_amount_or_lines(schema);
    }
}

fn write_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let Some(RefOr::T(schema)) = &mut parameter.schema else { continue };
        // A parameter is there or not; none has a spelling for `null`.
        if let Schema::Object(object) = schema {
            object.schema_type = not_null(&object.schema_type);
            let example = EXAMPLES.iter().find(|(name, _)| *name == parameter.name);
            object.examples.extend(example.map(|(_, value)| Value::from(*value)));
        }
        if let Some((_, shape)) = PARAMETERS.iter().find(|(name, _)| *name == parameter.name) {
            shape.write(schema);
        }
    }
}

fn not_null(kind: &SchemaType) -> SchemaType {
    let SchemaType::Array(kinds) = kind else { return kind.clone() };
    let rest: Vec<Type> = kinds.iter().filter(|kind| **kind != Type::Null).cloned().collect();
    match rest.as_slice() {
        [one] => SchemaType::Type(one.clone()),
        _ => SchemaType::Array(rest),
    }
}

fn write_members(schema: &mut Object, members: &[Member]) {
    for (member, shape) in members {
        if let Some(RefOr::T(schema)) = schema.properties.get_mut(*member) {
            shape.write(schema);
        }
    }
}

/// A refund names one of the two: the other is absent or `null`.
fn either_amount_or_lines(schema: &mut Schema) {
    let Schema::Object(both) = schema else { return };
    let with = |this: &str, not: &str| {
        let mut one = both.clone();
        one.description = None;
        one.required.push(this.to_owned());
        if let Some(RefOr::T(member)) = one.properties.get_mut(this) {
            match member {
                Schema::Object(member) => member.schema_type = not_null(&member.schema_type),
                Schema::Array(member) => member.schema_type = not_null(&member.schema_type),
                _ => {}
            }
        }
        let nothing = Object::with_type(Type::Null);
        one.properties.insert(not.to_owned(), RefOr::T(Schema::Object(nothing)));
        one
    };
    let either = OneOfBuilder::new()
        .description(both.description.clone())
        .item(with("amount", "lines"))
        .item(with("lines", "amount"))
        .build();
    *schema = Schema::OneOf(either);
}

impl Shape {
    fn write(self, schema: &mut Schema) {
        match schema {
            Schema::Object(object) => {
                if let NotZero(most) = self {
                    *schema = Schema::OneOf(not_zero(object, most));
                } else {
                    self.write_value(object);
                }
            }
            Schema::Array(array) => {
                array.min_items = Some(1);
                let Each(least, most, each) = self else { return };
                (array.min_items, array.max_items) = (Some(least), Some(most));
                if let ArrayItems::RefOrSchema(items) = &mut array.items
                    && let RefOr::T(schema) = items.as_mut()
                {
                    each.write(schema);
                }
            }
            _ => {}
        }
    }

    fn write_value(self, object: &mut Object) {
        match self {
            Whole(least, most) => {
                object.minimum = number(least);
                object.maximum = number(most);
            }
            From(least) => object.minimum = number(least),
            Text(least, most, pattern) => {
                object.min_length = (least > 0).then_some(least);
                object.max_length = Some(most);
                object.pattern = Some(pattern.to_owned());
            }
            Time => object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)),
            FromToAny(least) => {
                object.minimum = number(least);
                object.format = None;
            }
            Pattern(pattern) => object.pattern = Some(pattern.to_owned()),
            OneOf(texts) => {
                let nullable = not_null(&object.schema_type) != object.schema_type;
                let null = nullable.then_some(Value::Null);
                let texts = texts.iter().map(|text| Value::from(*text));
                object.enum_values = Some(texts.chain(null).collect());
            }
            NotZero(_) | Each(..) | Shape::Some => {}
        }
    }
}

/// JSON Schema has no "not 0" that tools understand; two ranges they do.
fn not_zero(object: &Object, most: i64) -> utoipa::openapi::OneOf {
    let side = |least, most| {
        let mut side = Object::with_type(object.schema_type.clone());
        Whole(least, most).write_value(&mut side);
        side
    };
    OneOfBuilder::new()
        .description(object.description.clone())
        .examples(object.examples.clone())
        .item(side(-most, -1))
        .item(side(1, most))
        .build()
}

fn number(number: i64) -> Option<Number> {
    isize::try_from(number).ok().map(Number::Int)
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
