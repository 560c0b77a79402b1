"""A hub of one's own: an HTTP server on this machine that speaks as much of the hub's protocol as its library asks for.

A repository is a folder; its commit is a hash of what the folder holds. Data sets go by ``datasets/owner/name``. Every
request is remembered.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Serves ``repositories``: hub id -> folder. A revision is ``main``, the tag ``v1``, or the commit."""

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.requests: list[str] = []
        self.gated: set[str] = set()
        self.broken: set[str] = set()
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

    def downloads(self) -> list[str]:
        """The requests for the content of files."""
        return [path for path in self.requests if path.startswith("GET") and "/resolve/" in path]


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

    def do_POST(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        self.server.requests.append(f"{self.command} {unquote(urlsplit(self.path).path)}")

    def _answer(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[0] == "api" and parts[1] in ("models", "datasets")
        if api:
            parts = parts[2:] if parts[1] == "models" else parts[1:]
        count = 3 if parts[0] == "datasets" else 2
        identifier, rest = "/".join(parts[:count]), parts[count:]
        folder = self.server.repositories.get(identifier)
        if folder is None:
            self._send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif identifier in self.server.gated:
            self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        elif identifier in self.server.broken:
            self._send(500, b"", {})
        elif rest and rest[1] not in ("main", "v1", self.server.commit(identifier)):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif api:
            self._tell(identifier, folder, rest)
        else:
            self._give(identifier, folder / "/".join(rest[2:]))

    def _tell(self, identifier: str, folder: Path, rest: list[str]) -> None:
        what, below = (rest[0], "/".join(rest[2:])) if rest else ("revision", "")
        files = names(folder)
        told: Any = {"id": identifier.removeprefix("datasets/"), "sha": self.server.commit(identifier)}
        told["siblings"] = [{"rfilename": file} for file in files]
        if what == "tree":
            told = _tree(folder, files, f"{below}/" if below else "", "recursive=true" in self.path.lower())
            if below and not told:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
        elif what == "paths-info":
            told = [entry for path in self._paths() for entry in _entries(folder, files, path)]
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _paths(self) -> list[str]:
        """The paths that a request asks about, in either of the two ways it may do so."""
        if self._body.startswith(b"{"):
            paths: list[str] = json.loads(self._body)["paths"]
            return paths
        return parse_qs(self._body.decode()).get("paths", [])

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
        if self.command != "HEAD":
            self.wfile.write(content)


def _entry(folder: Path, file: str) -> dict[str, Any]:
    return {"type": "file", "path": file, "size": (folder / file).stat().st_size, "oid": _etag(folder / file)}


def _tree(folder: Path, files: list[str], above: str, deep: bool) -> list[dict[str, Any]]:
    """What lies below ``above``: folders and files, those in folders only where it is to be ``deep``."""
    inside = [file for file in files if file.startswith(above)]
    folders = {str(parent) for file in inside for parent in Path(file).parents if str(parent).startswith(above)} - {"."}
    shown = [*sorted(folders), *inside]
    if not deep:
        shown = [path for path in shown if "/" not in path.removeprefix(above)]
    return [entry for path in shown for entry in _entries(folder, files, path)]


def _entries(folder: Path, files: list[str], path: str) -> list[dict[str, Any]]:
    """What there is to say of a path: of a file or a folder, or nothing."""
    if path in files:
        return [_entry(folder, path)]
    inside = any(file.startswith(f"{path}/") for file in files)
    return [{"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest()}] if inside else []


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
