"""Arrays out of a pickle without running it: a reader of the few instructions that describe dictionaries of arrays."""

from __future__ import annotations

from pathlib import Path
from pickletools import genops
from typing import Any

import numpy as np

from zerosum.core.errors import Refusal


def read(path: Path) -> Any:
    """What a pickle file describes: dictionaries, tuples, strings, bytes, whole numbers, None and NumPy arrays of
    numbers in this machine's byte order; nothing else.

    To be called after the file's hash is checked. Raises Refusal for a pickle that asks for anything else, which may
    well be a program, and for a damaged one.
    """
    try:
        machine = _Machine()
        for opcode, argument, _ in genops(path.read_bytes()):
            machine.step(opcode.name, argument)
        (value,) = machine.stack
        _check(value)
    except _Unknown as error:
        raise Refusal(
            f"{path}: this pickle holds {error}, not arrays alone. It may run a program; do not use it."
        ) from error
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise Refusal(f"{path}: a damaged pickle ({error}). Fetch it again.") from error
    return value


class _Unknown(Exception):
    """The pickle asks for something that arrays do not need; the message names it."""


def _check(value: Any) -> None:
    """Raises _Unknown where something was only announced, or only named, and not made."""
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Named | _Unbuilt | np.dtype):
            raise _Unknown("what is no array")
        if isinstance(one, dict | tuple) and id(one) not in seen:  # a dictionary may hold itself
            seen.add(id(one))
            waiting += [*one, *one.values()] if isinstance(one, dict) else one


class _Named:
    """A name that the pickle asks for, of those that arrays need. It is never looked up."""

    def __init__(self, name: str) -> None:
        if name not in ("numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"):
            raise _Unknown(f"a call of {name.replace(' ', '.')}")
        self.name = name


class _Unbuilt:
    """An array or a dtype that was announced and waits for its state."""

    def __init__(self, name: str, arguments: tuple) -> None:
        self.name, self.arguments = name, arguments


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = ("BININT", "BININT1", "BININT2", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS = ("MARK", "TUPLE", "EMPTY_DICT", "SETITEM", "SETITEMS", "GLOBAL", "REDUCE", "BUILD")


class _Machine:
    """The stack and the memo of a pickle's instructions (those of pickletools' documentation, protocol 3)."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """One instruction."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self.stack[-_TUPLES[name] :] = [tuple(self.stack[-_TUPLES[name] :])]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in _STEPS:
            getattr(self, f"_{name.lower()}")(argument)
        elif name not in ("PROTO", "STOP"):
            raise _Unknown(f"the instruction {name}")

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _since_mark(self) -> list[Any]:
        at = self.marks.pop()
        found = self.stack[at:]
        del self.stack[at:]
        return found

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self, _: None) -> None:
        self._set(self._since_mark())

    def _set(self, flat: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise _Unknown("items of what is no dictionary")
        self.stack[-1].update(zip(flat[::2], flat[1::2], strict=True))

    def _global(self, name: str) -> None:
        self.stack.append(_Named(name))

    def _reduce(self, _: None) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Named) or called.name == "numpy ndarray":
            raise _Unknown(f"a call of {called}")
        self.stack.append(_Unbuilt(called.name, arguments))

    def _build(self, _: None) -> None:
        """Replaces what waits for its state by the finished array or dtype, in the memo as well."""
        state, unbuilt = self.stack.pop(), self.stack[-1]
        if not isinstance(unbuilt, _Unbuilt):
            raise _Unknown(f"a state for {unbuilt!r}")
        built = _dtype(unbuilt, state) if unbuilt.name == "numpy dtype" else _array(state)
        self.stack[-1] = built
        self.memo.update({key: built for key, value in self.memo.items() if value is unbuilt})


def _dtype(unbuilt: _Unbuilt, state: tuple) -> np.dtype:
    code, order = unbuilt.arguments[0], state[1]
    if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1") or order not in ("<", "|"):
        raise _Unknown(f"an array of {order}{code}")
    return np.dtype(order + code)


def _array(state: tuple) -> np.ndarray:
    _, shape, dtype, by_columns, data = state
    if not isinstance(dtype, np.dtype) or not isinstance(data, bytes):
        raise _Unknown("an array of objects")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
