"""A model that answers by a function: `scripted(monkeypatch, {"teacher": f})` makes the spec
`scripted:teacher` a model whose sample number i to a prompt is f(prompt, i).

f returns the text, or (text, finish). Every request is kept in `Scripted.requests`.
"""

import sys
import types

from w2s_data import backends
from w2s_data.rows import Sample


class Scripted(backends.Backend):
    requests: list = []

    def __init__(self, name, answer, chat):
        self.name, self.answer, self.chat = name, answer, chat
        self.fingerprint = f"scripted {name}"

    def __call__(self, requests):
        for position, request in enumerate(requests):
            self.requests.append((self.name, request))
            yield position, [self.sample(request, i) for i in indices(request)]

    def sample(self, request, index):
        prompt = (
            request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
        )
        said = self.answer(prompt, index)
        text, finish = said if isinstance(said, tuple) else (said, "stop")
        return Sample(index=index, text=text, finish=finish, tokens=1)


def indices(request):
    return range(request.start, request.start + request.n)


def scripted(monkeypatch, answers):
    """Make the models of `answers` known; returns the list of (name, request) that they get."""
    module = types.ModuleType("scripted_models")
    module.load = lambda name, chat=False: Scripted(name, answers[name], chat)
    monkeypatch.setitem(sys.modules, "scripted_models", module)
    monkeypatch.setitem(backends.BACKENDS, "scripted", "scripted_models")
    monkeypatch.setattr(Scripted, "requests", [])
    return Scripted.requests
