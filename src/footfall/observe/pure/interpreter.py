"""What trace functions in Python need to know about the interpreter: the end of the stack, where a frame is."""

import sys

if sys.implementation.name == "pypy":
    from footfall.observe.pypy.tracing import (
        PhantomLines,
        end_recursion,
        go_on_after_raising,
        is_resumed,
        is_yield,
        stack_almost_full,
    )
else:
    from footfall.observe.pure.cpython import (  # type: ignore[assignment]
        PhantomLines,
        end_recursion,
        go_on_after_raising,
        is_resumed,
        is_yield,
        stack_almost_full,
    )

__all__ = ["PhantomLines", "end_recursion", "go_on_after_raising", "is_resumed", "is_yield", "stack_almost_full"]
