//! Events that a consumer could not digest.

use super::answers::ok;
use crate::admission::Gate;
use crate::documents::{PageParameters, ReadProblems, WriteProblems, problems};
use crate::http::body::{self, Faults};
use crate::http::number::WholeNumber;
use crate::http::query::page_of;
use crate::problem::Problem;
use crate::views::{self, DeadLetterView, Redriven};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use broker::{DeadLetter, DeadLetterPlace};
use domain::{OrderId, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

/// Dead letters that are tried again at once when the client does not say how many.
const REDRIVEN_DEFAULT: i64 = 100;

/// Most dead letters that are tried again at once.
pub(super) const REDRIVEN_MAX: i64 = 1_000;

/// No consumer has a longer name.
pub(super) const NAME_LENGTH_MAX: usize = 100;

/// Which dead letters are to be tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Redrive)]
pub(crate) struct RedriveBody {
    /// Only those of this consumer.
    #[schema(examples("shipping"))]
    consumer: Option<String>,
    /// The oldest so many, 1 to 1,000; by default 100.
    #[schema(value_type = Option<i64>, examples(100))]
    limit: Option<WholeNumber>,
}

/// A request that says all that it has to say in its path.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedriveOne)]
pub(crate) struct RedriveOneBody {}

impl RedriveBody {
    fn check(self) -> Result<(Option<String>, i64), Problem> {
        let mut faults = Faults::default();
        faults.check_text(self.consumer.as_deref(), NAME_LENGTH_MAX, "/consumer");
        let limit = self.limit.map_or(Some(REDRIVEN_DEFAULT), |number| {
            faults.take(number.within(1, REDRIVEN_MAX, || "/limit".to_owned()))
        });
        faults.finish()?;
        // What is wrong was noted above.
        Ok((self.consumer, limit.ok_or_else(Problem::internal)?))
    }
}

/// List the dead letters, oldest first.
///
/// Events that a consumer could not digest in all its attempts. They wait for a person; the later
/// events of their orders wait behind them, and other orders go on. Needs the scope
/// `operations:read`.
#[utoipa::path(
    tag = "operations",
    params(PageParameters),
    responses(
        (status = 200, description = "A page.", body = views::DeadLetterPage),
        ReadProblems,
    ),
)]
#[get("/v1/dead-letters")]
pub(crate) async fn list_dead_letters(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let page = page_of(&request, "/v1/dead-letters", &gate.cursors)?;
    let after = page.after(read_place)?;
    let letters = gate.services.broker.dead_letters(after.as_ref(), page.rows());
    let rows = caller.read(letters).await?;
    let rows = page.page(rows, &gate.cursors, write_place);
    Ok(ok(&rows.view::<DeadLetterView<'_>>()))
}

/// The place of a letter in the list, for a cursor. The name of a consumer may have spaces in it.
fn write_place(letter: &DeadLetter) -> String {
    format!("{} {} {}", letter.dead_since.micros(), letter.order_id, letter.consumer)
}

fn read_place(text: &str) -> Option<DeadLetterPlace> {
    let mut parts = text.splitn(3, ' ');
    Some(DeadLetterPlace {
        dead_since: Timestamp::from_micros(parts.next()?.parse().ok()?),
        order_id: parts.next()?.parse().ok()?,
        consumer: parts.next()?.to_owned(),
    })
}

/// Try dead letters again.
///
/// The oldest ones, of one consumer or of all. They get all their attempts again, and the events
/// behind them follow. The work begins within a second. Needs the scope `operations:write`.
#[utoipa::path(
    tag = "operations",
    request_body(content = RedriveBody, example = json!({"consumer": "shipping", "limit": 100})),
    responses(
        (status = 200, description = "So many are tried again.", body = Redriven),
        WriteProblems,
    ),
)]
#[post("/v1/dead-letters:redrive")]
pub(crate) async fn redrive_dead_letters(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: RedriveBody = body::json_or_nothing(&request, payload).await?;
    let (consumer, limit) = body.check()?;
    let broker = gate.services.broker.clone();
    let redrive = async move { broker.redrive_oldest(consumer.as_deref(), limit).await };
    Ok(ok(&Redriven { redriven: caller.write(redrive).await? }))
}

problems! {
    /// There is no letter to try again.
    NoDeadLetter:
    404 "`NOT_FOUND`: the order has no dead letter of this consumer.",
}

/// Try the dead letter of an order again.
///
/// It gets all its attempts again, and the events of the order behind it follow. The work begins
/// within a second. Needs the scope `operations:write`.
#[utoipa::path(
    tag = "operations",
    params(
        ("consumer" = String, Path, description = "Who could not digest it."),
        ("order_id" = Uuid, Path, description = "The order."),
    ),
    request_body(content = RedriveOneBody, description = "Nothing, or an object without members."),
    responses(
        (status = 200, description = "It is tried again.", body = Redriven),
        NoDeadLetter,
        WriteProblems,
    ),
)]
#[post("/v1/dead-letters/{consumer}/{order_id}/redrive")]
pub(crate) async fn redrive_dead_letter(
    request: HttpRequest,
    gate: web::Data<Gate>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let RedriveOneBody {} = body::json_or_nothing(&request, payload).await?;
    let (consumer, order) = path.into_inner();
    let absent = || Problem::not_found("dead letter");
    let order: OrderId = order.parse().map_err(|_| absent())?;
    let broker = gate.services.broker.clone();
    let redrive = async move { broker.redrive(&consumer, order).await };
    match caller.write(redrive).await? {
        true => Ok(ok(&Redriven { redriven: 1 })),
        false => Err(absent()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::body::parse;
    use crate::problem::Code;
    use serde_json::{Value, json};

    #[test]
    fn a_place_in_the_list_survives_its_cursor() {
        let letter = DeadLetter {
            consumer: "a b  c".to_owned(),
            order_id: OrderId(uuid::Uuid::from_u128(7)),
            version: 3,
            kind: "order.placed".to_owned(),
            partition: 0,
            seq: 1,
            attempts: 5,
            dead_since: Timestamp::from_micros(-1_234_567),
            last_error: "no".to_owned(),
        };
        let place = read_place(&write_place(&letter)).expect("a place");
        assert_eq!(place.dead_since, letter.dead_since);
        assert_eq!((place.consumer, place.order_id), (letter.consumer, letter.order_id));
        for bad in ["", "7", "7 x", "7 x shipping", "x 00000000-0000-0000-0000-000000000007 s"] {
            assert_eq!(read_place(bad), None, "{bad}");
        }
    }

    #[test]
    fn how_many_are_tried_again_is_bounded() {
        let check = |body: &Value| {
            let body = parse::<RedriveBody>(body.to_string().as_bytes());
            body.and_then(RedriveBody::check).map_err(|problem| problem.code())
        };
        assert_eq!(check(&json!({})), Ok((None, 100)));
        let named = json!({"consumer": "shipping", "limit": 1_000});
        assert_eq!(check(&named), Ok((Some("shipping".to_owned()), 1_000)));
        for bad in [json!({"limit": 0}), json!({"limit": 1_001}), json!({"consumer": ""})] {
            assert_eq!(check(&bad), Err(Code::ValidationFailed), "{bad}");
        }
        assert_eq!(check(&json!({"order_id": "x"})), Err(Code::InvalidBody));
    }
}
