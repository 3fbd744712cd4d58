"""Laws are tested without a time limit: machines differ, and timings are no part of them."""

from hypothesis import settings

settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
