"""A hub of one's own: an HTTP server on this machine that speaks as much of the hub's protocol as its library asks for.

A repository is a folder; its commit is a hash of what the folder holds. Every request is remembered.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Serves ``repositories``: hub id -> folder. A revision is ``main``, the tag ``v1``, or the commit."""

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.requests: list[str] = []
        self.gated: set[str] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, identifier: str) -> str:
        """The commit that ``main`` stands for now."""
        folder, digest = self.repositories[identifier], hashlib.sha1()
        for name in names(folder):
            digest.update(name.encode() + (folder / name).read_bytes())
        return digest.hexdigest()

    def files_asked_for(self) -> set[str]:
        """The files of repositories that were requested, downloaded or only looked at."""
        return {path.split("/resolve/")[1].partition("/")[2] for path in self.requests if "/resolve/" in path}


def names(folder: Path) -> list[str]:
    """The files of a repository."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        self.server.requests.append(f"{self.command} {unquote(urlsplit(self.path).path)}")

    def _answer(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if api else parts
        identifier = f"{owner}/{name}"
        folder = self.server.repositories.get(identifier)
        if folder is None:
            self._send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif identifier in self.server.gated:
            self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        elif rest and rest[1] not in ("main", "v1", self.server.commit(identifier)):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif api:
            self._tell(identifier, folder, rest[0] if rest else "revision")
        else:
            self._give(identifier, folder / "/".join(rest[2:]))

    def _tell(self, identifier: str, folder: Path, what: str) -> None:
        files = names(folder)
        told: Any = {"id": identifier, "sha": self.server.commit(identifier)}
        told["siblings"] = [{"rfilename": file} for file in files]
        if what == "tree":
            told = [
                {"type": "file", "path": file, "size": (folder / file).stat().st_size, "oid": _etag(folder / file)}
                for file in files
            ]
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _give(self, identifier: str, path: Path) -> None:
        commit = {"X-Repo-Commit": self.server.commit(identifier)}
        if not path.is_file():
            self._send(404, b"", {**commit, "X-Error-Code": "EntryNotFound"})
            return
        content, status = path.read_bytes(), 200
        headers = {**commit, "ETag": f'"{_etag(path)}"', "Accept-Ranges": "bytes"}
        if asked := self.headers.get("Range"):
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            content, status = content[first:], 206
        self._send(status, content, headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
