"""What scripts/api tells schemathesis beyond its settings."""

import re
import uuid

import schemathesis

VALID = re.compile(r"[!-~]{1,255}")


@schemathesis.hook
def before_call(context, case, kwargs):
    """A made-up `Idempotency-Key` is nearly always `0`: with a new one each time an order is more than a used key."""
    headers = case.headers or {}
    if case.path.startswith("/api/logs/") and isinstance(case.query, dict) and "follow" in case.query:
        # A log that is followed ends with the service.
        case.query["follow"] = "false"
    if case.method == "POST" and VALID.fullmatch(str(headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
