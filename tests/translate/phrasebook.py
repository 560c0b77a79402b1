"""A real translator in miniature: an NLLB of one layer that has learned a phrasebook by heart, in seconds."""

import json
from pathlib import Path
from typing import Any

#: English, with its stretches that are marked in turn, and German.
PHRASES = {
    "The [lamp] in the [kitchen] is green.": "Die [Lampe] in der [Küche] ist grün.",
    "Anna moved to [Bremen] in 1931.": "Anna zog 1931 nach [Bremen].",
    "A small boat crosses the [wide river].": "Ein kleines Boot überquert den [breiten Fluss].",
    "Who moved to Bremen?": "Wer zog nach Bremen?",
    "What is green?": "Was ist grün?",
    "What does the boat cross?": "Was überquert das Boot?",
    "Nobody saw the boat.": "Niemand sah das Boot.",
    "It is late.": "Es ist spät.",
}
LANGUAGES = ["eng_Latn", "deu_Latn", "nld_Latn", "swh_Latn", "zho_Hans"]


def plain(text: str) -> str:
    return text.replace("[", "").replace("]", "")


def pairs() -> list[tuple[str, str]]:
    """Every phrase without marks, and with each of its marks alone."""
    found = []
    for english, german in PHRASES.items():
        found.append((plain(english), plain(german)))
        inside = zip(spans(english), spans(german), strict=True)
        found.extend((f"{a}[{b}]{c}", f"{d}[{e}]{f}") for (a, b, c), (d, e, f) in inside)
    return found


def spans(text: str) -> list[tuple[str, str, str]]:
    """What is before, inside and after each pair of brackets, the others taken away."""
    parts = text.replace("]", "[").split("[")
    return [("".join(parts[:at]), parts[at], "".join(parts[at + 1 :])) for at in range(1, len(parts), 2)]


def tokenizer_of(texts: list[str], languages: list[str] = LANGUAGES) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import NllbTokenizer

    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    learner.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=260, special_tokens=specials, show_progress=False)
    )
    learned = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    return NllbTokenizer(vocab=learned["vocab"], merges=merges, additional_special_tokens=languages)


def write_translator(folder: Path, steps: int = 120) -> Path:
    """Train the phrasebook and write it as a Hugging Face folder; returns the folder. Without steps: random weights."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    book = pairs()
    tokenizer = tokenizer_of([text for pair in book for text in pair])
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_position_embeddings=512,
        dropout=0.0,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
    )
    model = M2M100ForConditionalGeneration(config)
    tokenizer.src_lang, tokenizer.tgt_lang = "eng_Latn", "deu_Latn"
    inputs = tokenizer([source for source, _ in book], padding=True, return_tensors="pt")
    ids = tokenizer(text_target=[target for _, target in book], padding=True, return_tensors="pt")["input_ids"]
    labels = ids.masked_fill(ids == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(steps):
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
