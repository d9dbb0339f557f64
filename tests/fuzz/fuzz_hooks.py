"""What Schemathesis cannot know of Orderly.

- Streams: how a body becomes newline-delimited JSON, and how an answer is read.
- The shop: goods that are there, so that orders are placed and not only refused. A quarter of the
  requests is left as it was made up.
- The few rules that JSON Schema cannot say. A request that breaks only these was rightly refused.
"""

import hashlib
import hmac
import itertools
import json
import os
import random
import time
import uuid

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

SHOP = json.loads(os.environ["ORDERLY_FUZZ_SHOP"])
SIGNING_SECRET = os.environ["ORDERLY_FUZZ_SIGNING_SECRET"].encode()
COUNTER = itertools.count()

PLACES = {"/v1/orders/": "orders", "/v1/payments/": "payments", "/v1/customers/": "customers"}
ALL_OR_SOME = ("/shipments", "/returns")
STEPS = ("/cancel", "/shipments", "/deliver", "/refunds", "/returns")

# Codes of refusals that depend on what the server knows, not on how the request looks.
RIGHTLY_REFUSED = {
    "ACCOUNT_EXISTS",
    "IDEMPOTENCY_KEY_REUSED",
    "INVALID_CREDENTIALS",
    "INVALID_CURSOR",
    "PAYMENT_DECLINED",
    "VERSION_MISMATCH",
}

# The same for parameters, by what is told of them.
RIGHTLY_TOLD = {
    "stuck=true stands without other filters.",
    "An API key has no password.",
}

# The same for single faults of a body, by what is told of them.
RIGHTLY_FAULTED = (
    "a SKU has at most 64 bytes",
    "the name of a location is 1 to 64 bytes",
    "must be an ISO 4217 code in capitals",
    "there is no such location",
    "must be another location",
    "has at most 16 KiB of JSON",
    "number out of range",  # no client could read it back either
    "a payment method is needed",
    "there is no product",
    "is not sold any more",
    "there is no such customer",
    "is priced in",
    "a discount is not negative and at most the line's price",
    "the amount is too large",
    "must have at least five different characters",
    "may not contain the e-mail address",
    "does not go with this grant_type",
    "goes with the role customer, and with no other",
    "must be an RFC 3339 time to come",
    "a customer has at most 50 addresses",
    # To JSON Schema, 2.0 is an integer.
    "without fraction or exponent",
)

# The main location keeps its rank.
MAIN_KEEPS_ITS_RANK = ("/v1/stock-locations/{name}", "must be at most 0")

# Which members are required depends on the way of getting tokens.
EACH_GRANT_HAS_ITS_MEMBERS = ("/v1/tokens", "is required")


@schemathesis.serializer("application/x-ndjson")
def write_stream(ctx, value):
    if isinstance(value, bytes):
        return value
    return json.dumps(value).encode() + b"\n"


@schemathesis.deserializer("application/x-ndjson")
def read_stream(ctx, response):
    """The only outcome: a stream of one line has one. A stream of no line has none; what stands in
    for it says nothing."""
    lines = response.content.splitlines()
    return json.loads(lines[0]) if lines else {"line": 1, "status": 200}


@schemathesis.check
def outcomes_of_streams(ctx, response, case):
    """A line tells no fault of ours, and a wrong line tells that it is wrong."""
    if not case.operation.path.endswith(":batch") or response.status_code != 200:
        return
    is_wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY)
    for line in response.content.splitlines():
        outcome = json.loads(line)
        status = outcome["status"]
        assert status != 500, f"a line was answered with 500: {outcome}"
        assert ("error" in outcome) == (status >= 400), f"status and outcome differ: {outcome}"
        assert not is_wrong or status >= 400, f"a wrong line was taken: {outcome}"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.path == "/v1/webhooks/payments" and case.headers.get("Stripe-Signature"):
        sign(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers.get("If-Match") == "0":
        # The tool makes no quoted texts for headers, and puts this instead.
        case.headers["If-Match"] = '"v2"'
    phase = case.meta.phase.name.value
    if phase == "coverage":
        return  # it looks for the limits of single values
    chance = random.Random(f"{phase} {case.path} {case.path_parameters} {case.body!r}")
    if chance.random() < 0.25:
        return
    meet_what_is_there(case, phase, chance)
    headers = case.headers
    if headers.get("Idempotency-Key") is not None:
        headers["Idempotency-Key"] = f"fuzz-{next(COUNTER)}"
    if chance.random() < 0.75:
        headers.pop("If-Match", None)
        headers.pop("X-Request-Timeout-Ms", None)
    if case.operation.path.endswith(ALL_OR_SOME) and chance.random() < 0.5:
        case.body, case.media_type = {"lines": []}, "application/json"
    elif isinstance(case.body, dict):
        case.body = spelt_whole(case.body)
        know_the_shop(case, chance)


def meet_what_is_there(case, phase, chance):
    """Puts a known id in the place of one that was made up. Steps of single requests take other
    orders than the ones that the tool has seen, which are soon cancelled."""
    takes_step = case.operation.path.endswith(STEPS)
    for place, names in PLACES.items():
        if not case.operation.path.startswith(place):
            continue
        known = orders_for(phase, case.operation.path) if takes_step else SHOP[names]
        for name, text in case.path_parameters.items():
            wants_another = takes_step and phase == "fuzzing"
            if (wants_another or not is_ours(text)) and chance.random() < 0.75:
                case.path_parameters[name] = chance.choice(known)


def orders_for(phase, path):
    """Single requests and chains of them have orders of their own, and so have cancellations,
    which leave nothing to do for others."""
    orders = SHOP["orders"]
    half = len(orders) // 2
    own = orders[:half] if phase == "fuzzing" else orders[half:]
    third = len(own) // 3
    return own[:third] if path.endswith("/cancel") else own[third:]


def is_ours(text):
    try:
        return uuid.UUID(text).version == 7
    except (AttributeError, TypeError, ValueError):
        return False


def spelt_whole(value):
    """The same value, with 2 for 2.0."""
    if isinstance(value, dict):
        return {name: spelt_whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [spelt_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def know_the_shop(case, chance):
    body, path = case.body, case.operation.path
    if path == "/v1/orders" or path == "/v1/orders:batch":
        order(body, chance)
    elif path.endswith(STEPS):
        for line in body.get("lines") or []:
            line["sku"], line["quantity"] = chance.choice(SHOP["skus"]), chance.randint(1, 2)
        if body.get("amount") is not None:
            body["amount"] = chance.randint(1, 100)
    elif path == "/v1/products/{sku}" or path == "/v1/products:batch":
        body.update({"currency": SHOP["currency"], "active": True})
    elif path.endswith("/moves"):
        body.update({"quantity": chance.randint(1, 3), "from": "main", "to": "north"})
    elif path == "/v1/tokens":
        shown = ("email", "password")
        if body.get("grant_type") == "refresh_token":
            shown = ("refresh_token",)
        kept = {name: body.get(name) or "x@y" for name in shown}
        body = {"grant_type": body.get("grant_type"), **kept}
    elif path.endswith(("/adjustments", "/stock:batch")):
        body.pop("location", None)
    case.body = body


def order(body, chance):
    body["currency"] = SHOP["currency"]
    body["lines"] = body["lines"][:3]
    for line in body["lines"]:
        line.update({"sku": chance.choice(SHOP["skus"]), "quantity": chance.randint(1, 3)})
        for member in ("unit_amount", "discount_amount"):
            line.pop(member, None)
    if body.get("customer_id") is not None:
        body["customer_id"] = chance.choice(SHOP["customers"])
    method = "pm_card_chargeDeclined" if chance.random() < 0.1 else "pm_card_visa"
    payment = body.get("payment") or {}
    body["payment"] = {**payment, "method": method}
    if "idempotency_key" in body:
        body["idempotency_key"] = f"fuzz-line-{next(COUNTER)}"


def sign(case):
    if random.Random(f"{case.body!r}").random() < 0.25 or not isinstance(case.body, (dict, list)):
        return
    # Byte for byte what the HTTP client makes of the body.
    raw = json.dumps(case.body, allow_nan=False).encode()
    at = int(time.time())
    mac = hmac.new(SIGNING_SECRET, f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    case.headers["Stripe-Signature"] = f"t={at},v1={mac}"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Leaves out that a request was refused which looks right and is wrong all the same, and that
    one was taken for having a header that nobody knows: HTTP lets every request have those."""
    if isinstance(failure, AcceptedNegativeData):
        return "in header - object with unexpected properties" not in failure.message
    if not isinstance(failure, RejectedPositiveData):
        return True
    try:
        problem = response.json()
    except ValueError:
        return True
    if problem.get("code") in RIGHTLY_REFUSED or problem.get("message") in RIGHTLY_TOLD:
        return False
    faults = problem.get("errors") or []
    details = [fault["detail"] for fault in faults]
    path = case.operation.path
    return not details or not all(is_rightly_faulted(path, detail) for detail in details)


def is_rightly_faulted(path, detail):
    if (path, detail) in (MAIN_KEEPS_ITS_RANK, EACH_GRANT_HAS_ITS_MEMBERS):
        return True
    return any(known in detail for known in RIGHTLY_FAULTED)
