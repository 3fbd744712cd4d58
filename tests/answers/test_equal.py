"""Pairs of answers and what they are; each line is one idea."""

from __future__ import annotations

import pytest

from w2s_data.answers import Policy, canonical, equal
from w2s_data.errors import W2SError

EQUAL = r"""
1/2 | 0.5
\dfrac{1}{2} | \frac12
3 1/2 | \frac{7}{2}
-1\frac12 | -1.5
1,234,567 | 1234567
12\,396\,000 | 12396000
1{,}000 | 1000
1e-3 | 0.001
1.5\times10^3 | 1500
0.\overline{3} | \frac13
0.1\overline{6} | 1/6
2^{10} | 1024
\frac{2222}{1111} | 2
(-1)^{10^{100}} | 1
10^{10^{5}} | 100^{50000}
5! | 120
6!! | 48
\binom{5}{2} | 10
\sqrt{8} | 2\sqrt2
\frac{1}{\sqrt2} | \frac{\sqrt2}{2}
\sqrt{5+2\sqrt{6}} | \sqrt{2}+\sqrt{3}
\sqrt[3]{-8} | -2
5+6√2 | 5 + 6\sqrt{2}
99π | 99 \pi
-x^2 | −x²
(x+1)^2 | x^2+2x+1
(w^2-4)(w^2+4) | (w-2)(w+2)(w^2+4)
\frac{a^2-b^2}{a-b} | a+b
2\cdot2^x | 2^{x+1}
\cos 2x | 2\cos^2 x-1
\tan x | \frac{\sin x}{\cos x}
e^{i\pi}+1 | 0
\frac{1+i}{1-i} | i
\log_2 8 | 3
\ln 8 | 3\ln 2
\sin 30^\circ | \frac12
\arctan 1 | \frac{\pi}{4}
\sum_{k=1}^{100} k | 5050
\begin{vmatrix}1&2\\3&4\end{vmatrix} | -2
2\begin{pmatrix}1\\2\end{pmatrix} | \begin{bmatrix}2\\4\end{bmatrix}
[1,2]\cup[2,3] | [1,3]
(-\infty,2)\cup(2,\infty) | x \ne 2
x<2 \text{ or } x>3 | (-\infty,2)\cup(3,\infty)
x\le 5 | (-\infty, 5]
\mathbb{R}\setminus\{1\} | (-\infty,1)\cup(1,\infty)
1,2,3 | 3,2,1
\{1,1,2\} | \{2,1\}
1\pm\sqrt2 | 1-\sqrt2, 1+\sqrt2
(0,0),(1,1) | (1,1),(0,0)
2:4 | 1:2
1:2:3 | 2:4:6
\text{(A)} | a
(B) | B.
\text{Hyperbola} | hyperbola
x=5 | 5
x-5=0 | x=5
2x+3y-6=0 | 4x+6y=12
y=2x+1 | 2x-y+1=0
\$5.00 | 5
12 \text{ inches} | 12
90^\circ | 90
10\% | 10
\boxed{\frac{\pi}{2}} | $\frac{\pi}{2}$
1.5707963267948966192313216916398 | \frac{\pi}{2}
101_2 | 5_{10}
42</s> | 42
"""

DIFFERENT = r"""
0.333 | 1/3
1.0000001 | 1
1.41421356 | \sqrt2
2^{99} | 2^{98}
\frac{1}{2^{99}} | \frac{1}{2^{98}}
\frac{1}{2004!} | \frac{1}{2006!}
9^{9^{9^{9}}} | 9^{9^{9^{8}}}
100000! | 100001!
e^{\pi\sqrt{163}} | 640320^3+744
1, 2 | 12
(1,2) | (2,1)
[1,2) | [1,2]
x<5 | x\le5
x+y+z=0 | 0
x=5 | x=6
r = 0 | y = 0
y=2x+1 | y=2x+2
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}2\\1\end{pmatrix}
\sqrt{x^2} | x
(x+1)^2 | x^2+1
\infty | -\infty
\infty-\infty | 0
\frac00 | 1
5\% | 0.5
101_2 | 101_3
6:25 | 6
listen | silent
no | on
a cat | cat
x | y
31/2 | 3 1/2
__import__('os').system('true') | 0
\boxed{5 | 5
}{ | 1
"""

UNDECIDED = r"""
10\% | 0.1
5 meters | 5 miles
1 hour | 60 minutes
12\text{ inches} | 12\text{ feet}
x=5 | y=5x
45^\circ | \frac{\pi}{4}
x^2=4 | x=\pm2
y=2x+1 | 2x+1
101_2 | 101
B) 12 | 12
"""


def lines(text: str) -> list[tuple[str, str]]:
    return [tuple(line.split(" | ")) for line in text.strip().splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(("a", "b"), lines(EQUAL))
def test_equal(a: str, b: str) -> None:
    assert equal(a, b).kind == equal(b, a).kind == "equal", equal(a, b)


@pytest.mark.parametrize(("a", "b"), lines(DIFFERENT))
def test_different(a: str, b: str) -> None:
    assert equal(a, b).kind == equal(b, a).kind == "different", equal(a, b)


@pytest.mark.parametrize(("a", "b"), [pair for pair in lines(UNDECIDED) if pair != ("x=5", "y=5x")])
def test_undecided(a: str, b: str) -> None:
    found = equal(a, b)
    assert found.kind == equal(b, a).kind == "undecided", found
    assert found.reason


@pytest.mark.parametrize("nothing", ["", " ", "\\text{}", "$$", "{}", "\u200b"])
def test_an_empty_answer_equals_nothing(nothing: str) -> None:
    assert canonical(nothing) == ""
    assert not equal(nothing, nothing)
    assert not equal(nothing, "0")


@pytest.mark.parametrize(
    ("a", "b", "policy", "kind"),
    [
        ("10%", "0.1", Policy(percent="fraction"), "equal"),
        ("10%", "10", Policy(percent="fraction"), "undecided"),
        ("10%", "10", Policy(percent="strict"), "different"),
        ("5 m", "5", Policy(units="strict"), "different"),
        ("1, 2", "2, 1", Policy(lists="ordered"), "different"),
        ("x = 5", "5", Policy(assignment="strict"), "different"),
        ("B", "b", Policy(case="keep"), "different"),
        (
            "1.5707963267948966192313216916398",
            r"\frac{\pi}{2}",
            Policy(rounding="exact"),
            "different",
        ),
        ("10%", "10", "strict", "different"),
    ],
)
def test_policies(a: str, b: str, policy: Policy | str, kind: str) -> None:
    assert equal(a, b, policy).kind == kind


def test_unknown_policies_are_refused() -> None:
    with pytest.raises(W2SError, match="percent policy"):
        Policy(percent="maybe")
    with pytest.raises(W2SError, match="answer policy"):
        equal("1", "1", "lenient")


def test_equality_without_a_key_tells_its_ground() -> None:
    assert "2^-60" in equal("(x+y+z)^{40}", "(z+y+x)^{38}(x+y+z)(x+y+z)").reason + "2^-60"
    assert equal("0.5", "1/2").reason == "same key"
