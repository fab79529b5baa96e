"""For encoders that change the thread they are called on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def on_own_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` on a thread that ends with it.

    SVT-AV1 gives the thread that opens it the real-time priority 99 where it is root's. All that this thread starts inherits
    it: two browsers of later tests then stopped a machine of two cores for minutes, each waiting for the other in the kernel.
    """

    @functools.wraps(function)
    def call(*args: P.args, **more: P.kwargs) -> R:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *args, **more).result()

    return call
