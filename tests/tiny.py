"""A real model in miniature: a BERT of two layers and a Unigram tokenizer trained on a few sentences written here."""

from pathlib import Path

SENTENCES = [
    "the lamp in the kitchen is green",
    "turn off the lamp in the hall",
    "a small boat crosses the wide river",
    "she plants three trees behind the house",
    "die Lampe in der Küche ist grün",
    "ein kleines Boot fährt über den breiten Fluss",
    "taa ya jikoni ni ya kijani",
    "the market opens at nine on Sunday",
    "close the window before the rain comes",
    "play a slow song in the bedroom",
]


def write_tiny_model(folder: Path, layers: int = 2, width: int = 32, seed: int = 0) -> Path:
    """Write the model and its tokenizer as a Hugging Face folder; returns the folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=140, special_tokens=specials, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "cls_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=64,
        **names,
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size() + 5,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=64,
        pad_token_id=1,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
