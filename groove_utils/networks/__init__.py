"""Small neural networks for spectrograms: layers, size, training and experiments.

Used in the chapters on networks and on genre networks. Spectrograms are float32 arrays of shape (n,
n_bands, n_frames); labels are integers starting from 0. PyTorch is imported only when a function
that needs it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "devices": ["choose_autocast", "choose_device"],
        "experiments": [
            "compare_modules",
            "holdout_accuracy",
            "summarise_scores",
            "task_accuracy",
            "train_and_test",
        ],
        "mir": ["mir_tasks"],
        "modules": [
            "MODULES",
            "AttentionClassifier",
            "ConvolutionClassifier",
            "DenseClassifier",
            "RecurrentClassifier",
            "build_module",
        ],
        "size": ["count_multiply_adds", "count_parameters", "receptive_field"],
        "training": ["TrainingSettings", "choose_accelerator", "fit", "predict", "train_epoch"],
    },
)
