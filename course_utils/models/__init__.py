"""The one way to load a model and its tokenizer, and to generate with them."""

from course_utils.models.generation import Reply, generate_replies
from course_utils.models.hub import find_encoder, hub_is_reachable, identify_model, locate_model
from course_utils.models.load import choose_device, choose_dtype, load_model, load_tokenizer
from course_utils.models.served import ask_server

__all__ = [
    "Reply",
    "ask_server",
    "choose_device",
    "choose_dtype",
    "find_encoder",
    "generate_replies",
    "hub_is_reachable",
    "identify_model",
    "load_model",
    "load_tokenizer",
    "locate_model",
]
