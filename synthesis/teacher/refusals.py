"""What an endpoint's refusal is about: one row's content, the settings, the account, or only the moment.

Endpoints say it in their own words, under whatever status: only what is known to be about one row is booked there.
"""

from __future__ import annotations

import json
import re

LATER = {408, 409, 423, 425, 429}  # and all from 500 on
MODERATION = re.compile(
    r"content.?(filter|management|policy|exists risk)|moderation|flagged|safety|inappropriate|responsible.?ai"
    r"|usage polic|prohibited|sensitive|data_inspection",
    re.IGNORECASE,
)
TOO_LONG = re.compile(
    r"context.?(length|window|size)|string_above_max_length|reduce the length|maximum (length|number of tokens)"
    r"|\b(prompt|input|message|text|request|payload|entity)s?\b.{0,80}\btoo (long|large|many tokens)"
    r"|too many (input |prompt )?tokens|input validation error.*tokens|exceeds? .{0,40}(input|token|context)",
    re.IGNORECASE,
)
MAX_TOKENS = re.compile(r"\bmax_?(completion_?|output_?|new_?)?tokens\b", re.IGNORECASE)
PROMPT_TOKENS = (
    re.compile(r"(\d+)\W+(?:tokens? )?(?:(?:from|in|of|for) (?:the|your) )?(?:input|prompt|messages)", re.IGNORECASE),
    re.compile(r"(?:prompt|input|messages)\D{0,40}?(\d+)", re.IGNORECASE),
)
ACCOUNT = re.compile(
    r"\b(account|billing|credits?|balance|payment|quota|funds|subscription|api.?key|insufficient_quota)\b",
    re.IGNORECASE,
)
# Of a 429. Not the word `billing`: OpenAI's plain rate limits name the page on which a payment method is added.
EMPTY = re.compile(
    r"insufficient.?(quota|balance|credits?|funds)|exceeded_current_quota|billing_(hard_limit|not_active)"
    r"|(no|too few|not enough|out of|all) (\w+ )?credits?\b|spending limit"
    r"|(account|balance|credit)\w* is (empty|used up)",
    re.IGNORECASE,
)
UNKNOWN = re.compile(
    r"\b(unknown|unsupported|unrecogni[sz]ed|unexpected|no|not (a|an)) (\w+ )?(parameter|argument|field|input)"
    r"|not (supported|permitted|allowed)|does not (support|accept)|unsupported_(parameter|value)|extra inputs",
    re.IGNORECASE,
)
DAILY = re.compile(r"per.?day|\bdaily\b|\b[RT]PD\b", re.IGNORECASE)


def error(content: bytes) -> dict:
    """The error of a response, whatever its shape: its `code`, `type` and `message`, where it has them."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {"message": content[:300].decode("utf-8", "replace")}
    found = found[0] if isinstance(found, list) and found else found
    if isinstance(found, dict) and (inner := found.get("error")):
        found = inner
    if not isinstance(found, dict):
        return {"message": found}
    message = found.get("message") or found.get("detail") or found.get("msg") or json.dumps(found)
    metadata = found.get("metadata")
    if isinstance(metadata, dict) and metadata.get("raw"):  # a router's: the words of the provider behind it
        message = f"{message}: {metadata['raw']}"
    return found | {"message": message}


def status(error: dict) -> int | None:
    """The status that stands in an error, as a number or as a name; None when there is none."""
    for name in ("code", "status", "status_code", "http_code"):
        value = str(error.get(name))
        if value.isdecimal() and 400 <= int(value) < 600:
            return int(value)
    name = f"{error.get('code')} {error.get('type')} {error.get('status')}".lower()
    if re.search(r"rate.?limit|quota|resource_exhausted", name):
        return 429
    if re.search(r"server_error|overloaded|unavailable|timeout|internal|batch_", name):
        return 503
    if re.search(r"invalid|unsupported|not_found|authentication|permission|billing|content_|context_", name):
        return 400
    return None


def is_later(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in LATER or status >= 500


def is_about_row(text: str, max_tokens: int | None) -> bool:
    """Whether a refusal is about one row's content: moderation, or a prompt that is too long for the model.

    text: its code and message. max_tokens: the most that the answer may have, which the context must hold, too; where
    it is what makes the sum too large, the setting is refused, and not the prompt.
    """
    if MODERATION.search(text):
        return not ACCOUNT.search(text)
    return bool(TOO_LONG.search(text)) and not _is_about_max_tokens(text, max_tokens or 0)


def _is_about_max_tokens(text: str, max_tokens: int) -> bool:
    text = re.sub(r"(?<=\d)[,_](?=\d{3})", "", text)
    for pattern in PROMPT_TOKENS:
        if match := pattern.search(text):
            return int(match[1]) <= max_tokens
    if MAX_TOKENS.search(text):
        return True
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return bool(numbers) and 2 * max_tokens > max(numbers)


def advice(status: int | None, text: str) -> str:
    """What to do about a refusal that is about no row."""
    if UNKNOWN.search(text):
        return "leave what it does not know empty in teacher, and put what it wants into teacher.extra"
    if MAX_TOKENS.search(text) or TOO_LONG.search(text):
        return "lower teacher.max_tokens, or let the server read longer contexts"
    if ACCOUNT.search(text) or status == 402:
        return "look at the endpoint's account and key"
    if status == 404:
        return "look at teacher.model and asking.base_url"
    return "change the sections teacher and asking of params.yaml, or the endpoint, as it says"
