"""What `recipes/lab.yaml` needs besides the published files: two small data sets that are made of them.

python recipes/lab_data.py --data FOLDER --output FOLDER

bucc2018    of the form of BUCC 2018, made of NTREX: which sentences of two texts are translations? Each text has
            sentences that the other one lacks: half have a translation. The texts are whole documents, so what is to be
            told apart resembles each other, as in BUCC, which has hundreds of thousands of sentences of other texts.
pawsx       the dev files cut in two by line number: English rows of the first half to train on, the second half of
            every language to measure. The rows are translations of each other, so no row of one half is in the other.
"""

import argparse
from pathlib import Path

#: The languages of BUCC that NTREX has here, and what its files call them.
LANGUAGES = {"de": "deu", "ru": "rus", "zh": "zho-CN"}
#: Split: first and last line of the foreign text, then of the English one.
LINES = {"test": ((0, 200), (100, 300)), "dev": ((1000, 1100), (1050, 1150))}


def lines_of(path: Path) -> list[str]:
    """The lines of a file, whichever of its two ends they have."""
    return [line.rstrip("\r") for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make_mining(source: Path, folder: Path) -> None:
    english = lines_of(source)
    for code, name in LANGUAGES.items():
        foreign = lines_of(source.with_name(f"newstest2019-ref.{name}.txt"))
        for split, (mine, theirs) in LINES.items():
            stem = f"{code}-en.{split}"
            for side, lines, numbers in ((code, foreign, range(*mine)), ("en", english, range(*theirs))):
                write_lines(folder / f"{stem}.{side}", [f"{side}-{number:06d}\t{lines[number]}" for number in numbers])
            both = [number for number in range(*mine) if number in range(*theirs)]
            write_lines(folder / f"{stem}.gold", [f"{code}-{number:06d}\ten-{number:06d}" for number in both])


def make_paraphrases(source: Path, folder: Path) -> None:
    for path in sorted(source.parent.glob("dev-*.tsv")):
        rows = lines_of(path)
        half = len(rows) // 2
        write_lines(folder / path.name, rows[half:])
        if path == source:
            write_lines(folder / "train-en.tsv", rows[:half])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with NTREX and PAWS-X somewhere below it")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    made = {
        "bucc2018": ("newstest2019-src.eng.txt", make_mining),
        "pawsx": ("pawsx/dev-en.tsv", make_paraphrases),
    }
    for name, (pattern, make) in made.items():
        source = next(iter(sorted(options.data.rglob(pattern))), None)
        if source is None:
            parser.error(f"there is no {pattern} in {options.data}: name the folder that holds the published data sets")
        make(source, options.output / name)
        print(f"{options.output / name}: {len(list((options.output / name).iterdir()))} files")


if __name__ == "__main__":
    main()
