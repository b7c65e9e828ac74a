"""Samples that break naive binning: ties, atoms, constants, integers, tiny, extreme and infinite ones."""

import numpy as np
from hypothesis import strategies as st

TIES = st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0, 1.0000000000000002, 2.0, 5.0, 4.999])
WIDE = st.floats(-1e12, 1e12, allow_nan=False)
ANY = st.floats(allow_nan=False, allow_infinity=False)
WITH_ENDS = st.floats(allow_nan=False, allow_infinity=True)


def drawn(seed, kind, n):
    """Return n numbers of a kind, the same for the same arguments."""
    random = np.random.default_rng(seed)
    match kind:
        case "normal":
            return random.normal(size=n)
        case "heavy":
            return random.standard_t(2, size=n)
        case "zeros":
            return np.where(random.random(n) < 0.6, 0.0, random.exponential(size=n))
        case "integers":
            return random.integers(0, 24, n).astype(np.float64)
        case "constant":
            return np.full(n, 3.0)
        case "rounded":
            return np.round(random.normal(size=n), 1)
    raise ValueError(kind)


KINDS = ("normal", "heavy", "zeros", "integers", "constant", "rounded")

numbers = st.one_of(
    st.lists(TIES, min_size=1, max_size=60),
    st.lists(WIDE, min_size=1, max_size=60),
    st.lists(st.one_of(TIES, WIDE), min_size=1, max_size=120),
    st.builds(
        lambda seed, kind, n: drawn(seed, kind, n).tolist(),
        st.integers(0, 2**32 - 1),
        st.sampled_from(KINDS),
        st.integers(1, 3000),
    ),
).map(lambda values: np.array(values, dtype=np.float64))
"""A sample of finite numbers, float64[n], n at least 1."""

counts_pair = st.integers(1, 30).flatmap(
    lambda bins: st.tuples(
        *(
            st.lists(st.one_of(st.integers(0, 5), st.integers(0, 10**6)), min_size=bins, max_size=bins).filter(any)
            for _ in range(2)
        )
    )
)
"""Counts of two sides on the same bins, many of them empty, neither side without rows."""
