"""The profiled deviance of a linear mixed model with crossed factors (Bates et al. 2015).

The largest grouping factor is eliminated level by level, what is left is one dense Cholesky
factor of [other random effects, fixed effects, response]. After the cross-products are made, an
evaluation costs nothing that grows with the number of rows, so profiles, bootstrap, leave-one-out
and power simulations refit in milliseconds, and standard errors, degrees of freedom and
conditional modes come from algebra that does not depend on the engine that found the optimum.

Chapter 08-mixed-models uses it through :func:`groove_utils.mixed.fit_lmm`.

References
----------
Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1).
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, sparse

from groove_utils.mixed.formula import RandomTerm
from groove_utils.stats.threads import one_thread

__all__ = ["CrossedDeviance", "Solution"]


@dataclass
class Solution:
    """What the model holds at one value of the relative covariance parameters.

    Attributes
    ----------
    deviance : float
        −2 log-likelihood (restricted if the model is), at the best σ and β.
    sigma : float
        Residual standard deviation.
    beta : ndarray, shape (n_fixed,)
    vcov : ndarray, shape (n_fixed, n_fixed)
        Covariance of `beta`.
    b : list of ndarray, shape (n_levels, n_names)
        Conditional modes of each random term.
    rss : float
        Penalised residual sum of squares, r²(θ).
    """

    deviance: float
    sigma: float
    beta: np.ndarray
    vcov: np.ndarray
    b: list[np.ndarray]
    rss: float


@dataclass
class _Factor:
    name: str
    codes: np.ndarray
    n_levels: int
    terms: list[int]
    spans: list[slice]
    k: int


class CrossedDeviance:
    """Profiled deviance as a function of θ, the relative covariance parameters.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
    X : ndarray, shape (n_rows, n_fixed), full column rank
    terms : list of RandomTerm
    reml : bool
        Restricted maximum likelihood.

    Attributes
    ----------
    n_theta : int
        Length of θ: for each term the lower triangle, column by column, of the Cholesky factor of
        its covariance over σ².

    Raises
    ------
    numpy.linalg.LinAlgError
        From an evaluation at a θ that is so large that the system is not positive definite.
    """

    @one_thread
    def __init__(self, y, X, terms: list[RandomTerm], reml: bool = True):
        self.reml = reml
        self.n, self.p = X.shape
        self.sizes = [term.Z.shape[1] for term in terms]
        ends = np.cumsum([k * (k + 1) // 2 for k in self.sizes])
        self.theta_spans = [slice(e - k * (k + 1) // 2, e) for e, k in zip(ends, self.sizes)]
        self.n_theta = int(ends[-1])
        self.diagonal = np.concatenate([_diagonal(k) for k in self.sizes])
        # a slope over beats per minute has a small θ: searches and differences take its own scale
        spreads = [np.sqrt((term.Z**2).mean(axis=0)) for term in terms]
        self.theta_scale = np.concatenate(
            [1 / spread[_triangle(k)[0]] for spread, k in zip(spreads, self.sizes)]
        )

        # an orthonormal basis and OLS residuals keep the cross-products free of cancellation
        self._scale = np.sqrt(self.n)
        Q, R = linalg.qr(X, mode="economic")
        self._Q, self._R = Q * self._scale, R / self._scale
        self._log_det_R = 2 * np.log(np.abs(np.diag(self._R))).sum()

        self.factors = _merge_terms(terms)
        self.factors.sort(key=lambda f: -f.n_levels * f.k)
        designs = []
        for factor in self.factors:
            Z = np.hstack([terms[t].Z for t in factor.terms])
            columns = factor.codes[:, None] * factor.k + np.arange(factor.k)
            indptr = np.arange(0, self.n * factor.k + 1, factor.k)
            shape = (self.n, factor.n_levels * factor.k)
            designs.append(sparse.csr_array((Z.ravel(), columns.ravel(), indptr), shape=shape))
        self._Z0 = designs[0]
        first = self.factors[0]
        self._m, self._k = first.n_levels, first.k
        self._D = _diagonal_blocks(designs[0], self._m, self._k)
        self._Zr = sparse.hstack(designs[1:], format="csr") if len(designs) > 1 else None
        self._rest, start = [], 0
        for factor in self.factors[1:]:
            stop = start + factor.n_levels * factor.k
            self._rest.append(slice(start, stop))
            start = stop
        self.q_rest = start
        self._fill(X, y)

    def _fill(self, X, y) -> None:
        q, p = self.q_rest, self.p
        size = q + p + 1
        self._C = np.empty((self._m * self._k, size))
        self._K = np.zeros((size, size))
        if q:
            self._C[:, :q] = (self._Z0.T @ self._Zr).toarray()
            self._K[:q, :q] = (self._Zr.T @ self._Zr).toarray()
            self._K[:q, q : q + p] = self._Zr.T @ self._Q
            self._K[q : q + p, :q] = self._K[:q, q : q + p].T
        self._C[:, q : q + p] = self._Z0.T @ self._Q
        self._K[q : q + p, q : q + p] = self._Q.T @ self._Q
        self._set_response(y)

    def _set_response(self, y) -> None:
        q, p = self.q_rest, self.p
        self._beta_ols = self._Q.T @ y / self.n
        rest = y - self._Q @ self._beta_ols
        self._C[:, -1] = self._Z0.T @ rest
        if q:
            self._K[:q, -1] = self._K[-1, :q] = self._Zr.T @ rest
        self._K[q : q + p, -1] = self._K[-1, q : q + p] = self._Q.T @ rest
        self._K[-1, -1] = rest @ rest

    def with_response(self, y) -> CrossedDeviance:
        """The same design with another response, shape (n_rows,); cheap."""
        other = copy.copy(self)
        other._C, other._K = self._C.copy(), self._K.copy()
        other._set_response(np.asarray(y, dtype=float))
        return other

    def with_reml(self, reml: bool) -> CrossedDeviance:
        """The same model under the other criterion."""
        other = copy.copy(self)
        other.reml = reml
        return other

    # θ and its matrices ---------------------------------------------------------------------

    def unpack(self, theta) -> list[np.ndarray]:
        """Lower-triangular relative factor of each random term, shape (n_names, n_names)."""
        return [
            _unpack(np.asarray(theta)[span], k) for span, k in zip(self.theta_spans, self.sizes)
        ]

    def pack(self, factors: list[np.ndarray]) -> np.ndarray:
        """Inverse of `unpack`."""
        return np.concatenate([_pack(L) for L in factors])

    def start(self) -> np.ndarray:
        """Where a search may begin: all random effects as spread as the residual."""
        return self.diagonal * self.theta_scale

    def canonical(self, theta) -> np.ndarray:
        """The same covariance with a non-negative diagonal."""
        return self.pack([_positive(L) for L in self.unpack(theta)])

    def _lambdas(self, theta) -> list[np.ndarray]:
        relative = self.unpack(theta)
        out = []
        for factor in self.factors:
            L = np.zeros((factor.k, factor.k))
            for t, span in zip(factor.terms, factor.spans):
                L[span, span] = relative[t]
            out.append(L)
        return out

    # evaluation -----------------------------------------------------------------------------

    def _factorise(self, theta, keep: bool = False):
        q = self.q_rest
        L0, *rest = self._lambdas(theta)
        if self._k == 1:
            lam = L0[0, 0]
            A = lam * lam * self._D[:, 0, 0] + 1.0
            root = np.sqrt(A)
            T = (lam / root)[:, None, None]
            log_det = np.log(A).sum()
            W = T[:, :, 0] * self._C
        else:
            A = L0.T @ self._D @ L0 + np.eye(self._k)
            root = np.linalg.cholesky(A)
            T = np.linalg.solve(root, np.broadcast_to(L0.T, A.shape))
            log_det = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
            W = (T @ self._C.reshape(self._m, self._k, -1)).reshape(self._C.shape)
        M = self._K - W.T @ W
        for span, factor, L in zip(self._rest, self.factors[1:], rest):
            if factor.k == 1:
                M[:, span] *= L[0, 0]
            else:
                columns = M[:, span].reshape(len(M), factor.n_levels, factor.k)
                M[:, span] = (columns @ L).reshape(M[:, span].shape)
        half = M.copy() if keep else None
        for span, factor, L in zip(self._rest, self.factors[1:], rest):
            if factor.k == 1:
                M[span] *= L[0, 0]
            else:
                rows = M[span].reshape(factor.n_levels, factor.k, -1)
                M[span] = (L.T @ rows).reshape(M[span].shape)
        M[np.arange(q), np.arange(q)] += 1.0
        full = linalg.cholesky(M, lower=True, check_finite=False, overwrite_a=True)
        log_det += 2 * np.log(np.diag(full)[:q]).sum()
        if keep:
            return T, full, log_det, root, half
        return T, full, log_det

    def pieces(self, theta):
        """Give log-determinant term, r²(θ), and the unscaled covariance of the coefficients.

        Returns
        -------
        log_det : float
            log|Λ'Z'ZΛ + I|, plus log|R_X|² for REML.
        rss : float
        unscaled : ndarray, shape (n_fixed, n_fixed)
        """
        _, full, log_det = self._factorise(theta)
        q, p = self.q_rest, self.p
        LX = full[q : q + p, q : q + p]
        inverse = linalg.solve_triangular(LX, np.eye(p), lower=True)
        half = linalg.solve_triangular(self._R, inverse.T)
        if self.reml:
            log_det += 2 * np.log(np.diag(LX)).sum() + self._log_det_R
        return log_det, full[-1, -1] ** 2, half @ half.T

    def __call__(self, theta) -> float:
        """Deviance (−2 log-likelihood) at θ, with σ and β at their best."""
        _, full, log_det = self._factorise(theta)
        q, p = self.q_rest, self.p
        df = self.n
        if self.reml:
            df = self.n - p
            log_det += 2 * np.log(np.diag(full)[q : q + p]).sum() + self._log_det_R
        return float(log_det + df * (1 + np.log(2 * np.pi * full[-1, -1] ** 2 / df)))

    @property
    def df(self) -> int:
        """Divisor of r²(θ) in σ²: rows, less fixed coefficients for REML."""
        return self.n - self.p if self.reml else self.n

    def deviance_at(self, theta, sigma: float) -> float:
        """Deviance at θ and a given σ, with β at its best."""
        _, full, log_det = self._factorise(theta)
        q, p = self.q_rest, self.p
        if self.reml:
            log_det += 2 * np.log(np.diag(full)[q : q + p]).sum() + self._log_det_R
        return float(
            log_det + self.df * np.log(2 * np.pi * sigma**2) + full[-1, -1] ** 2 / sigma**2
        )

    @one_thread
    def solve(self, theta) -> Solution:
        """Coefficients, their covariance and conditional modes at θ."""
        T, full, log_det = self._factorise(theta)
        q, p = self.q_rest, self.p
        LX = full[q : q + p, q : q + p]
        beta_q = linalg.solve_triangular(LX, full[-1, q : q + p], lower=True, trans="T")
        u_rest = np.zeros(0)
        rest = self._lambdas(theta)
        if q:
            right = full[-1, :q] - full[q : q + p, :q].T @ beta_q
            u_rest = linalg.solve_triangular(full[:q, :q], right, lower=True, trans="T")
        b_rest = np.zeros(q)
        for span, factor, L in zip(self._rest, self.factors[1:], rest[1:]):
            b_rest[span] = (u_rest[span].reshape(-1, factor.k) @ L.T).ravel()
        right = self._C[:, -1] - self._C[:, q : q + p] @ beta_q - self._C[:, :q] @ b_rest
        # A⁻¹ Λ' = root⁻ᵀ (root⁻¹ Λ') = root⁻ᵀ T, and Λ A⁻¹ Λ' = TᵀT
        b_first = np.einsum("mji,mjk,mk->mi", T, T, right.reshape(self._m, self._k))
        per_factor = [b_first] + [
            b_rest[span].reshape(-1, f.k) for span, f in zip(self._rest, self.factors[1:])
        ]
        b = [None] * len(self.sizes)
        for factor, values in zip(self.factors, per_factor):
            for t, span in zip(factor.terms, factor.spans):
                b[t] = values[:, span]
        rss = full[-1, -1] ** 2
        sigma = float(np.sqrt(rss / self.df))
        inverse = linalg.solve_triangular(LX, np.eye(p), lower=True)
        half = linalg.solve_triangular(self._R, inverse.T)
        if self.reml:
            log_det += 2 * np.log(np.diag(LX)).sum() + self._log_det_R
        return Solution(
            deviance=float(log_det + self.df * (1 + np.log(2 * np.pi * rss / self.df))),
            sigma=sigma,
            beta=linalg.solve_triangular(self._R, beta_q + self._beta_ols),
            vcov=sigma**2 * half @ half.T,
            b=b,
            rss=float(rss),
        )

    @one_thread
    def conditional_covariance(self, theta, sigma: float) -> list[np.ndarray]:
        """Covariance of each level's random effects given the data and β, as lme4's condVar.

        Returns
        -------
        list of ndarray, shape (n_levels, n_names, n_names)
            One for each random term.
        """
        T, full, _ = self._factorise(theta)
        q = self.q_rest
        lambdas = self._lambdas(theta)
        first = np.swapaxes(T, 1, 2) @ T
        blocks = []
        if q:
            Lr = np.zeros((q, q))
            for span, factor, L in zip(self._rest, self.factors[1:], lambdas[1:]):
                Lr[span, span] = np.kron(np.eye(factor.n_levels), L)
            half = linalg.solve_triangular(full[:q, :q], Lr.T, lower=True)
            cross = (first @ self._C[:, :q].reshape(self._m, self._k, q)).reshape(-1, q) @ half.T
            cross = cross.reshape(self._m, self._k, q)
            first = first + cross @ np.swapaxes(cross, 1, 2)
            for span, factor in zip(self._rest, self.factors[1:]):
                part = half[:, span].reshape(q, factor.n_levels, factor.k)
                blocks.append(np.einsum("qmi,qmj->mij", part, part))
        out = [None] * len(self.sizes)
        for factor, values in zip(self.factors, [first, *blocks]):
            for t, span in zip(factor.terms, factor.spans):
                out[t] = sigma**2 * values[:, span, span]
        return out

    # search -----------------------------------------------------------------------------------

    def with_gradient(self, theta, sigma: float | None = None) -> tuple[float, np.ndarray]:
        """Deviance and its gradient in θ / `theta_scale`, by reverse differentiation.

        Parameters
        ----------
        theta : ndarray
        sigma : float, optional
            Held at this; at its best by default.

        Returns
        -------
        float
        ndarray, shape (n_theta,), or (n_theta + 1,) with `sigma`
            The last entry is then the derivative in log σ.
        """
        T, full, log_det, root, half = self._factorise(theta, keep=True)
        q, n, df = self.q_rest, self.q_rest + self.p, self.df
        _, *rest = self._lambdas(theta)
        if self.reml:
            log_det += 2 * np.log(np.diag(full)[q:n]).sum() + self._log_det_R
        rss = full[-1, -1] ** 2
        precision = df / rss if sigma is None else sigma**-2
        value = float(log_det + df * np.log(2 * np.pi / precision) + rss * precision)

        # G: derivative of the deviance in the bordered matrix M = [Λ'(·)Λ + I, …]
        G = np.zeros_like(full)
        size = n if self.reml else q
        if size:
            inverse, _ = linalg.lapack.dpotri(full[:size, :size], lower=1)
            G[:size, :size] = np.tril(inverse) + np.tril(inverse, -1).T
        v = linalg.solve_triangular(full[:n, :n], full[-1, :n], lower=True, trans="T")
        v = np.append(-v, 1.0)
        G += precision * np.outer(v, v)

        slopes = []
        H = G.copy()
        for span, factor, L in zip(self._rest, self.factors[1:], rest):
            k = factor.k
            out = np.empty((k, k))
            rows, columns = half[span], G[:, span]
            for i in range(k):
                for j in range(k):
                    out[i, j] = 2 * np.einsum("mj,jm->", rows[i::k], columns[:, j::k])
            slopes.append(out)
            if k == 1:
                H[span] *= L[0, 0]
                H[:, span] *= L[0, 0]
            else:
                part = H[span].reshape(factor.n_levels, k, -1)
                H[span] = (L @ part).reshape(H[span].shape)
                part = H[:, span].reshape(len(H), factor.n_levels, k)
                H[:, span] = (part @ L.T).reshape(H[:, span].shape)
        m, k = self._m, self._k
        C = self._C.reshape(m, k, -1)
        B = -(self._C @ H).reshape(m, k, -1) @ np.swapaxes(C, 1, 2)
        Tt = np.swapaxes(T, 1, 2)
        if k == 1:
            shrunk = Tt / root[:, None, None]
        else:
            shrunk = np.swapaxes(np.linalg.solve(np.swapaxes(root, 1, 2), T), 1, 2)
        first = 2 * ((B - self._D @ (Tt @ (T @ B)) + self._D) @ shrunk).sum(axis=0)

        gradient = np.empty(self.n_theta)
        for factor, out in zip(self.factors, [first, *slopes]):
            for t, span in zip(factor.terms, factor.spans):
                gradient[self.theta_spans[t]] = _pack(out[span, span])
        gradient *= self.theta_scale
        if sigma is not None:
            gradient = np.append(gradient, 2 * df - 2 * rss * precision)
        return value, gradient

    def gradient(self, theta) -> np.ndarray:
        """Gradient of the deviance in θ / `theta_scale`, shape (n_theta,)."""
        return self.with_gradient(theta)[1]

    @one_thread
    def minimise(self, theta=None, tol: float = 1e-4, free=None) -> np.ndarray:
        """Find the θ of least deviance by BFGS without bounds; the sign of θ is immaterial.

        Parameters
        ----------
        theta : ndarray, optional
            Start; zeros on the diagonal are moved off, since zero is always stationary.
        tol : float
            Largest gradient component (deviance per scaled unit of θ) that counts as zero.
        free : ndarray of bool, shape (n_theta,), optional
            Entries to search over; the others are held at 0. All by default.

        Returns
        -------
        ndarray, shape (n_theta,)
            Canonical: the diagonal is not negative.
        """
        free = np.ones(self.n_theta, dtype=bool) if free is None else np.asarray(free)
        scale = self.theta_scale
        t = (self.start() if theta is None else np.array(theta, dtype=float)) / scale
        t[self.diagonal & (np.abs(t) < 0.05)] = 0.05
        if not free.any():
            return np.zeros(self.n_theta)

        def whole(part):
            out = np.zeros(self.n_theta)
            out[free] = part
            return out * scale

        def value(part):
            try:
                deviance, slope = self.with_gradient(whole(part))
            except np.linalg.LinAlgError:
                return 1e12, np.zeros(len(part))
            return deviance, slope[free]

        # m levels tell a spread to about 1 / √(2m) of itself, and it is about half of σ
        levels = np.concatenate(
            [
                np.full(k * (k + 1) // 2, next(f.n_levels for f in self.factors if t in f.terms))
                for t, k in enumerate(self.sizes)
            ]
        )
        found = optimize.minimize(
            value,
            t[free],
            jac=True,
            method="BFGS",
            options={"gtol": tol, "maxiter": 200, "hess_inv0": np.diag(1 / (8 * levels[free]))},
        )
        return self.snap(whole(found.x))

    def snap(self, theta) -> np.ndarray:
        """Canonical θ, where a spread that is nothing but the search's tolerance is zero."""
        best = self.canonical(theta)
        value = None
        for i in np.flatnonzero(self.diagonal & (best < 5e-3 * self.theta_scale) & (best > 0)):
            value = self(best) if value is None else value
            trial = best.copy()
            trial[i] = 0.0
            if (other := self(trial)) <= value + 1e-6:
                best, value = trial, min(value, other)
        return best


def _merge_terms(terms: list[RandomTerm]) -> list[_Factor]:
    merged: dict[str, _Factor] = {}
    for t, term in enumerate(terms):
        if term.factor not in merged:
            merged[term.factor] = _Factor(term.factor, term.codes, len(term.levels), [], [], 0)
        factor = merged[term.factor]
        factor.terms.append(t)
        factor.spans.append(slice(factor.k, factor.k + term.Z.shape[1]))
        factor.k += term.Z.shape[1]
    return list(merged.values())


def _diagonal_blocks(Z, m: int, k: int) -> np.ndarray:
    gram = (Z.T @ Z).tocoo()
    D = np.zeros((m, k, k))
    D[gram.row // k, gram.row % k, gram.col % k] = gram.data
    return D


@functools.cache
def _triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each entry of a lower triangle, column by column as lme4 has it."""
    columns, rows = np.triu_indices(k)
    return rows, columns


def _diagonal(k: int) -> np.ndarray:
    rows, columns = _triangle(k)
    return rows == columns


def _unpack(values: np.ndarray, k: int) -> np.ndarray:
    L = np.zeros((k, k))
    L[_triangle(k)] = values
    return L


def _pack(L: np.ndarray) -> np.ndarray:
    return L[_triangle(len(L))]


def _positive(L: np.ndarray) -> np.ndarray:
    return L * np.where(np.diag(L) < 0, -1.0, 1.0)
