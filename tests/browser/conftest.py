"""A headless Chromium for the tests of HTML reports, spoken to over its DevTools protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Page:
    """One tab: what it logs, what it asks the network for, and what scripts return in it."""

    def __init__(self, socket):
        self._socket = socket
        self._ids = itertools.count(1)
        self.problems = []  # console errors, exceptions, refused resources
        self.requests = []  # URLs asked for
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def _note(self, message):
        method, p = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(p["exceptionDetails"].get("text", "exception"))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.problems.append(str(p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.problems.append(p["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])

    def _receive(self):
        message = json.loads(self._socket.recv(timeout=60))
        self._note(message)
        return message

    def send(self, method, **params):
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._receive()).get("id") != number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def open(self, path, *, width, dark=False):
        self.problems.clear()
        self.requests.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.send("Page.navigate", url=Path(path).absolute().as_uri())
        deadline = time.monotonic() + 30
        while self.run("document.readyState") != "complete":
            if time.monotonic() > deadline:
                raise TimeoutError("the page did not load")

    def run(self, script):
        result = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def screenshot(self, path):
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        Path(path).write_bytes(base64.b64decode(data))


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    program = next((p for n in _NAMES if (p := shutil.which(n))), None)
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium (these tests look at reports)")
    client = pytest.importorskip("websockets.sync.client")
    profile = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (port_file.exists() and len(port_file.read_text().split()) == 2):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip("Chromium is installed but does not start here")
            time.sleep(0.05)
        port, path = port_file.read_text().split()
        browser = client.connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        with browser:
            browser.send(
                json.dumps(
                    {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}
                )
            )
            while (message := json.loads(browser.recv(timeout=30))).get("id") != 1:
                pass
            target = message["result"]["targetId"]
            address = f"ws://127.0.0.1:{port}/devtools/page/{target}"
            with client.connect(address, max_size=None) as socket:
                yield Page(socket)
    finally:
        os.killpg(process.pid, 9)
        process.wait(30)


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, installed from its lock file if it is not there yet."""
    source = HERE / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is missing, and axe-core with it: install Node.js")
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=200,
        )
        if done.returncode != 0 or not source.is_file():
            pytest.skip("axe-core cannot be installed: run `npm ci` in tests/browser")
    return source.read_text(encoding="utf-8")
