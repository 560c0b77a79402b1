"""`isthmus view`: the report of a study in a browser while it runs; on this machine alone, and read-only."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from isthmus import api
from isthmus.commands.studies_kept import where_it_was_run
from isthmus.errors import ResourceError
from isthmus.planning.plan import Plan
from isthmus.report.build import build
from isthmus.running.attempts import keep_failure
from isthmus.store import Store
from isthmus.study.file import read_study
from isthmus.view import server
from isthmus.view.live import Studies
from isthmus.view.server import Viewer
from tests.report.finished_study import SCRIPT, TAG

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAME = "viewed"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Served:
    """A server under test, on a copy of the store."""

    viewer: Viewer
    store: Store
    plan: Plan

    def ask(self, path: str = "", method: str = "GET", **headers: str) -> Answer:
        """``path`` behind the token, or from the root where it begins with a slash."""
        connection = http.client.HTTPConnection("127.0.0.1", self.viewer.server_port, timeout=30)
        connection.putrequest(method, path if path[:1] == "/" else f"/{self.viewer.token}/{path}", skip_host=True)
        for name, value in {"Host": f"127.0.0.1:{self.viewer.server_port}", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())

    def status(self) -> dict:
        return json.loads(self.ask(f"study/{NAME}/status.json").body)

    def until(self, true: Callable[[dict], object]) -> dict:
        """The first status that ``true`` is true of."""
        end = time.monotonic() + 60
        while not true(status := self.status()):
            assert time.monotonic() < end, status
            time.sleep(0.1)
        return status


@pytest.fixture(scope="module")
def served(finished_study: tuple[Store, Plan], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    original, plan = finished_study
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(original.root.parent, folder, dirs_exist_ok=True)
    store = Store(folder / "store")
    (store.study_folder(NAME) / "folder.txt").write_text(str(folder))
    studies = Studies(store)
    with Viewer(studies, 0) as viewer:
        studies.start()
        thread = threading.Thread(target=viewer.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        one = Served(viewer, store, plan)
        one.until(lambda status: status["report"])
        yield one
        viewer.shutdown()
        thread.join()
    studies.close()


def contents(store: Store) -> dict[str, int]:
    """Every file of the store but the locks, and when it was written."""
    files = (path for path in store.root.rglob("*") if path.is_file() and path.parent.name != "locks")
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_the_list_leads_to_the_report_the_report_to_the_stages_and_these_to_their_logs(served: Served) -> None:
    before = contents(served.store)
    listed = served.ask("")
    assert listed.status == 200 and f'href="study/{NAME}/"' in listed.body
    report = served.ask(f"study/{NAME}/")
    assert "Gain matrix" in report.body and f"{len(served.plan.stages)} of {len(served.plan.stages)}" in report.body
    stages = served.ask(f"study/{NAME}/stages/")
    assert all(f'href="{key}"' in stages.body for key in served.plan.stages)
    for key, stage in served.plan.stages.items():
        shown = served.ask(f"study/{NAME}/stages/{key}")
        assert shown.status == 200 and stage.function in shown.body and "The end of its log" in shown.body
    assert contents(served.store) == before


def test_the_report_is_the_one_that_isthmus_report_writes(served: Served, tmp_path: Path) -> None:
    with where_it_was_run(NAME, served.store):
        study = read_study(served.store.study_folder(NAME) / "study.yaml")
        build(api.results_of(study, served.store), tmp_path / "report.html")
    main = re.compile(r"<main>.*</main>", re.S)
    (written,) = main.findall((tmp_path / "report.html").read_text())
    assert main.findall(served.ask(f"study/{NAME}/").body) == [written]


def test_without_the_token_there_is_nothing(served: Served) -> None:
    token = served.viewer.token
    for path in (
        "/",
        f"/study/{NAME}/",
        f"/{token[:-1]}/",
        f"/{token}x/",
        f"/{token}",
        "//",
        "/%00/",
        "/?token=" + token,
    ):
        answer = served.ask(path)
        assert answer.status == 404 and NAME not in answer.body, path


def test_the_token_is_in_no_answer(served: Served) -> None:
    key = next(iter(served.plan.stages))
    for path in ("", f"study/{NAME}/", f"study/{NAME}/status.json", f"study/{NAME}/stages/{key}", "nowhere"):
        answer = served.ask(path)
        assert served.viewer.token not in answer.body and served.viewer.token not in str(answer.headers)
        assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers.get("Content-Security-Policy", "default-src 'none'")
        assert "unsafe" not in str(answer.headers)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_another_host_is_refused(served: Served, host: str) -> None:
    answer = served.ask("", Host=host.format(port=served.viewer.server_port))
    assert answer.status == 421 and NAME not in answer.body


def test_another_origin_is_refused_and_localhost_is_this_machine(served: Served) -> None:
    port = served.viewer.server_port
    assert served.ask("", Origin="http://evil.example").status == 403
    assert served.ask("", Origin="null").status == 403
    assert served.ask("", Host=f"localhost:{port}", Origin=f"http://localhost:{port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_can_be_done_but_looking(served: Served, method: str) -> None:
    answer = served.ask("", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert served.ask("", "BREW").status == 501


def test_a_head_is_a_get_without_its_body(served: Served) -> None:
    head, get = served.ask("", "HEAD"), served.ask("")
    assert head.status == 200 and head.body == "" and head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    [
        "../STORE",
        "study/../../STORE",
        "study/..%2f..%2fSTORE/",
        f"study/{NAME}/../../STORE",
        f"study/{NAME}/stages/..%2f..%2fSTORE",
        f"study/{NAME}/stages/../../../../../etc/passwd",
        f"study/{NAME}/stages/%2e%2e",
        f"study/{NAME}/report.html",
        f"study/{NAME}%00/",
        "study/",
        "STORE",
        "%ff%fe",
    ],
)
def test_no_path_leads_to_a_file(served: Served, path: str) -> None:
    answer = served.ask(path)
    assert answer.status == 404 and "isthmus store" not in answer.body and "root:" not in answer.body


def test_a_stage_that_runs_shows_how_far_it_is_and_what_it_says(served: Served) -> None:
    key = next(key for key, stage in served.plan.stages.items() if stage.function == "score")
    work, finished = served.store.work_folder(key), served.store.stage_folder(key)
    aside = served.store.root / "aside"
    report = served.status()["report"]
    finished.rename(aside)
    work.mkdir(parents=True)
    (work / "progress.json").write_text(json.dumps({"done": 30, "total": 90, "seconds": 20.0}))
    (work / "log.txt").write_bytes(b"".join(b"line %d\n" % n for n in range(20_000)) + f"\x1b[31m{SCRIPT}\n".encode())
    try:
        with served.store.claim(key):
            status = served.until(lambda status: status["running"] and status["report"] != report)
            assert status["counts"] == {"done": len(served.plan.stages) - 1, "running": 1}
            assert status["running"][0] == {
                "key": key,
                "title": served.plan.stages[key].title,
                "done": 30,
                "total": 90,
                "seconds": 20.0,
                "left": 40.0,
            }
            assert status["left"] == 40.0
            page = served.ask(f"study/{NAME}/stages/{key}").body
            assert "30 of 90" in page and "line 19999\n" in page and "line 100\n" not in page
            assert "&lt;script&gt;alert(2)" in page and "\x1b" not in page and page.count("<script") == 1
            assert "So far (" in served.ask(f"study/{NAME}/").body
        keep_failure(work, f"Memory ran out {SCRIPT}")
        status = served.until(lambda status: status["failed"])
        assert status["failed"] == [
            {"key": key, "title": served.plan.stages[key].title, "reason": f"Memory ran out {SCRIPT}"}
        ]
        page = served.until(lambda _: "Memory ran out" in served.ask(f"study/{NAME}/").body)
        assert served.ask(f"study/{NAME}/").body.count("<script") == 1
    finally:
        shutil.rmtree(work)
        aside.rename(finished)
    assert served.until(lambda status: status["report"] == report)["message"] == ""  # the same records, the same bytes


def test_a_study_that_cannot_be_planned_is_a_sentence(served: Served) -> None:
    folder = served.store.study_folder("broken")
    folder.mkdir()
    (folder / "study.yaml").write_text("name: broken\ntargets: [nosuchtask]\n")
    try:
        end = time.monotonic() + 30
        while "nosuchtask" not in (body := served.ask("study/broken/").body):
            assert time.monotonic() < end, body
            time.sleep(0.1)
        assert "Traceback" not in body and served.ask("study/broken/stages/").status == 200
        assert served.ask("study/broken/stages/x").status == 404
    finally:
        shutil.rmtree(folder)
    assert served.ask("study/broken/").status == 404


def test_a_port_that_is_in_use_is_a_sentence(served: Served) -> None:
    with pytest.raises(ResourceError, match=r"^Port \d+ of 127.0.0.1 is in use: choose another with --port"):
        Viewer(Studies(served.store), served.viewer.server_port)


def connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.viewer.server_port), timeout=10)


def test_what_is_no_address_is_not_there(served: Served) -> None:
    assert served.ask("//[/").status == 404
    with connected(served) as one:
        one.sendall(f"GET http://[/ HTTP/1.0\r\nHost: 127.0.0.1:{served.viewer.server_port}\r\n\r\n".encode())
        assert b" 404 " in one.recv(100)


def test_who_asks_too_slowly_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LONGEST", 1.0)
    with connected(served) as one:
        one.settimeout(0.2)
        begun = time.monotonic()
        one.sendall(b"GET / HTTP/1.0\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 20:
                one.sendall(b"X: y\r\n")
                with contextlib.suppress(TimeoutError):
                    if not one.recv(100):
                        break
        assert 0.9 < time.monotonic() - begun < 20


def test_many_who_ask_nothing_keep_nobody_out(served: Served) -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(served)) for _ in range(3 * server.MOST)]
        begun = time.monotonic()
        assert served.ask("").status == 200
        assert time.monotonic() - begun < 5
        assert threading.active_count() - before <= server.MOST + 5
        assert idle[0].recv(1) == b""  # the oldest make room
        idle[-1].sendall(f"GET / HTTP/1.0\r\nHost: 127.0.0.1:{served.viewer.server_port}\r\n\r\n".encode())
        assert b" 404 " in idle[-1].recv(100)


def test_it_listens_on_this_machine_alone(served: Served) -> None:
    assert served.viewer.socket.getsockname()[0] == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError):
            socket.create_connection((address, served.viewer.server_port), timeout=1).close()


def test_the_command_prints_the_address_and_ends_at_an_interrupt(served: Served) -> None:
    program = [sys.executable, "-m", "isthmus.cli", "view", NAME, "--store", str(served.store.root), "--json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        said = json.loads(process.stdout.readline())
        address = urlsplit(said["url"])
        assert address.hostname == "127.0.0.1" and address.port == said["port"]
        assert re.fullmatch(rf"/[\w-]{{32}}/study/{NAME}/", address.path)
        process.send_signal(signal.SIGINT)
        assert (process.wait(20), process.stdout.read(), process.stderr.read()) == (0, "", "")


@pytest.mark.browser
def test_the_page_brings_itself_up_to_date_and_runs_nothing_else(served: Served, browser: "Browser") -> None:
    key = next(key for key, stage in served.plan.stages.items() if stage.function == "score")
    work, finished, aside = (
        served.store.work_folder(key),
        served.store.stage_folder(key),
        served.store.root / "aside",
    )
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(served.viewer.url(NAME))
    total = len(served.plan.stages)
    page.get_by_text(f"{total} of {total}").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    finished.rename(aside)
    work.mkdir(parents=True)
    (work / "progress.json").write_text(json.dumps({"done": 3, "total": 9, "seconds": 2.0}))
    try:
        with served.store.claim(key):
            page.get_by_text(f"{total - 1} of {total}").wait_for(timeout=15_000)
            page.locator(".running a").wait_for(timeout=15_000)
            assert "3 of 9" in page.locator(".running").inner_text()
            page.get_by_role("heading", name=re.compile("So far")).wait_for(timeout=30_000)  # it has loaded itself anew
    finally:
        shutil.rmtree(work)
        aside.rename(finished)
    page.get_by_text(f"{total} of {total}").wait_for(timeout=30_000)
    page.get_by_role("link", name="All stages").click()
    page.get_by_role("link", name=f"train tiny > {TAG}, seed 1").first.click()
    assert page.locator("h1").inner_text() == f"train tiny > {TAG}, seed 1"
    assert complaints == []
    own = f"http://127.0.0.1:{served.viewer.server_port}/{served.viewer.token}/"
    assert all(url.startswith((own, "data:")) for url in requests)
    context.close()
