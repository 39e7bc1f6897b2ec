"""The one way to load a model and its tokenizer, and to generate with them."""

from course_utils.models.generation import Reply, ask_model, ask_server, generate_replies, open_engine
from course_utils.models.hub import find_encoder, hub_is_reachable, locate_model
from course_utils.models.load import choose_device, choose_dtype, load_model, load_tokenizer

__all__ = ["Reply", "ask_model", "ask_server", "choose_device", "choose_dtype", "find_encoder"]
__all__ += ["generate_replies", "hub_is_reachable", "load_model", "load_tokenizer"]
__all__ += ["locate_model", "open_engine"]
