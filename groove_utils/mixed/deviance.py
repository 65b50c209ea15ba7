"""Profiled deviance of a linear mixed model with crossed grouping factors (Bates et al. 2015).

The random effects of the largest grouping factor are eliminated level by level. This leaves one
dense Cholesky factorisation for the other random effects, the fixed effects and the response. After
the cross-products have been computed, the cost of an evaluation does not depend on the number of
rows. Refits in profiles, bootstraps and power simulations therefore take only milliseconds.

References
----------
Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1).
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from groove_utils.mixed.design import RandomTerm
from groove_utils.stats.threads import one_thread

__all__ = ["CrossedDeviance", "Evaluation", "Solution"]


class Solution(NamedTuple):
    """Estimates of a mixed model at one value of the relative covariance parameters θ."""

    deviance: float  # −2 log-likelihood (restricted for REML), at the optimal σ and β
    sigma: float  # residual standard deviation
    beta: np.ndarray  # fixed coefficients, shape (n_fixed,)
    vcov: np.ndarray  # covariance of `beta`, shape (n_fixed, n_fixed)
    b: list[np.ndarray]  # conditional modes of each random term, shape (n_levels, n_names)


@dataclass
class _Factor:
    """A grouping factor with the coefficients of all of its random terms."""

    codes: np.ndarray  # level in each row, shape (n_rows,)
    n_levels: int
    terms: list[int]  # positions of its random terms in the model
    spans: list[slice]  # each term's slice of the k coefficients
    k: int  # total number of coefficients per level


class CrossedDeviance:
    """Profiled deviance as a function of θ, the relative covariance parameters.

    For each random term, θ contains the Cholesky factor of the relative covariance matrix (the
    term's covariance matrix divided by σ²), stored as its lower triangle, column by column. The
    columns of the random design are first scaled to a root mean square of 1, so the units of the
    data do not affect the magnitude of the entries of θ. `unpack` returns the factors in the units
    of the data.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
        Response.
    X : ndarray, shape (n_rows, n_fixed)
        Fixed design matrix, with full column rank.
    terms : list of RandomTerm
        Random effects.
    reml : bool
        Use restricted maximum likelihood or, if False, maximum likelihood.

    Attributes
    ----------
    sizes : list of int
        Number of random coefficients in each term.
    spreads : list of ndarray, shape (n_names,)
        Root mean square of each column in each term's design matrix.
    diagonal : ndarray of bool, shape (n_theta,)
        True for the entries of θ that are on the diagonal of a Cholesky factor.
    n_levels : ndarray of int, shape (n_theta,)
        Number of levels of the grouping factor to which each entry of θ belongs.

    Notes
    -----
    Evaluations raise ``numpy.linalg.LinAlgError`` if θ is so large that the equations are not
    positive definite.
    """

    @one_thread
    def __init__(self, y, X, terms: list[RandomTerm], reml: bool = True):
        self.reml = reml
        self.n, self.p = X.shape
        self.sizes = [term.Z.shape[1] for term in terms]
        self.spreads = [np.sqrt((term.Z**2).mean(axis=0)) for term in terms]
        lengths = [k * (k + 1) // 2 for k in self.sizes]
        self._ends = np.cumsum(lengths)[:-1]
        self.diagonal = np.concatenate([np.equal(*_triangle(k)) for k in self.sizes])
        self.n_theta = len(self.diagonal)
        self.n_levels = np.repeat([len(term.levels) for term in terms], lengths)

        # an orthonormal basis and OLS residuals avoid cancellation in the cross-products
        Q, R = linalg.qr(X, mode="economic")
        self._Q, self._R = Q * np.sqrt(self.n), R / np.sqrt(self.n)
        self._log_det_R = 2 * np.log(np.abs(np.diag(self._R))).sum()

        self.factors = _merge_terms(terms)
        designs = []
        for factor in self.factors:
            Z = np.hstack([terms[t].Z / self.spreads[t] for t in factor.terms])
            columns = factor.codes[:, None] * factor.k + np.arange(factor.k)
            indptr = np.arange(0, self.n * factor.k + 1, factor.k)
            shape = (self.n, factor.n_levels * factor.k)
            designs.append(sparse.csr_array((Z.ravel(), columns.ravel(), indptr), shape=shape))
        self._Z0, *others = designs
        self._Zr = sparse.hstack(others, format="csr") if others else None
        ends = np.cumsum([0, *(design.shape[1] for design in others)])
        self.rest = [(slice(*ends[i : i + 2]), factor) for i, factor in enumerate(self.factors[1:])]
        self.q = int(ends[-1])
        self._fill(y)

    def _fill(self, y) -> None:
        """Compute cross-products within and between the first factor's columns and the others."""
        q, stop = self.q, self.q + self.p
        first = self.factors[0]
        gram = (self._Z0.T @ self._Z0).tocoo()
        self._D = np.zeros((first.n_levels, first.k, first.k))
        self._D[gram.row // first.k, gram.row % first.k, gram.col % first.k] = gram.data
        self._C = np.empty((first.n_levels * first.k, stop + 1))
        self._K = np.zeros((stop + 1, stop + 1))
        if q:
            self._C[:, :q] = (self._Z0.T @ self._Zr).toarray()
            self._K[:q, :q] = (self._Zr.T @ self._Zr).toarray()
            self._K[:q, q:stop] = self._Zr.T @ self._Q
            self._K[q:stop, :q] = self._K[:q, q:stop].T
        self._C[:, q:stop] = self._Z0.T @ self._Q
        self._K[q:stop, q:stop] = self._Q.T @ self._Q
        self._set_response(y)

    def _set_response(self, y) -> None:
        q, stop = self.q, self.q + self.p
        self._beta_ols = self._Q.T @ y / self.n
        residual = y - self._Q @ self._beta_ols
        self._C[:, -1] = self._Z0.T @ residual
        if q:
            self._K[:q, -1] = self._K[-1, :q] = self._Zr.T @ residual
        self._K[q:stop, -1] = self._K[-1, q:stop] = self._Q.T @ residual
        self._K[-1, -1] = residual @ residual

    def with_response(self, y) -> CrossedDeviance:
        """Return a copy with a different response `y`, shape (n_rows,)."""
        other = copy.copy(self)
        other._C, other._K = self._C.copy(), self._K.copy()
        other._set_response(np.asarray(y, dtype=float))
        return other

    def with_reml(self, reml: bool) -> CrossedDeviance:
        """Return a copy that uses REML or, if False, maximum likelihood."""
        other = copy.copy(self)
        other.reml = reml
        return other

    @property
    def df(self) -> int:
        """Divisor of the residual sum of squares in the estimate of σ²."""
        return self.n - self.p if self.reml else self.n

    # θ and its matrices ---------------------------------------------------------------------

    def scaled(self, theta) -> list[np.ndarray]:
        """Return each term's relative Cholesky factor, for design columns scaled to RMS 1."""
        factors = [np.zeros((k, k)) for k in self.sizes]
        for L, entries in zip(factors, np.split(np.asarray(theta), self._ends)):
            L[_triangle(len(L))] = entries
        return factors

    def unpack(self, theta) -> list[np.ndarray]:
        """Return each term's relative Cholesky factor, in the units of the data."""
        return [L / spread[:, None] for L, spread in zip(self.scaled(theta), self.spreads)]

    def join(self, factors: list[np.ndarray]) -> np.ndarray:
        """Pack the entries of lower-triangular factors into θ (the inverse of `scaled`)."""
        return np.concatenate([L[_triangle(len(L))] for L in factors])

    def lambdas(self, theta) -> list[np.ndarray]:
        """Return each grouping factor's block-diagonal Cholesky factor, with one block per term."""
        scaled, out = self.scaled(theta), []
        for factor in self.factors:
            L = np.zeros((factor.k, factor.k))
            for t, span in zip(factor.terms, factor.spans):
                L[span, span] = scaled[t]
            out.append(L)
        return out

    def by_term(self, values: list[np.ndarray], square: bool = False) -> list[np.ndarray]:
        """Split one array per grouping factor into one array per random term."""
        out = [None] * len(self.sizes)
        for factor, value in zip(self.factors, values):
            for t, span in zip(factor.terms, factor.spans):
                out[t] = value[..., span, span] if square else value[..., span]
        return out

    # evaluation -----------------------------------------------------------------------------

    def at(self, theta) -> Evaluation:
        """Factorise the mixed-model equations at θ."""
        return Evaluation(self, theta)

    def __call__(self, theta, sigma: float | None = None) -> float:
        """Return the deviance at θ, minimised over β, and over σ unless `sigma` is given."""
        return Evaluation(self, theta).deviance(sigma)

    @one_thread
    def solve(self, theta) -> Solution:
        """Compute the coefficients, their covariance and the conditional modes at θ."""
        return Evaluation(self, theta).solve()


class Evaluation:
    """Mixed-model equations factorised at one value of θ.

    Attributes
    ----------
    log_det : float
        log|Λ'Z'ZΛ + I|, plus log|R_X|² for REML.
    rss : float
        Minimum of the penalised residual sum of squares, r²(θ) in Bates et al. (2015).
    """

    def __init__(self, model: CrossedDeviance, theta):
        self.model, self._theta = model, theta
        q, stop = model.q, model.q + model.p
        L0, *self._others = self._lambdas = model.lambdas(theta)
        # A = Λ'Z'ZΛ + I for each level of the first factor, and T = chol(A)⁻¹ Λ'
        A = L0.T @ model._D @ L0 + np.eye(len(L0))
        self._root = np.linalg.cholesky(A)
        self._T = np.linalg.solve(self._root, np.broadcast_to(L0.T, A.shape))
        W = (self._T @ model._C.reshape(len(A), len(L0), -1)).reshape(model._C.shape)
        M = model._K - W.T @ W
        for (span, _), L in zip(model.rest, self._others):
            M[:, span] = _times(M[:, span], L)
        self._half = M.copy()
        for (span, _), L in zip(model.rest, self._others):
            M[span] = _times(M[span].T, L).T
        M[np.arange(q), np.arange(q)] += 1.0
        self._full = linalg.cholesky(M, lower=True, check_finite=False, overwrite_a=True)
        logs = np.log(np.diag(self._full))
        self.log_det = 2 * (
            np.log(np.diagonal(self._root, axis1=1, axis2=2)).sum() + logs[:q].sum()
        )
        if model.reml:
            self.log_det += 2 * logs[q:stop].sum() + model._log_det_R
        self.rss = self._full[-1, -1] ** 2

    def deviance(self, sigma: float | None = None) -> float:
        """Return −2 times the log-likelihood (restricted for REML), by default at the optimal σ."""
        df = self.model.df
        precision = df / self.rss if sigma is None else sigma**-2
        return float(self.log_det + df * np.log(2 * np.pi / precision) + self.rss * precision)

    def unscaled(self) -> np.ndarray:
        """Compute the covariance of the fixed-effect coefficients, divided by σ²."""
        q, stop = self.model.q, self.model.q + self.model.p
        inverse = linalg.solve_triangular(self._full[q:stop, q:stop], np.eye(stop - q), lower=True)
        half = linalg.solve_triangular(self.model._R, inverse.T)
        return half @ half.T

    def solve(self) -> Solution:
        """Compute the coefficients, their covariance and the conditional modes."""
        model, full = self.model, self._full
        q, stop = model.q, model.q + model.p
        first = model.factors[0]
        LX = full[q:stop, q:stop]
        beta = linalg.solve_triangular(LX, full[-1, q:stop], lower=True, trans="T")
        b_rest = np.zeros(q)
        if q:
            right = full[-1, :q] - full[q:stop, :q].T @ beta
            u = linalg.solve_triangular(full[:q, :q], right, lower=True, trans="T")
            for (span, _), L in zip(model.rest, self._others):
                b_rest[span] = _times(u[None, span], L.T)[0]
        right = model._C[:, -1] - model._C[:, q:stop] @ beta - model._C[:, :q] @ b_rest
        right = right.reshape(first.n_levels, first.k)
        # Λ A⁻¹ Λ' = T'T
        b_first = np.einsum("mji,mjk,mk->mi", self._T, self._T, right)
        modes = [b_first, *(b_rest[span].reshape(-1, factor.k) for span, factor in model.rest)]
        b = [part / s for part, s in zip(model.by_term(modes), model.spreads)]
        sigma = float(np.sqrt(self.rss / model.df))
        beta = linalg.solve_triangular(model._R, beta + model._beta_ols)
        return Solution(self.deviance(), sigma, beta, sigma**2 * self.unscaled(), b)

    @one_thread
    def conditional_covariance(self, sigma: float) -> list[np.ndarray]:
        """Compute the covariance of each level's random effects, given the data and β.

        This corresponds to ``condVar`` in lme4.

        Returns
        -------
        list of ndarray, shape (n_levels, n_names, n_names)
            One array per random term.
        """
        model, q, T = self.model, self.model.q, self._T
        first = model.factors[0]
        blocks = [np.swapaxes(T, 1, 2) @ T]
        if q:
            Lr = np.zeros((q, q))
            for (span, factor), L in zip(model.rest, self._others):
                Lr[span, span] = np.kron(np.eye(factor.n_levels), L)
            half = linalg.solve_triangular(self._full[:q, :q], Lr.T, lower=True)
            cross = blocks[0] @ model._C[:, :q].reshape(first.n_levels, first.k, q) @ half.T
            blocks[0] = blocks[0] + cross @ np.swapaxes(cross, 1, 2)
            for span, factor in model.rest:
                part = half[:, span].reshape(q, factor.n_levels, factor.k)
                blocks.append(np.einsum("qmi,qmj->mij", part, part))
        return [
            sigma**2 * part / np.outer(s, s)
            for part, s in zip(model.by_term(blocks, square=True), model.spreads)
        ]

    def gradient(self, sigma: float | None = None) -> np.ndarray:
        """Compute the gradient of the deviance by reverse-mode differentiation.

        Returns
        -------
        ndarray, shape (n_theta,) or (n_theta + 1,)
            Derivatives with respect to θ. If `sigma` is given, the last entry is the derivative
            with respect to log σ.
        """
        model, full = self.model, self._full
        q, stop, df = model.q, model.q + model.p, model.df
        precision = df / self.rss if sigma is None else sigma**-2
        # G: derivative of the deviance with respect to the bordered matrix [Λ'(·)Λ + I, …]
        G = np.zeros_like(full)
        size = stop if model.reml else q
        if size:
            inverse, _ = linalg.lapack.dpotri(full[:size, :size], lower=1)
            G[:size, :size] = np.tril(inverse) + np.tril(inverse, -1).T
        v = linalg.solve_triangular(full[:stop, :stop], full[-1, :stop], lower=True, trans="T")
        v = np.append(-v, 1.0)
        G += precision * np.outer(v, v)

        slopes, H = [], G.copy()
        for (span, factor), L in zip(model.rest, self._others):
            rows = self._half[span].reshape(factor.n_levels, factor.k, -1)
            columns = G[:, span].reshape(-1, factor.n_levels, factor.k)
            slopes.append(2 * np.einsum("lim,mlj->ij", rows, columns, optimize=True))
            H[span] = _times(H[span].T, L.T).T
            H[:, span] = _times(H[:, span], L.T)
        T, shape = self._T, (*self._T.shape[:2], -1)
        B = -(model._C @ H).reshape(shape) @ np.swapaxes(model._C.reshape(shape), 1, 2)
        Tt = np.swapaxes(T, 1, 2)
        shrunk = np.swapaxes(np.linalg.solve(np.swapaxes(self._root, 1, 2), T), 1, 2)
        first = 2 * ((B - model._D @ (Tt @ (T @ B)) + model._D) @ shrunk).sum(axis=0)
        by_term = model.by_term([first, *slopes], square=True)
        gradient = model.join(by_term)
        return gradient if sigma is None else np.append(gradient, 2 * df - 2 * self.rss * precision)


def _merge_terms(terms: list[RandomTerm]) -> list[_Factor]:
    """Merge random terms by grouping factor; the factor with the most random effects is first."""
    merged: dict[str, _Factor] = {}
    for t, term in enumerate(terms):
        factor = merged.setdefault(term.factor, _Factor(term.codes, len(term.levels), [], [], 0))
        factor.terms.append(t)
        factor.spans.append(slice(factor.k, factor.k + term.Z.shape[1]))
        factor.k += term.Z.shape[1]
    return sorted(merged.values(), key=lambda factor: -factor.n_levels * factor.k)


def _times(columns: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Multiply the k columns that belong to each level by a k × k matrix."""
    if len(L) == 1:
        return columns * L[0, 0]
    return (columns.reshape(len(columns), -1, len(L)) @ L).reshape(columns.shape)


@functools.cache
def _triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column indices of a k × k lower triangle, in column-major order as in lme4."""
    columns, rows = np.triu_indices(k)
    return rows, columns
