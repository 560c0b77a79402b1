"""Who works at which stage, so that two machines seldom do the same one. No result depends on it.

A lease is an object that its holder writes anew every `RENEW` seconds. It is over when it was seen unchanged for
`PATIENCE` seconds: by the clock of the one who looks, so that clocks need not agree.
"""

import json
import platform
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from isthmus.errors import IsthmusError
from isthmus.remote.place import Place

RENEW = 20.0
PATIENCE = 90.0
_LONG_AGO = 3600.0  # seconds: no two clocks that are looked after differ by that


class Leases:
    """The leases of one run, and what it has seen of those of others."""

    def __init__(self, place: Place, renew: float = RENEW, clock: Callable[[], float] = time.monotonic) -> None:
        self._place, self._renew, self._clock = place, renew, clock
        self._me = f"{platform.node()}/{secrets.token_hex(8)}"
        self._held: set[str] = set()
        self._seen: dict[str, tuple[bytes, float]] = {}  # what was there, and since when
        self._lock, self._over = threading.Lock(), threading.Event()
        self._renewing = threading.Thread(target=self._keep, name="leases", daemon=True)
        self._renewing.start()

    def take(self, key: str) -> bool:
        """Have the stage; False when another run has it."""
        name = _name(key)
        if key in self._held:
            return True
        if not self._place.create(name, self._content()):
            if not self._is_over(key):
                return False
            self._place.write(name, self._content())
        with self._lock:
            self._held.add(key)
        return True

    def free(self, key: str) -> bool:
        """Is the stage held by nobody, as far as is known?"""
        return key in self._held or self._is_over(key)

    def release(self, key: str) -> None:
        """Have it no longer."""
        with self._lock:
            if key not in self._held:
                return
            self._held.discard(key)
        with suppress(IsthmusError):  # then it ends by itself
            self._place.delete(_name(key))

    def close(self) -> None:
        """Release all."""
        self._over.set()
        self._renewing.join()
        for key in list(self._held):
            self.release(key)

    def _is_over(self, key: str) -> bool:
        try:
            content = self._place.read(_name(key))
        except FileNotFoundError:
            self._seen.pop(key, None)
            return True
        seen, since = self._seen.get(key, (b"", 0.0))
        if content != seen:
            self._seen[key] = content, self._clock()
            return _written(content) < time.time() - _LONG_AGO
        return self._clock() - since > PATIENCE

    def _content(self) -> bytes:
        return json.dumps({"owner": self._me, "written": time.time()}).encode()

    def _keep(self) -> None:
        while not self._over.wait(self._renew):
            for key in list(self._held):
                with self._lock, suppress(IsthmusError):
                    if key in self._held:
                        self._place.write(_name(key), self._content())


def _name(key: str) -> str:
    return f"leases/{key}.json"


def _written(content: bytes) -> float:
    """When a lease was last renewed, by its holder's clock; never, where it cannot be read."""
    try:
        return float(json.loads(content)["written"])
    except (ValueError, KeyError, TypeError):
        return 0.0
