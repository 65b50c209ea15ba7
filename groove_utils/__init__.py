"""Helpers for the book “Can pretrained audio models hear the groove?”.

Each subpackage is a family of modules, which import only from families listed below their own:

``book``         running chapters, reporting values, figures and tables, building pages
``figures``      the plotting theme and the recurring plots
``genre``        corpora with styles, style classifiers, scores and explanations
``probe``        folds, nested ridge, scores, permutation tests, stem ablation
``stems``        separation, remixing, quality
``similarity``   maps, CKA, RSA with Mantel tests
``embed``        pretrained models: catalogue, weights, extraction
``networks``     small networks and their training
``descriptors``  handcrafted descriptors of groove
``mixed``        linear mixed models, reliability, noise ceiling
``synth``        the demo study and the genre corpus: songs, rendering, simulated listeners
``study``        study folders, their schemas, the catalogue of data sets
``rhythm``       syncopation, swing and microtiming
``audio``        decoding, windows, loudness, encoding for the web
``stats``        resampling, multiple testing, Shapley values, wording of numbers

At the bottom are the modules ``memoisation``, ``import_graph``, ``cache``, ``manifest``,
``packages``, ``files``, ``paths``, ``strict_yaml`` and ``errors``.
"""

import time

__version__ = "0.1.0"
IMPORTED_AT = time.time()  # before any other module of the package is imported
