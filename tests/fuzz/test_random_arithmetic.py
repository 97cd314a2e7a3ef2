"""Random graphs of the ops that the arithmetic rules look for: the same answers before and after, for both presets."""

from collections import Counter

import numpy as np
import pytest

from tests.fuzz.check import TOLERANCE, difference
from tests.harness import parse, run, run_pipeline

GRAPHS, CHUNK = 200, 25
SHAPES = ((3, 4), (3, 1), (1, 4), (4,))
SAFE = ("Tanh", "Sigmoid", "Relu", "Neg", "Abs", "Sin", "Softplus", "Identity", "Elu")
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 100.0, -100.0)
INPUTS = ("x0", "x1", "x2", "x3")


class Arithmetic:
    """Lines of the text form; every value is float32 of one of a few shapes, and small."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        batches = [str(s[0]) if self.rng.random() < 0.5 or s[0] == 1 else "?" for s in SHAPES]
        self.lines = [
            f"x{k} = input(float32[{','.join([b, *map(str, s[1:])]) if len(s) > 1 else s[0]}])"
            for k, (s, b) in enumerate(zip(SHAPES, batches, strict=True))
        ]
        self.shapes = dict(zip(INPUTS, SHAPES, strict=True))
        makers = [getattr(self, m) for m in dir(self) if m.startswith("_make")]
        for _ in range(int(self.rng.integers(6, 20))):
            makers[int(self.rng.integers(len(makers)))]()
        inner = [v for v in self.shapes if v not in INPUTS]
        kept = {inner[-1], *(str(v) for v in self.rng.choice(inner, 2))}
        self.text = "\n".join([*self.lines, f"return {', '.join(sorted(kept))}"])

    def feeds(self) -> dict[str, np.ndarray]:
        return {f"{v}:0": self.rng.normal(0, 1, self.shapes[v]).astype(np.float32) for v in INPUTS}

    def _pick(self, *shapes: tuple[int, ...]) -> str:
        fits = [v for v, s in self.shapes.items() if not shapes or s in shapes]
        return fits[int(self.rng.integers(max(0, len(fits) - 8), len(fits)))]

    def _one(self, *options: str) -> str:
        return str(self.rng.choice(options))

    def _add(self, expression: str, shape: tuple[int, ...]) -> str:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        self.shapes[name] = shape
        return name

    def _hidden(self, expression: str) -> str:
        name = f"h{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def _op(self, op: str, *inputs: str) -> str:
        return self._hidden(f"{op}({', '.join(inputs)})")

    def _number(self, *options: str) -> str:
        return self._hidden(f"const(float32, {self._one(*options)})")

    def _ints(self, numbers: str) -> str:
        return self._hidden(f"const(int32, {numbers})")

    def _bounded(self, value: str, shape: tuple[int, ...]) -> str:
        return self._add(f"Tanh({value})", shape)

    def _make_unary(self) -> None:
        x = self._pick()
        self._add(f"{self._one(*SAFE)}({x})", self.shapes[x])

    def _make_binary(self) -> None:
        a, b = self._pick(), self._pick()
        shape = np.broadcast_shapes(self.shapes[a], self.shapes[b])
        self._bounded(self._op(self._one("Add", "AddV2", "Sub", "Mul"), a, b), shape)

    def _make_nested(self) -> None:
        a, b, c = self._pick(), self._pick(), self._pick()
        shape = np.broadcast_shapes(*(self.shapes[v] for v in (a, b, c)))
        op = self._one("Add", "AddV2", "Mul")
        self._bounded(self._op(op, self._op(op, a, b), c), shape)

    def _make_sum_of_products(self) -> None:
        x, a, b = self._op("Sigmoid", self._pick()), *(self._op("Tanh", self._pick((3, 4))) for _ in range(2))
        op = self._one("Mul", "RealDiv")
        if op == "RealDiv":
            x = self._op("AddV2", x, self._number("0.5"))
        self._bounded(self._op(self._one("AddV2", "Sub", "AddN"), self._op(op, a, x), self._op(op, b, x)), (3, 4))

    def _make_addn(self) -> None:
        # Of three different terms AddN adds first the one whose buffer it can reuse: its last bit is not reproducible.
        shape = SHAPES[int(self.rng.integers(len(SHAPES)))]
        a, b = self._pick(shape), self._pick(shape)
        terms = [a, b] if self.rng.random() < 0.5 else [a] * int(self.rng.integers(1, 5))
        self._bounded(self._op("AddN", *terms), shape)

    def _make_root(self) -> None:
        x, v = self._pick(), self._pick()
        positive = self._op("AddV2", self._op("Square", v), self._number("0.25", "1"))
        if self.rng.random() < 0.5:
            shape = np.broadcast_shapes(self.shapes[x], self.shapes[v])
            self._add(f"{self._one('RealDiv', 'Xdivy')}({x}, {self._op('Sqrt', positive)})", shape)
        else:
            self._bounded(self._op("Pow", positive, self._number("-0.5", "0.5", "-1", "1", "0")), self.shapes[v])

    def _make_power(self) -> None:
        x = self._pick()
        self._add(f"Pow({self._op('Tanh', x)}, {self._number('2', '3', '1', '0')})", self.shapes[x])

    def _make_logarithm(self) -> None:
        x = self._pick()
        self._add(f"Log({self._op('AddV2', self._number('1', '2'), self._op('Square', x))})", self.shapes[x])

    def _make_exponential(self) -> None:
        x = self._pick()
        self._add(f"Sub({self._op('Exp', self._op('Tanh', x))}, {self._number('1', '2')})", self.shapes[x])

    def _make_difference(self) -> None:
        a, b = self._pick(), self._pick()
        difference = self._op("Sub", a, b)
        square = self._op("Square", difference) if self.rng.random() < 0.5 else self._op("Mul", difference, difference)
        self._bounded(square, np.broadcast_shapes(self.shapes[a], self.shapes[b]))

    def _make_moved_negation(self) -> None:
        turned = self._op("Transpose", self._op("Neg", self._pick((3, 4))), self._ints("[1, 0]"))
        self._add(f"Reshape({self._op(self._one('Neg', 'Abs'), turned)}, {self._ints('[3, 4]')})", (3, 4))

    def _make_product(self) -> None:
        a, b = self._pick((3, 4)), self._pick((3, 4))
        square = self._op(self._one("MatMul", "BatchMatMulV2"), a, self._op("Transpose", b, self._ints("[1, 0]")))
        self._bounded(self._op("MatMul", square, a), (3, 4))

    def _make_concat(self) -> None:
        parts = [self._op("Tanh", self._pick((3, 4))) for _ in range(2)]
        op, axis = self._one(*SAFE, "Exp"), self._ints("1")
        both, first = self._op("ConcatV2", *(self._op(op, p) for p in parts), axis), f"t{len(self.lines)}"
        self.lines.append(f"{first}, {first}b = Split({axis}, {both}, num_split=2)")
        other = op if self.rng.random() < 0.6 else "Sin"
        for function, part in ((op, first), (other, f"{first}b")):
            self._bounded(self._op(function, part), (3, 4))

    def _make_stack(self) -> None:
        packed = self._hidden(f"Pack({self._pick((3, 4))}, {self._pick((3, 4))}, axis=1)")
        self._add(f"GatherV2({packed}, {self._ints(self._one('0', '1'))}, {self._ints('1')})", (3, 4))

    def _make_maximum(self) -> None:
        values = self._op(self._one("Sigmoid", "Neg", "Tanh", "Relu"), self._pick((3, 4)))
        self._add(f"{self._one('Max', 'Min')}({values}, {self._ints('[1]')}, keep_dims=true)", (3, 1))

    def _make_cast(self) -> None:
        wide = self._hidden(f"Cast({self._pick((3, 4))}, DstT=float64)")
        narrow = self._hidden(f"Cast({self._op('Transpose', wide, self._ints('[1, 0]'))}, DstT=float32)")
        self._add(f"Reshape({narrow}, {self._ints('[3, 4]')})", (3, 4))


@pytest.mark.parametrize("preset", ["fast", "exact"])
@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_keeps_answers(start, preset):
    wrong = {}
    for seed in range(start, start + CHUNK):
        made = Arithmetic(seed)
        feeds = made.feeds()
        before, after = run(parse(made.text), feeds), run(run_pipeline(parse(made.text), preset), feeds)
        worst = difference(before, after)
        if worst > (0 if preset == "exact" else TOLERANCE):
            wrong[seed] = worst
    assert not wrong


@pytest.mark.parametrize("preset", ["fast", "exact"])
@pytest.mark.parametrize("start", range(0, 2 * GRAPHS, CHUNK))
def test_keeps_nan_and_infinities(start, preset):
    wrong = {}
    for seed in range(start, start + CHUNK):
        made = Arithmetic(seed)
        feeds = made.feeds()
        for values in feeds.values():
            hit = made.rng.random(values.shape) < 0.15
            values[hit] = made.rng.choice(SPECIAL, hit.sum())
        before, after = run(parse(made.text), feeds), run(run_pipeline(parse(made.text), preset), feeds)
        worst = difference(before, after)
        if worst > (0 if preset == "exact" else TOLERANCE):
            wrong[seed] = worst
    assert not wrong


def test_rewrites_do_happen():
    ops: Counter[str] = Counter()
    for seed in range(40):
        ops.update(n.op for n in run_pipeline(parse(Arithmetic(seed).text)))
    assert {"Rsqrt", "Log1p", "Expm1", "SquaredDifference"} <= set(ops)
    assert not {"Pow", "Pack"} & set(ops)
