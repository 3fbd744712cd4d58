"""The answer engine: what a response declares, and whether two answers are the same."""

from w2s_data.answers.batch import equal_many
from w2s_data.answers.canonical import canonical
from w2s_data.answers.classes import Classes, Vote, classes, vote
from w2s_data.answers.equal import Verdict, equal
from w2s_data.answers.extract import RULES, Extracted, extract, rules
from w2s_data.answers.policy import DEFAULT, POLICIES, PUBLISHED, Policy, describe
from w2s_data.answers.prove import remember

__all__ = [
    "DEFAULT",
    "POLICIES",
    "PUBLISHED",
    "RULES",
    "Classes",
    "Extracted",
    "Policy",
    "Verdict",
    "Vote",
    "canonical",
    "classes",
    "describe",
    "equal",
    "equal_many",
    "extract",
    "remember",
    "rules",
    "vote",
]
