"""Sentences a second: vectors beside sentence-transformers, predictions beside the Trainer of transformers.

python benchmarks/inference.py --data FOLDER [--rows 12] [--threads 2] [--repeats 3]

The texts are Tatoeba's (`tatoeba.xxx-eng.*`) and SIB-200's (`sib200/*/test.tsv`), the first ROWS of every file, all
languages together, as one evaluation has them. Every system gets the same texts, the same weights (the embedded model,
with a fresh head of seven labels for predictions), the same number of threads, and starts from text: tokenising counts.
They take turns, so that a busy machine is as hard on each. sentence-transformers and the Trainer run as they come: in
batches of 32 and of 8.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from isthmus.data.schema import Kind, to_table
from isthmus.kinds import method
from isthmus.kinds.core import Batcher, Limits, Search
from isthmus.model.embedded import convert
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.study.spec import Retrieval

MAX_LENGTH = 128
LABELS = [f"label {number}" for number in range(7)]


def lines(path: Path, rows: int) -> list[str]:
    return [line.rstrip("\r") for line in path.read_text(encoding="utf-8").split("\n")[:rows] if line.strip()]


def texts_of(data: Path, rows: int) -> dict[str, list[str]]:
    tatoeba = [text for path in sorted(data.rglob("tatoeba.*-eng.*")) for text in lines(path, rows)]
    tables = sorted(data.rglob("sib200/*/test.tsv"))
    sib = [line.split("\t")[2] for path in tables for line in lines(path, rows + 1)[1:]]
    return {"Tatoeba": tatoeba, "SIB-200": sib}


class Systems:
    """The four, on one model."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling, Transformer

        self.folder = folder
        self.tokenizer = load_tokenizer(folder)
        self.encoder: Any = load_model(folder, "AutoModel", [], fresh_head=False).eval()
        self.classifier: Any = load_model(folder, method("sequence").auto_class, LABELS, fresh_head=True).eval()
        words = Transformer(str(folder), max_seq_length=MAX_LENGTH)
        self.peer = SentenceTransformer(modules=[words, Pooling(self.encoder.config.hidden_size, "mean")], device="cpu")

    def search(self) -> Search:
        return Search("en", Retrieval(), self.tokenizer, Limits(MAX_LENGTH))

    def vectors(self, texts: list[str]) -> torch.Tensor:
        from isthmus.kinds.vectors import embed_texts

        with torch.inference_mode():
            return embed_texts(self.encoder, texts, self.tokenizer, MAX_LENGTH)

    def peer_vectors(self, texts: list[str]) -> torch.Tensor:
        return self.peer.encode(texts, show_progress_bar=False, convert_to_tensor=True)

    def labels(self, texts: list[str]) -> list[str]:
        how = method("sequence")
        ids = [str(number) for number in range(len(texts))]
        table = to_table(Kind.SEQUENCE, {"id": ids, "text": texts}, "texts", labelled=False)
        search = self.search()
        with torch.inference_mode():
            features = how.encode(table, self.tokenizer, None, search.limits)
            batcher = Batcher(self.tokenizer.pad_token_id, 1024, {})
            return [one.value for one in how.predict(self.classifier, features, table, LABELS, batcher, search)]

    def peer_labels(self, texts: list[str]) -> list[str]:
        from datasets import Dataset
        from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

        rows = Dataset.from_dict({"text": texts})
        rows = rows.map(
            lambda row: self.tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH),
            batched=True,
            remove_columns=["text"],
        )
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(folder, use_cpu=True, report_to=[], disable_tqdm=True)
            collator = DataCollatorWithPadding(self.tokenizer)
            trainer = Trainer(self.classifier, arguments, data_collator=collator, processing_class=self.tokenizer)
            return [LABELS[number] for number in trainer.predict(rows).predictions.argmax(-1)]


def seconds(run: Callable[[list[str]], Any], texts: list[str]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = run(texts)
    return time.perf_counter() - begun, found


def compare(name: str, what: str, texts: list[str], pair: tuple[Any, Any], repeats: int) -> tuple[Any, Any]:
    ours, peers, found = [], [], (None, None)
    for system in pair:  # what a first call sets up is nobody's speed
        system(texts[:16])
    for _ in range(repeats):
        (own, mine), (other, theirs) = seconds(pair[0], texts), seconds(pair[1], texts)
        ours.append(own)
        peers.append(other)
        found = mine, theirs
    ratios = sorted(other / own for own, other in zip(ours, peers, strict=True))
    own, other = statistics.median(ours), statistics.median(peers)
    print(
        f"{name}, {what}: {len(texts)} texts; isthmus {len(texts) / own:.0f}/s, peer {len(texts) / other:.0f}/s; "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        convert(base)
        systems = Systems(base)
        for data, texts in texts_of(options.data, options.rows).items():
            pair = systems.vectors, systems.peer_vectors
            mine, theirs = compare(data, "vectors beside sentence-transformers", texts, pair, options.repeats)
            cosine = torch.nn.functional.cosine_similarity(mine, theirs)
            print(f"  smallest cosine between the two: {cosine.min():.6f}")
            labels, others = compare(
                data, "labels beside Trainer.predict", texts, (systems.labels, systems.peer_labels), options.repeats
            )
            same = sum(a == b for a, b in zip(labels, others, strict=True))
            print(f"  the same label for {same} of {len(texts)}")


if __name__ == "__main__":
    main()
