"""What the reason means that an endpoint gives for the end of an answer. Only known good ends make a whole text."""

import re

WHOLE = {
    "", "null", "none", "stop", "stopped", "eos", "eot", "eom", "eostoken", "eottoken", "endoftext", "endofsequence",
    "end", "endturn", "endofturn", "stopsequence", "stoptoken", "stopstring", "stopword", "word", "complete",
    "completed", "completion", "finish", "finished", "done", "success", "normal",
}  # fmt: skip
CUT = {
    "length", "limit", "truncated", "maxtokens", "maxtoken", "maxlength", "maxlen", "maxoutputtokens", "maxnewtokens",
    "maxcompletiontokens", "maxtokensreached", "maxcontextlength", "tokenlimit", "outputlimit", "lengthlimit",
    "modellength", "modelcontextwindowexceeded", "contextlength", "contextlengthexceeded", "contextwindowexceeded",
}  # fmt: skip
FILTERED = {
    "contentfilter", "contentfiltered", "contentfiltering", "filter", "filtered", "safety", "imagesafety", "unsafe",
    "recitation", "blocklist", "blocked", "prohibitedcontent", "spii", "moderation", "moderated", "sensitive",
    "guardrail", "guardrails", "guardrailintervened", "errortoxic",
}  # fmt: skip
PREFIX = re.compile(r"^(?:finish|stop|done)?reason(?=.)")


def read_ending(finish: str | None) -> str:
    """`stop`, `length`, `content_filter` or `refusal`, whatever the provider calls it; others as `finish_reason NAME`.

    Providers' names differ in case and signs, and some repeat that they are a reason: FinishReason.MAX_TOKENS.
    """
    name = PREFIX.sub("", re.sub(r"[^a-z]", "", str(finish or "").casefold()))
    for ending, names in (("stop", WHOLE), ("length", CUT), ("content_filter", FILTERED), ("refusal", {"refusal"})):
        if name in names and (name or not finish):
            return ending
    return f"finish_reason {' '.join(str(finish).split())[:60]}"
