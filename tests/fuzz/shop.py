"""Fills an empty shop, so that what is made up meets something; later, has its books audited.

Usage: shop.py fill URL, or shop.py audit URL, with the key in ORDERLY_FUZZ_KEY. The first prints
what is there as JSON; the second ends with 1 when the books do not balance.
"""

import json
import os
import sys
import urllib.request

CURRENCY = "USD"
SKUS = [f"SKU-{number}" for number in range(1, 9)]


def client(url):
    def call(method, path, body=None, name=None):
        request = urllib.request.Request(url + path, method=method)
        request.add_header("Authorization", f"Bearer {os.environ['ORDERLY_FUZZ_KEY']}")
        if name is not None:
            request.add_header("Idempotency-Key", name)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    return call


def audit(call):
    report = call("GET", "/v1/audit")
    for check in report["checks"]:
        mark = "ok" if check["ok"] else f"WRONG {json.dumps(check['violations'])}"
        print(f"  {check['name']:32} {check['checked']:7} {mark}")
    print("The books balance." if report["balanced"] else "The books do not balance.")
    return 0 if report["balanced"] else 1


def fill(call):
    call("PUT", "/v1/stock-locations/north", {"rank": 10})
    for number, sku in enumerate(SKUS, 1):
        product = {"name": f"Product {number}", "unit_amount": 100 * number, "currency": CURRENCY}
        call("PUT", f"/v1/products/{sku}", {**product, "category": "Coffee", "active": True})
        for location, delta in (("main", 1_000_000), ("north", 1_000)):
            body = {"delta": delta, "reason": "opening_stock", "location": location}
            call("POST", f"/v1/stock/{sku}/adjustments", body, f"seed-{sku}-{location}")
    customers = []
    for number in range(3):
        body = {"external_ref": f"household-{number}", "name": f"Household {number}"}
        customer = call("POST", "/v1/customers", {**body, "default_payment_method": "pm_card_visa"})
        customers.append(customer["id"])
    orders, payments = [], []
    for number in range(150):
        body = {
            "currency": CURRENCY,
            "lines": [
                {"sku": SKUS[number % len(SKUS)], "quantity": 3},
                {"sku": SKUS[(number + 1) % len(SKUS)], "quantity": 2},
            ],
            "payment": {
                "method": "pm_card_visa",
                "capture": "manual" if number % 3 == 0 else "automatic",
            },
        }
        order = call("POST", "/v1/orders", body, f"seed-order-{number}")
        orders.append(order["id"])
        if number % 5 == 0:
            call("POST", f"/v1/orders/{order['id']}/shipments", {}, f"seed-shipment-{number}")
        payments.append(order["payment"]["id"])
    shop = {"currency": CURRENCY, "skus": SKUS, "customers": customers}
    print(json.dumps({**shop, "orders": orders, "payments": payments}))
    return 0


if __name__ == "__main__":
    sys.exit({"fill": fill, "audit": audit}[sys.argv[1]](client(sys.argv[2])))
