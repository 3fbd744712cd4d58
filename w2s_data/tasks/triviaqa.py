"""TriviaQA (Joshi et al. 2017, arXiv 1705.03551): trivia with many names for each answer.

A row of mandarjoshi/trivia_qa, configuration rc.nocontext (unfiltered.nocontext has the same
fields and more questions: name it in a task file), reads, its normalised names left out:

    {"question_id": "tc_33", "question": "Which city lies where the Spree meets the Havel?",
     "question_source": "http://www.example.org/",
     "answer": {"value": "Berlin", "aliases": ["Berlin", "Berlin, Germany", "Spandau"],
                "type": "WikipediaEntity", "matched_wiki_entity_name": ""}}
"""

from __future__ import annotations

from w2s_data.tasks import Hub, Task, openqa

TRIVIA = "mandarjoshi/trivia_qa"

TASK = Task(
    name="triviaqa",
    title="TriviaQA: trivia, each answer with its other names",
    rule="triviaqa",
    answer_key=openqa.ANSWER_KEY,
    stop=openqa.STOP,
    aliases={"id": ("question_id",)},
    read_gold=openqa.read_gold,
    hub={
        "train_1": Hub(TRIVIA, config="rc.nocontext", split="train", half=1),
        "train_2": Hub(TRIVIA, config="rc.nocontext", split="train", half=2),
        "test": Hub(TRIVIA, config="rc.nocontext", split="validation"),
    },
    response=openqa.response,
)
