"""Helpers for the book “Can pretrained audio models hear the groove?”.

Each subpackage is a family of related modules. A family imports only from itself and from families
listed below it:

``book``         running chapters; reporting values, figures and tables; building pages
``figures``      the plotting theme and plots used in several chapters
``genre``        corpora labelled by style; style classifiers, their scores and explanations
``probe``        folds, nested ridge regression, scores, permutation tests, stem ablation
``stems``        separating and remixing stems, measuring their quality
``similarity``   maps of songs, CKA, RSA with Mantel tests
``embed``        pretrained models: catalogue, weights, extraction of embeddings
``networks``     small networks and their training
``descriptors``  handcrafted descriptors of groove
``mixed``        linear mixed models, reliability, noise ceiling
``synth``        the demo study and the genre corpus: songs, rendering, simulated listeners
``study``        study folders, their schemas, and the catalogue of data sets
``rhythm``       syncopation, swing and microtiming
``audio``        decoding, windows, loudness, encoding for the web
``stats``        resampling, multiple testing, Shapley values, number formatting

The modules ``memoisation``, ``import_graph``, ``cache``, ``manifest``, ``packages``, ``files``,
``paths``, ``strict_yaml`` and ``errors`` do not import from any family, so every family may use
them.
"""

import time

__version__ = "0.1.0"
IMPORTED_AT = time.time()  # before any other module of the package is imported
