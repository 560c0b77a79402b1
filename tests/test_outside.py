"""What leaves the store: texts on a terminal, and files that a person named."""

import os
import threading
from pathlib import Path

import pytest

from isthmus.outside import visible, written


def write(path: Path, content: bytes) -> None:
    with written(path) as file:
        file.write(content)


def test_what_steers_a_terminal_is_told_and_letters_stay() -> None:
    assert visible("a\x1b[31m\r\n\x9b\u202eب\N{COMBINING ACUTE ACCENT}") == r"a\x1b[31m\r\n\x9b\u202eب" + "\u0301"


def test_a_file_is_replaced_in_one_step_and_left_as_it_was_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write(path, b"first")
    with pytest.raises(KeyError), written(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"first"
    write(path, b"second")
    assert path.read_bytes() == b"second" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    real, link = tmp_path / "folder" / "real.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    if there:
        real.write_bytes(b"old")
    link.symlink_to("folder/real.csv")
    write(link, b"new")
    assert link.is_symlink() and real.read_bytes() == b"new" and not real.is_symlink()


@pytest.mark.parametrize("linked", [True, False])
def test_a_pipe_is_written_to(tmp_path: Path, linked: bool) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(link if linked else pipe, b"new")
    reader.join(10)
    assert found == [b"new"] and pipe.is_fifo() and link.is_symlink()
