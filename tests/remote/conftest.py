"""The same tests over three places: a folder, memory, and an S3-compatible server on this machine."""

import threading
import uuid
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of the server, and the folder in which its buckets are folders."""
    import localbucket

    folder = tmp_path_factory.mktemp("s3")
    localbucket.S3Handler.data_root = folder
    localbucket.S3Handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), localbucket.S3Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()


@pytest.fixture
def s3(s3_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, which the environment knows how to reach."""
    address, folder = s3_server
    bucket = f"b{uuid.uuid4().hex[:12]}"
    (folder / bucket).mkdir()
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return f"s3://{bucket}"


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where nothing is yet."""
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/lab/one"
    return f"file://{tmp_path}/remote" if request.param == "file" else f"memory://{uuid.uuid4().hex}"
