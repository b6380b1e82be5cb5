"""Plays `vllm run-batch` for tests: python batch_command.py REQUESTS ANSWERS [FAULT ...].

Each call of it is a line of `calls.jsonl` in the working directory: the prompts that it was asked. What the n-th call
does is its n-th FAULT, the last one for all further calls: see FAULTS.
"""

import json
import sys
import time
from pathlib import Path


def written(entry: dict) -> dict:
    """A line of vLLM: an answer that names the prompt."""
    prompt = entry["body"]["messages"][-1]["content"]
    message = {"role": "assistant", "content": f"Here stands what was written about {prompt}"}
    body = {"model": entry["body"]["model"], "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    body["usage"] = {"prompt_tokens": 10, "completion_tokens": 20}
    return line(entry, {"status_code": 200, "request_id": "r", "body": body}, None)


def line(entry: dict, response: dict | None, error) -> dict:
    return {"id": "vllm-1", "custom_id": entry["custom_id"], "response": response, "error": error}


def wrong(status: int, message: str):
    """The third request meets an error, as OpenAI has it."""
    error = {"status_code": status, "body": {"error": {"message": message}}}
    return lambda entries: [*map(written, entries[:2]), line(entries[2], error, None), *map(written, entries[3:])]


def beside(status: int, message: str):
    """The same as vLLM has it."""
    error = {"status_code": status, "request_id": "r", "body": None}
    return lambda entries: [*map(written, entries[:2]), line(entries[2], error, message), *map(written, entries[3:])]


def odd(entries: list[dict]) -> list:
    """A body that is no completion, a status that is a text, lines that are no results, and two results of one."""
    first, second, *others = map(written, entries)
    first["response"]["body"] = {"error": {"code": 500, "message": "a hiccup"}}
    second["response"]["status_code"] = "200"
    names = [line({"custom_id": name}, second["response"], None) for name in (["a"], {"a": 1}, None, "another/0/0")]
    again = line(entries[-1], {"status_code": 500, "body": {}}, "a second try")
    return [first, second, *names, *others, again, "deep"]


def always_wrong(entries: list[dict]) -> list[dict]:
    """The request with the number 2 fails whenever it is asked."""
    bad = {"status_code": 500, "body": {"error": {"message": "it broke"}}}
    return [line(e, bad, None) if "number 2" in str(e["body"]) else written(e) for e in entries]


FAULTS = {
    "odd": odd,
    "always": always_wrong,
    "none": lambda entries: list(map(written, entries)),
    "half": lambda entries: list(map(written, entries[: len(entries) // 2])),
    "nothing": lambda entries: [],
    "broken": lambda entries: [line(entry, {"status_code": 500, "body": {}}, "it broke") for entry in entries],
    "hiccup": wrong(500, "a hiccup"),
    "filter": beside(400, "flagged by moderation"),
    "settings": beside(400, "temperature must be at most 2"),
}


def main(requests: str, answers: str, *faults: str) -> None:
    entries = [json.loads(entry) for entry in Path(requests).read_text().splitlines()]
    with Path("calls.jsonl").open("a+") as calls:
        calls.write(json.dumps([entry["body"]["messages"][-1]["content"] for entry in entries]) + "\n")
        calls.seek(0)
        count = len(calls.readlines())
    fault, _, code = (faults or ["none"])[min(count, len(faults or [0])) - 1].partition("-")
    if fault == "slow":  # answers one after another, the last one only when it is let go
        with Path(answers).open("w") as file:
            for entry in entries[:-1]:
                print(json.dumps(written(entry)), file=file, flush=True)
            print('{"custom_id": "half a li', end="", file=file, flush=True)
        while not Path("go").exists():
            time.sleep(0.02)
    if fault != "missing":
        lines = FAULTS.get(fault, FAULTS["none"])(entries)
        text = "".join(json.dumps(entry) + "\n" for entry in lines)
        Path(answers).write_text(text.replace('"deep"', "[" * 100_000))
    sys.exit(int(code or 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
