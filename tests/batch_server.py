"""The files and batches of OpenAI's API, for tests. Loopback only, in the test's process: it outlives the runs."""

from __future__ import annotations

import email
import json
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-batch-0123456789"


def written(name: str, body: dict) -> dict:
    """A result line: an answer that names the prompt."""
    message = {"role": "assistant", "content": f"Here stands what was written about {body['messages'][-1]['content']}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 20}
    return line(name, 200, {"model": body["model"], "choices": [choice], "usage": usage})


def line(name: str, status: int, body: dict) -> dict:
    return {"custom_id": name, "response": {"status_code": status, "body": body}, "error": None}


def refused(name: str, status: int, message: str, code: str = "") -> dict:
    return line(name, status, {"error": {"message": message, "code": code}})


def expired(name: str) -> dict:
    return {
        "custom_id": name,
        "response": None,
        "error": {"code": "batch_expired", "message": "it was not run in time"},
    }


class BatchServer:
    """`result(name, body)` makes each line of a result; `end(batch)` says how a batch ends."""

    def __enter__(self) -> BatchServer:
        self.files, self.batches = {}, {}
        self.asked = Counter()  # how often each prompt was sent
        self.result, self.end = written, lambda batch: "completed"
        self.hold = False  # batches do not end
        self.faults = []  # (method, path, status) that the next such call meets; a batch is made all the same
        self.lock = threading.RLock()
        handler = type("Handler", (Handler,), {"state": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def requests(self, batch: dict) -> list[dict]:
        return [json.loads(entry) for entry in self.files[batch["input_file_id"]].splitlines()]

    def create(self, fields: dict) -> dict:
        batch = {
            "id": f"batch_{len(self.batches)}", "object": "batch", "status": "in_progress",
            "created_at": int(time.time()), "errors": None, "output_file_id": None, "error_file_id": None, **fields,
        }  # fmt: skip
        requests = self.requests(batch)
        batch["request_counts"] = {"total": len(requests), "completed": 0, "failed": 0}
        self.asked.update(entry["body"]["messages"][-1]["content"] for entry in requests)
        self.batches[batch["id"]] = batch
        return batch

    def retrieve(self, batch: dict) -> dict:
        if batch["status"] == "in_progress" and not self.hold:
            batch["status"] = self.end(batch)
            if batch["status"] != "failed":
                self.finish(batch)
        return batch

    def cancel(self, batch: dict) -> dict:
        """The first half is answered by then."""
        batch["status"] = "cancelled"
        self.finish(batch, len(self.requests(batch)) // 2)
        return batch

    def finish(self, batch: dict, most: int | None = None) -> None:
        lines = [self.result(entry["custom_id"], entry["body"]) for entry in self.requests(batch)[:most]]
        good = [entry for entry in lines if entry["response"] and "'status_code': 200" in str(entry["response"])]
        bad = [entry for entry in lines if entry not in good]
        batch["request_counts"] |= {"completed": len(good), "failed": len(bad)}
        for kind, entries in (("output", good[::-1]), ("error", bad)):  # results come in any order
            if entries:
                batch[f"{kind}_file_id"] = f"{batch['id']}-{kind}"
                self.files[f"{batch['id']}-{kind}"] = "\n".join(map(json.dumps, entries)).encode()


class Handler(BaseHTTPRequestHandler):
    state: BatchServer
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def answer(self, method: str) -> None:
        state, content = self.state, self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.split("?")[0].removeprefix("/v1")
        with state.lock:
            fault = next((fault for fault in state.faults if fault[:2] == (method, path)), None)
            status, reply = (200, self.reply(method, path, content)) if self.allowed() else (401, {"error": {}})
            if fault:
                state.faults.remove(fault)
                status, reply = fault[2], {"error": {"message": "a fault"}}
            if reply is None:
                status, reply = 404, {"error": {"message": "there is no such thing"}}
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def allowed(self) -> bool:
        return self.headers["authorization"] == f"Bearer {KEY}"

    def reply(self, method: str, path: str, content: bytes):
        state = self.state
        match [method, *path.strip("/").split("/")]:
            case ["POST", "files"]:
                name = f"file_{len(state.files)}"
                state.files[name] = self.uploaded(content)
                return {"id": name, "object": "file", "filename": "f", "purpose": "batch", "bytes": 0, "created_at": 0}
            case ["GET", "files", name, "content"]:
                return state.files.get(name)
            case ["POST", "batches"]:
                return state.create(json.loads(content))
            case ["GET", "batches"]:
                return {"object": "list", "data": list(state.batches.values())[::-1], "has_more": False}
            case ["GET", "batches", name]:
                return state.batches.get(name) and state.retrieve(state.batches[name])
            case ["POST", "batches", name, "cancel"]:
                return state.cancel(state.batches[name])

    def uploaded(self, content: bytes) -> bytes:
        form = email.message_from_bytes(b"content-type: %s\n\n" % self.headers["content-type"].encode() + content)
        return next(part.get_payload(decode=True) for part in form.get_payload() if re.search("filename=", str(part)))

    def log_message(self, *_) -> None:
        pass
