"""``python -m course_utils.deployment.model_server``: llama.cpp's own HTTP server over a GGUF file.

It speaks OpenAI's protocol, batches concurrent requests and reuses the prompt cache. By default it
listens on the loopback interface. It checks no keys, because the gateway before it does.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import psutil
import typer

from course_utils.deployment.stack import CONTEXT, MODEL_NAME
from course_utils.errors import CourseError, ModelError, require
from course_utils.processes import LOOPBACK, choose_port
from course_utils.prompts import TEMPLATE_OPTIONS
from course_utils.resources import n_cores

N_PARALLEL = 4
"""Requests that are answered at the same time; the context of each takes memory."""
_TINY_BYTES = 64 * 2**20
_SPINS = "2000"
"""How often a waiting thread of llama.cpp checks for the others before it sleeps. By default it hardly ever sleeps; if
two servers share a machine, as in a rollout, it then occupies the core that the thread it waits for needs."""


def serve_gguf(
    model: Annotated[Path, typer.Option(help="GGUF file with its chat template.")],
    host: str = LOOPBACK,
    port: int = 8081,
    context: Annotated[int, typer.Option(help="Tokens of prompt and reply together, per request.")] = CONTEXT,
    adapter: Annotated[Path | None, typer.Option(help="GGUF adapter on the model.")] = None,
) -> None:
    """Serve a model until SIGTERM or SIGINT.

    With an ``adapter`` it answers as the tuned model, or as the base if a request's body holds
    ``"lora": [{"id": 0, "scale": 0}]``.

    Raises:
        ModelError: The file is missing or llama.cpp cannot load it.
        ServiceError: The port is in use.
    """
    require("serve", "xllamacpp")
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # OpenMP reads it when the library is loaded
    import xllamacpp

    for file in (model, adapter):
        if file and not file.is_file():
            raise ModelError(f"{file}: there is no such GGUF file; run notebooks/05_deployment.ipynb or check the path")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    if adapter:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames, parameters.port = [host], choose_port(host, port)
    parameters.n_parallel, parameters.n_ctx = N_PARALLEL, context * N_PARALLEL
    parameters.n_threads_http = 64  # each keeps an idle connection for 5 s, so 8 would soon be taken
    # Threads wait for each other after every matrix. With tiny ones the wait costs more than the work, and on a busy
    # machine, where one thread may not be scheduled, it costs seconds. -1 means all physical cores, but a container or
    # a job may be allowed fewer.
    most = n_cores() if n_cores() < (psutil.cpu_count(logical=False) or os.cpu_count() or 1) else -1
    n_threads = 1 if model.stat().st_size < _TINY_BYTES else most
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = n_threads
    parameters.default_template_kwargs = {name: json.dumps(value) for name, value in TEMPLATE_OPTIONS.items()}
    parameters.cache_ram_mib = 256
    parameters.endpoint_metrics, parameters.ui = True, False
    parameters.verbosity = 2  # errors and warnings
    try:
        server = xllamacpp.Server(parameters)  # noqa: F841  # serves as long as the object lives
    except RuntimeError as error:
        raise ModelError(f"{model}: llama.cpp cannot serve this file ({error}); convert the model again") from error
    stopped.wait()
    os._exit(0)  # the server's destructor would wait for ever while a reply is written


if __name__ == "__main__":
    try:
        typer.run(serve_gguf)
    except CourseError as error:
        sys.exit(str(error))
