from pathlib import Path

import pytest

from isthmus.model.folder import load_tokenizer


@pytest.fixture(scope="session")
def masked_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a mask token."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("masked") / "model"
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(tiny_model, vocab_size=len(tokenizer)), False).save_pretrained(folder)
    return folder
