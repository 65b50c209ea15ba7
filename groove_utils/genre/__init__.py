"""Genre: corpora, networks on spectrograms, what lies beyond accuracy.

The chapters on genre networks and on what lies beyond accuracy use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "architectures": ["NETWORKS", "build_network", "resnet18_parallel"],
        "comparison": ["accuracy_difference", "accuracy_table"],
        "corpora": ["Corpus", "CorpusError", "load_corpus", "rendered_corpus"],
        "features": ["spectrogram_statistics"],
        "inputs": ["Clips", "log_mels", "mel_picture"],
        "planted_cues": ["add_rumble", "limit_bandwidth"],
        "splits": ["split_clips"],
        "training": ["TrainedNetwork", "train_network", "train_networks"],
    },
)
