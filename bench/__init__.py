"""Benchmarks of CDP Pipeline: every number is counted at the sink and comes with its noise.

    python -m bench                 all cases, results in bench/results
    python -m bench native decode   only these
    python -m bench --tiny          only shows that they work

How a number is made: one warm-up round is dropped; the variants of a case then take turns,
in reversed order every other round, so that a drift of the machine hits all of them; a ratio
is taken within a round, never between runs; beside each comparison stands an A/A control,
the same variant against itself, which is what chance alone does.
"""
