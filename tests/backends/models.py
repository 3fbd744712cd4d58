"""Tiny models for the backend tests: random Llamas over bytes, made in a second."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tokenizer(chat=True):
    """Every byte a token, so that any text has tokens; two special tokens more."""
    alphabet = {char: i for i, char in enumerate(sorted(ByteLevel.alphabet()))}
    raw = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|end|>", pad_token="<|pad|>", padding_side="left"
    )
    made.chat_template = CHAT if chat else None
    return made


def llama(folder, seed=0, chat=True, gain=12.0, hidden=64, layers=2, heads=2, context=256):
    """Save a random Llama in `folder`; `gain` sharpens its output distribution."""
    words = tokenizer(chat)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight *= gain
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def architecture(kind, folder):
    """Save a random model of another architecture; "sliding" is a Mistral with a short window."""
    words = tokenizer()
    sizes = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "bos_token_id": None,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    if kind == "gpt2":
        sizes = {"vocab_size": len(words), "n_embd": 32, "n_layer": 2, "n_head": 4}
    elif kind == "gemma2":
        sizes |= {"sliding_window": 8, "query_pre_attn_scalar": 8}
    elif kind == "mistral":
        sizes["sliding_window"] = None
    elif kind == "sliding":
        kind = "mistral"
        sizes["sliding_window"] = 8
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def adapter(model_folder, folder, seed=1):
    """Save a random LoRA adapter for that model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    model = LlamaForCausalLM.from_pretrained(model_folder)
    lora = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    lora.save_pretrained(folder)
    return str(folder)
