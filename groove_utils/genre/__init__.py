"""Genre: corpora, networks on spectrograms, what lies beyond accuracy.

The chapters on genre networks use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "corpora": ["Corpus", "CorpusError", "load_corpus", "rendered_corpus"],
    },
)
