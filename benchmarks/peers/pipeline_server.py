"""The server that people write first: FastAPI around transformers' pipeline. `MODEL` names the folder, `LOCKED` has it compute one
request at a time, which is faster than its threads where these share two cores."""

import os
import threading
from contextlib import nullcontext

from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classify = pipeline("text-classification", model=os.environ["MODEL"], truncation=True)
one_at_a_time = threading.Lock() if os.environ.get("LOCKED") else nullcontext()
app = FastAPI()


class Asked(BaseModel):
    texts: list[str]


@app.post("/v1/predict")
def predict(asked: Asked) -> dict:
    with one_at_a_time:
        return {"predictions": [{"prediction": one["label"]} for one in classify(asked.texts, batch_size=32)]}
