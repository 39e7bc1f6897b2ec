"""How ``data/tiny_base`` was made: generated text, a tokenizer and a short pretraining run."""
