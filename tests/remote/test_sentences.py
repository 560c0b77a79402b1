"""What keeps a remote store from being used is said in a sentence, without secrets."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isthmus.errors import IsthmusError, ResourceError, SpecError, StoreError
from isthmus.remote import commands
from isthmus.remote import place as places
from isthmus.remote.layout import Remote
from isthmus.remote.place import Place, patiently, shown
from isthmus.store import Store
from tests.remote.made_up import publish, pull, push


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.time, "sleep", lambda _: None)


def said(url: str) -> str:
    with pytest.raises(IsthmusError) as caught:
        Remote.open(url, create=True)
    assert "\n" not in str(caught.value) and "a-secret" not in str(caught.value)
    return str(caught.value)


def test_a_bucket_that_is_not_there(s3: str) -> None:
    assert said("s3://no-such-bucket-here/x") == (
        "s3://no-such-bucket-here/x: there is no such bucket: create it, or mend the address."
    )


def test_a_server_that_is_not_there(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "cannot be reached" in said(s3)


def test_no_credentials(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "no credentials were found: set AWS_ACCESS_KEY_ID" in said(s3)


class _Denies(BaseHTTPRequestHandler):
    """A server that answers as S3 does to who may not."""

    def do_GET(self) -> None:
        body = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def denying() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Denies)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_access_denied(s3: str, denying: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", denying)
    assert "access is denied" in said(s3)


def test_something_else_is_there(tmp_path: Path) -> None:
    (tmp_path / "photographs.zip").write_bytes(b"")
    assert "no Isthmus store" in said(f"file://{tmp_path}")


@pytest.mark.parametrize("do", ["push", "pull", "diff"])
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "The address of the remote store is empty: give one"),
        (" ", "The address of the remote store is empty: give one"),
        ("study.yaml", "study.yaml: a file is where a folder should be: choose another address."),
        ("study.yaml/below", "a file is where a folder should be: choose another address."),
    ],
)
def test_an_address_that_is_none(
    do: str, address: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").touch()
    Store.open(tmp_path / "here")
    with pytest.raises(IsthmusError) as caught:
        perform(do, tmp_path / "here", address)
    assert str(caught.value).startswith(words) or str(caught.value).endswith(words)
    assert "Errno" not in str(caught.value)


def perform(do: str, store: Path, url: str, dry: bool = False) -> None:
    if do == "push":
        commands.push(store, url, (), dry, quiet=True, as_json=False)
    elif do == "pull":
        commands.pull(store, url, (), (), dry, quiet=True, as_json=False)
    else:
        commands.diff(store, url, as_json=False)


def test_where_nothing_was_pushed_there_is_nothing_to_pull(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address with a mistake in it is no store that is up to date; and asking makes none, here or there."""
    store, words = tmp_path / "here", r"There is no remote store at .*: mend the address, or push to it first"
    with pytest.raises(StoreError, match=words):
        perform("pull", store, url)
    assert not store.exists()
    publish(Store.open(store), "a", {"x": b"x"})
    with pytest.raises(StoreError, match=words):
        perform("diff", store, url)
    perform("push", store, url, dry=True)
    assert "1 stage would be pushed" in capsys.readouterr().out and Place(url).empty()


def test_another_version(tmp_path: Path) -> None:
    (tmp_path / "ISTHMUS").write_text("isthmus remote store 99\n")
    assert "another version" in said(f"file://{tmp_path}")


def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(StoreError, match=r"^/proc/remote: "):
        Remote.open("/proc/remote", create=True)


@pytest.mark.parametrize("url", ["s3://me:a-secret@bucket/x", "sftp://me:a-secret@host/x", "s3://b/x?secret=a-secret"])
def test_a_password_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    assert "password" in said(url)


def test_what_is_shown_has_no_secret() -> None:
    assert shown("s3://me:a-secret@bucket/x?key=a-secret#y") == "s3://bucket/x"
    assert shown("/a folder/x@y:z") == "/a folder/x@y:z"


def test_a_scheme_that_is_none() -> None:
    with pytest.raises(SpecError, match="s4:// leads nowhere: did you mean s3"):
        Place("s4://bucket")


def test_the_package_is_missing() -> None:
    program = "import sys; sys.modules['s3fs'] = None; from isthmus.remote.place import Place; Place('s3://bucket/x')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    told = ended.stderr.splitlines()[-1]
    assert "needs the package s3fs" in told and "run `pip install 'isthmus[remote]'`" in told


def test_an_outage_is_waited_out_and_what_is_final_is_not() -> None:
    left = [ConnectionError("reset"), TimeoutError(), None]
    tried = 0

    def attempt(errors: list[Exception | None]) -> str:
        nonlocal tried
        tried += 1
        if error := errors.pop(0):
            raise error
        return "there"

    assert patiently(lambda: attempt(left)) == "there" and tried == 3
    with pytest.raises(PermissionError):
        patiently(lambda: attempt([PermissionError(), None]))
    assert tried == 4


def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, url = Store.open(tmp_path / "here"), str(tmp_path / "remote")
    publish(here, "a", {"x": b"x" * 2_000_000})
    push(here, url)
    monkeypatch.setattr("isthmus.remote.pull.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(ResourceError, match="2 MB are to come"):
        pull(Store.open(tmp_path / "elsewhere"), url)
