"""An OpenAI-compatible server process: in front of a real tiny model, or with faults.

Without a model the name of the model asked for says how to misbehave: `429*2` refuses the first
two tries of each prompt with that status; see FAULTS. GET /v1/log tells what was asked.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BACKEND = None
LOCK = threading.Lock()
TRIES: Counter = Counter()
LOG: list = []
MOST = {"few": 3, "single": 1}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.reply(200, {"log": LOG})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            LOG.append(body)
            key = json.dumps([body.get("prompt"), body.get("messages")])
            TRIES[key] += 1
            tries = TRIES[key]
        name, _, times = body["model"].partition("*")
        fault = FAULTS.get(name) or (refuse if name.isdigit() else None)
        if fault and tries <= int(times or 10**9):
            fault(self, body)
        else:
            self.answer(body)

    def answer(self, body):
        from w2s_data.errors import W2SError

        try:
            self.reply(200, real(body) if BACKEND else fake(body))
        except W2SError as error:
            self.reply(400, {"error": {"message": str(error)}})

    def reply(self, status, data, **headers):
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def refuse(handler, body):
    status = int(body["model"].partition("*")[0])
    headers = {"Retry_After": "0.3"} if status == 429 else {}
    said = f"words of the server about {handler.headers.get('Authorization')}"
    handler.reply(status, {"error": {"message": said, "code": status}}, **headers)


def stall(handler, body):
    time.sleep(20)


def cut(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"te')
    handler.wfile.flush()
    handler.close_connection = True


def only_one(handler, body):
    if body["n"] > 1:
        handler.reply(400, {"detail": "Only n=1 is supported"})
    else:
        handler.reply(200, fake(body))


def other_limit(handler, body):
    if "max_tokens" in body:
        handler.reply(400, {"error": {"message": "use 'max_completion_tokens' instead"}})
    else:
        handler.reply(200, fake(body))


def no_echo(handler, body):
    """No repeating of prompts, but a list of likeliest next tokens."""
    if body.get("echo"):
        handler.reply(400, {"error": {"message": "echo is not supported"}})
    else:
        values = {" yes": -0.5, "Yes": -2.0, " n": -1.5, "?": -4.0}
        if "messages" in body:
            listed = [{"token": token, "logprob": value} for token, value in values.items()]
            content = [{"token": " yes", "logprob": -0.5, "top_logprobs": listed}]
            choice = {"message": {"content": " yes"}, "logprobs": {"content": content}}
        else:
            top = {"tokens": [" yes"], "token_logprobs": [-0.5], "top_logprobs": [values]}
            choice = {"text": " yes", "logprobs": top}
        handler.reply(200, {"choices": [choice]})


FAULTS = {
    "no-echo": no_echo,
    "stall": stall,
    "cut": cut,
    "only-one": only_one,
    "other-limit": other_limit,
    "not-json": lambda handler, body: handler.reply(200, b"<html>what?</html>"),
    "no-choices": lambda handler, body: handler.reply(200, {"id": 1}),
    "empty": lambda handler, body: handler.reply(200, {"choices": []}),
    "list": lambda handler, body: handler.reply(200, [1, 2]),
    "null-text": lambda handler, body: handler.reply(200, {"choices": [{"text": None}]}),
    "slow": lambda handler, body: (time.sleep(1), handler.reply(200, fake(body))),
}


def fake(body):
    count = min(body["n"], MOST.get(body["model"], body["n"]))
    made = [f"{body.get('prompt')}/{body.get('seed')}/{i}" for i in range(count)]
    return shaped(body, [{"text": text, "finish": "stop", "tokens": 4} for text in made])


def real(body):
    from w2s_data.store import Request

    if body.get("echo"):
        return echoed(body)
    request = Request(
        tuple(body["messages"]) if "messages" in body else body["prompt"],
        n=body["n"],
        temperature=body["temperature"],
        top_p=body.get("top_p", 1.0),
        max_tokens=body["max_tokens"],
        stop=tuple(body.get("stop", ())),
        seed=body.get("seed", 0),
        logprobs=bool(body.get("logprobs")),
    )
    with LOCK:
        ((_, samples),) = BACKEND([request])
    return shaped(body, samples)


def echoed(body):
    """The prompt's own log-probabilities, byte by byte, as servers give them with `echo`."""
    import torch

    from w2s_data.store import Request

    with LOCK:
        list(BACKEND([Request("x", max_tokens=1)]))
        engine = BACKEND._engine
        ids = engine.tokenizer(body["prompt"])["input_ids"]
        with torch.inference_mode():
            values = engine.model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    given = [None] + [values[i, token].item() for i, token in enumerate(ids[1:])]
    tokens = [engine.tokenizer.decode([token]) for token in ids]
    logprobs = {"tokens": tokens, "token_logprobs": given}
    return {"choices": [{"text": body["prompt"], "logprobs": logprobs}]}


def shaped(body, samples):
    choices = []
    for i, sample in enumerate(samples):
        choice = {"index": i, "finish_reason": sample["finish"], "logprobs": None}
        pairs = sample.get("logprobs", ())
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": sample["text"]}
            content = [{"token": token, "logprob": value} for token, value in pairs]
            choice["logprobs"] = {"content": content} if pairs else None
        else:
            choice["text"] = sample["text"]
            if pairs:
                tokens, values = zip(*pairs)
                choice["logprobs"] = {"tokens": tokens, "token_logprobs": values}
        choices.append(choice)
    usage = {"completion_tokens": sum(sample["tokens"] for sample in samples)}
    return {"choices": choices, "usage": usage}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from w2s_data import backends

        BACKEND = backends.load(f"hf:{sys.argv[1]}")
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
