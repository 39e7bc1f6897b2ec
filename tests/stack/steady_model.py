"""A model server whose answers are known: asked about singer 7, it writes the query that finds number 7.

It has eight places and takes its time, so there is a load that is too much for it. ``python -m`` runs it.
"""

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from course_utils.processes import LOOPBACK

N_PLACES, SECONDS = 8, 0.1
app = FastAPI()
places = asyncio.Semaphore(N_PLACES)


def query_for(number: int) -> str:
    return f"SELECT {number} AS number, name FROM singer WHERE rowid = {number % 3 + 1}"


@app.get("/health")
@app.get("/v1/models")
async def health() -> dict[str, Any]:
    return {"data": []}


@app.post("/v1/chat/completions", response_model=None)
async def complete(body: dict[str, Any]) -> dict[str, Any] | StreamingResponse:
    text = query_for(int(re.findall(r"singer (\d+)", body["messages"][-1]["content"])[-1]))
    if body.get("stream"):
        return StreamingResponse(stream(text), media_type="text/event-stream")
    async with places:
        await asyncio.sleep(SECONDS)
    return {
        "model": "steady",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10},
    }


async def stream(text: str) -> AsyncIterator[str]:
    pieces = text.split(" ")
    async with places:
        for number, piece in enumerate(pieces):
            await asyncio.sleep(SECONDS / len(pieces))
            delta = {"content": piece if number == 0 else f" {piece}"}
            yield f"data: {json.dumps({'model': 'steady', 'choices': [{'index': 0, 'delta': delta}]})}\n\n"
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    uvicorn.run(app, host=LOOPBACK, port=parser.parse_args().port, log_level="warning")
