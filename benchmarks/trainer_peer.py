"""The Trainer of transformers as its example scripts set it up, and tuned: the peer in benchmarks/training.py.

What is padded follows `run_xnli.py` (texts in pairs), `run_qa.py` (questions) and `run_ner.py` (tags) of transformers:
the first two have ``pad_to_max_length`` on by default, the third has it off.
"""

import math
import time
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
_IGNORE = -100


def run_trainer(job: Any, case: Any, table: Any, labels: list[str], folder: Path) -> tuple[Any, float]:
    """Load, tokenise, train one epoch and save; returns the trained model and the seconds that all of it took."""
    import transformers
    from datasets import Dataset

    from isthmus.kinds import method

    begun = time.perf_counter()
    transformers.set_seed(job.seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.model)
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    auto = getattr(transformers, method(case.kind).auto_class)
    model = auto.from_pretrained(job.model, **(named if labels else {}))
    padding = "max_length" if job.contestant == "trainer" and case.padded else False
    rows = ENCODERS[case.kind](table.to_pylist(), tokenizer, labels, case.max_length, padding)
    tuned = job.contestant == "trainer-tuned"
    steps = math.ceil(len(rows) / case.batch_size)
    arguments = transformers.TrainingArguments(
        str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=case.batch_size,
        learning_rate=job.learning_rate,
        weight_decay=0.01,
        warmup_steps=round(0.1 * steps),
        seed=job.seed,
        use_cpu=True,
        bf16=job.precision == "bf16",
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        dataloader_pin_memory=False,
        train_sampling_strategy="group_by_length" if tuned else "random",
    )
    collators = {"tagging": transformers.DataCollatorForTokenClassification}
    collator = collators.get(case.kind, transformers.DataCollatorWithPadding)(tokenizer)
    trainer = transformers.Trainer(
        model,
        arguments,
        train_dataset=Dataset.from_list(rows),
        data_collator=transformers.default_data_collator if padding else collator,
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model()
    return model, time.perf_counter() - begun


def encode_pairs(rows: Rows, tokenizer: Any, labels: list[str], limit: int, padding: Any) -> Rows:
    """Two texts and the number of their label."""
    first, second = ([row[name] for row in rows] for name in ("text", "text_pair"))
    encoded = tokenizer(first, second, truncation=True, max_length=limit, padding=padding)
    encoded["labels"] = [labels.index(row["label"]) for row in rows]
    return _by_row(encoded)


def encode_tags(rows: Rows, tokenizer: Any, labels: list[str], limit: int, padding: Any) -> Rows:
    """Words; the first piece of each has the number of its tag."""
    words = [row["tokens"] for row in rows]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=limit, padding=padding)
    encoded["labels"] = []
    for number, row in enumerate(rows):
        places = encoded.word_ids(number)
        before = [None, *places[:-1]]
        encoded["labels"].append(
            [
                _IGNORE if place is None or place == last else labels.index(row["tags"][place])
                for place, last in zip(places, before, strict=True)
            ]
        )
    return _by_row(encoded)


def encode_spans(rows: Rows, tokenizer: Any, _labels: list[str], limit: int, padding: Any) -> Rows:
    """Windows over the context, 128 tokens in common; one without the whole answer points at the first token."""
    encoded = tokenizer(
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=limit,
        stride=128,
        padding=padding,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    origin, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
    encoded["start_positions"], encoded["end_positions"] = [], []
    for number, row in enumerate(origin):
        start = rows[row]["answer_starts"][0]
        end = start + len(rows[row]["answers"][0])
        texts = encoded.sequence_ids(number)
        inside = [i for i, (text, (a, b)) in enumerate(zip(texts, offsets[number], strict=True)) if text == 1 and b > a]
        held = [i for i in inside if offsets[number][i][1] > start and offsets[number][i][0] < end]
        whole = bool(held) and offsets[number][inside[0]][0] <= start and offsets[number][inside[-1]][1] >= end
        encoded["start_positions"].append(held[0] if whole else 0)
        encoded["end_positions"].append(held[-1] if whole else 0)
    return _by_row(encoded)


def _by_row(encoded: Any) -> Rows:
    names = list(encoded.keys())
    return [dict(zip(names, values, strict=True)) for values in zip(*(encoded[name] for name in names), strict=True)]


ENCODERS = {"pair": encode_pairs, "tagging": encode_tags, "span": encode_spans}
