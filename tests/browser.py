"""A real browser for tests: Chromium without a window, spoken to over its DevTools protocol."""

import asyncio
import shutil
import subprocess
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

NAMES = "chromium", "chromium-browser", "google-chrome"
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-port=0",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """The process. Use it as a context."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self):
        command = [installed(), *QUIET, f"--user-data-dir={self.folder}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port, deadline = self.folder / "DevToolsActivePort", time.monotonic() + 60
        while not (port.is_file() and port.read_text()):
            assert self.process.poll() is None and time.monotonic() < deadline, "Chromium does not start"
            time.sleep(0.05)
        self.address = f"http://127.0.0.1:{port.read_text().split()[0]}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    @asynccontextmanager
    async def tab(self, file: Path):
        """A tab that has loaded the file."""
        async with aiohttp.ClientSession() as session:
            async with session.put(f"{self.address}/json/new") as answer:
                target = await answer.json()
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await tab.send(f"{domain}.enable")
                await tab.send("Page.navigate", url=file.resolve().as_uri())
                await tab.until("Page.loadEventFired")
                yield tab


class Tab:
    """events: all that the browser reported, (method, params)."""

    def __init__(self, socket):
        self.socket, self.last, self.events = socket, 0, []

    async def send(self, method: str, **params) -> dict:
        self.last += 1
        await self.socket.send_json({"id": self.last, "method": method, "params": params})
        while (message := await self._next()).get("id") != self.last:
            pass
        assert "error" not in message, message
        return message["result"]

    async def until(self, method: str) -> None:
        while not any(name == method for name, _ in self.events):
            await self._next()

    async def _next(self) -> dict:
        message = await self.socket.receive_json(timeout=60)
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    async def run(self, script: str):
        """The value of a JavaScript expression."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **typed)

    async def resize(self, width: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )

    async def use_scheme(self, scheme: str) -> None:
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    @property
    def requested(self) -> list[str]:
        """What it asked for beyond the page itself."""
        urls = [params["request"]["url"] for name, params in self.events if name == "Network.requestWillBeSent"]
        return [url for url in urls[1:] if not url.startswith("data:")]

    @property
    def complaints(self) -> list:
        kinds = "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"
        return [event for event in self.events if event[0] in kinds]


def visit(browser: Browser, file: Path, visitor):
    """What the visitor, a coroutine function of a tab, returns."""

    async def visited():
        async with browser.tab(file) as tab:
            return await visitor(tab)

    return asyncio.run(visited())
