"""What a model or its chat template writes beside the text: thoughts, marks of turns, and turns that it invents.

What cannot be cut without a doubt stays, for `leftover` to name.
"""

import regex as re

UNFINISHED = "unfinished thoughts"

NAME = (
    r"(?:\w{1,12}[:_-])?(?:think(?:ing)?|thoughts?|reasoning|reflection|scratch_?pad|analysis|plan(?:ning)?"
    r"|(?:inner|internal)[_ ]?(?:monologue|thoughts?))(?:[_-](?:process|content))?"
)
# <think>, <|thinking|>, <|begin_of_thought|>, <|START_THINKING|>, [THINK], ◁think▷, <|channel>thought, <unused94>
OPEN = re.compile(
    rf"""(?:<|&lt;) \s* {NAME} (?:\s[^<>]*)? /? (?:>|&gt;) | <\|(?:begin_of_|start_(?:of_)?)? {NAME} \|> | ◁{NAME}▷
    | \[(?-i:THINK(?:ING)?|THOUGHT|REASONING)\] | <details\ type="reasoning"[^<>]*> | <\|channel>\ ?\w* | <unused94>""",
    re.IGNORECASE | re.VERBOSE,
)
CLOSE = re.compile(
    rf"""(?:<|&lt;) \s*/\s* {NAME} \s* (?:>|&gt;) | <\|(?:/|end_(?:of_)?) {NAME} \|> | ◁/{NAME}▷
    | \[/(?-i:THINK(?:ING)?|THOUGHT|REASONING)\] | </details>(?<=<details\ type="reasoning".*) | <channel\|>
    | <unused95>""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# Thoughts in plain words, as some templates have them, and where they end.
SPOKEN = (
    (r"here(?:'s|’s| is) my (?:thought|thinking|reasoning) process:", r"here(?:'s|’s| is) my (?:response|answer):"),
    (r"analysis(?-i:(?=[A-Z]))", r"assistant\s*final"),  # channels whose marks the decoder left out
    (r"thinking\.\.\.\s*\n", r"\n\s*\.\.\.done thinking\.?"),  # a text may begin so
    (  # **Thinking:** ... **Answer:**
        r"[*_#\s]*(?:thinking|thoughts?|reasoning|analysis|plan)(?: process)?[*_]*:",
        r"\n[*_#\s]*(?:(?:my |the )?final )?(?:answer|response|output)[*_]*:[*_]*",
    ),
)
# <|channel|>analysis<|message|>thoughts<|end|><|start|>assistant<|channel|>final<|message|>text<|return|>
CHANNEL = re.compile(r"<\|channel\|>\s*(\w*)[^<]*(?:<\|(?!message)[^<>|]*\|>[^<]*){0,3}<\|message\|>")

# At the start: where the answer's own turn begins.
START = re.compile(
    r"""(?: <s> | <bos> | \[BOS\] | \[/INST\] | <\|(?:begin_?of_?text|startoftext|begin_of_sentence|assistant)\|>
    | <｜(?:begin▁of▁sentence|Assistant)｜> | <\|(?:START_RESPONSE|begin_of_(?:solution|answer|response))\|>
    | <\|im_start\|>\s*assistant\b(?:<\|im_sep\|>)?
    | (?-i:assistant|model)[ ]*\n | <\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>
    | <\|start\|>\s*assistant(?:\s*<\|message\|>)? | <start_of_turn>\s*model\b | <\|turn>\s*model\b
    | <\|start_of_role\|>\s*assistant\s*<\|end_of_role\|> | \[\|assistant\|\]
    | <\|START_OF_TURN_TOKEN\|>\s*<\|CHATBOT_TOKEN\|> | \#{2,}\s*(?:Assistant|Response|Answer)\s*:
    | Assistant\s*:(?=\s) ) \s*""",
    re.IGNORECASE | re.VERBOSE,
)
# Further on: where it ends, or another begins.
END = re.compile(
    r"""</s>(?<!<s>.*) | <\|/?(?:im_end|im_start|im_sep|eot(?:_id)?|eom_id|eos|end|return|call|start|user|system
    |assistant|endoftext|end_?of_?text|end_of_(?:turn|role|sentence|solution|answer|response|message|utterance)|start_of_role
    |start_header_id|end_turn|endofturn|endofprompt|end_of_turn_token|start_of_turn_token|end_response)\|>
    | <｜(?:end▁of▁sentence|User|Assistant)｜> | </?(?:end_of_turn|start_of_turn|endoftext|end_of_text|end_of_utterance
    |eos|eot|pad|turn\|)> | <turn\|> | <\|turn> | \[(?-i:EOS|INST)\] | \[\|(?:endofturn|user|system)\|\] | <<SYS>>""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
MARK = re.compile(r"<\|[\w/ :.-]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|\[/?(?-i:INST)\]", re.IGNORECASE)
# A turn in plain words. It is invented when it follows an answer that is no dialogue and no form itself.
TURN = re.compile(
    r"^(?:-{3,}\s*\n\s*)?(?:\#{1,4}\s*|\*\*)?(?:user|human|instruction)(?:\*\*)?\s*:", re.IGNORECASE | re.MULTILINE
)
FORM = re.compile(r"^[*_#\s]*(?!(?i:user|human|instruction|assistant|response)\b)\p{Lu}[\w ]{0,30}[*_]*:", re.MULTILINE)
REPLY = re.compile(r"^[*#\s]*(?:assistant|response)(?:\*\*)?\s*:", re.IGNORECASE | re.MULTILINE)
TAG = re.compile(
    r"<(answer|response|output|result|review|text|final(?:[_ ]answer)?)>(.*?)(?:</\1>)?", re.IGNORECASE | re.DOTALL
)


def without_marks(text: str) -> str:
    """The text alone, as far as that is certain."""
    text = _final_channel(text)
    if match := START.match(text):
        text = text[match.end() :]
    text = _without_thoughts(text).lstrip()
    if match := START.match(text):
        text = text[match.end() :]
    if OPEN.search(text) or CHANNEL.search(text):
        return text
    if match := END.search(text):
        text = text[: match.start()]
    if (match := TURN.search(text)) and _is_invented(text[: match.start()], text[match.start() :]):
        text = text[: match.start()]
    text = re.sub(rf"(?:(?:{MARK.pattern})\s*)+$", "", text)
    if match := TAG.fullmatch(text.strip()):
        text = match[2]
    return text


def leftover(text: str) -> str | None:
    """What is no text and could not be cut; None when nothing of that kind is left."""
    if OPEN.search(text) or CHANNEL.search(text) or any(re.match(start, text, re.I) for start, _ in SPOKEN[:2]):
        return "thoughts within the text" if CLOSE.search(text) else UNFINISHED
    return "control marks" if MARK.search(text) or CLOSE.search(text) else None


def _is_invented(answer: str, rest: str) -> bool:
    """Whether a line that begins like a user's turn is one; it may be a line of a dialogue or of a form instead."""
    return (
        bool(answer.strip())
        and not FORM.search(answer)
        and bool(answer.endswith("\n\n") or REPLY.search(rest) or not FORM.search(rest))
    )


def _final_channel(text: str) -> str:
    """What the channel `final` says; the text as it is when there are no channels, or no such one."""
    final = [match for match in CHANNEL.finditer(text) if match[1] == "final"]
    return text[final[-1].end() :] if final else text


def _without_thoughts(text: str) -> str:
    """What follows the last closing tag; or what precedes the first opening one, when nothing follows.

    Where a text goes on after thoughts in its middle, which part is meant is uncertain.
    """
    for start, end in SPOKEN:
        if re.match(start, text, re.I) and (ends := list(re.finditer(end, text, re.I))):
            text = text[ends[-1].end() :]
    closed, opened = list(CLOSE.finditer(text)), OPEN.search(text)
    if not closed:
        return text
    before = text[: opened.start()].strip() if opened and opened.start() < closed[0].start() else ""
    after = text[closed[-1].end() :]
    if before and after.strip():
        return text
    return before or after
