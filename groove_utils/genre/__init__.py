"""Genre: corpora, networks on spectrograms, and evaluation beyond accuracy.

The chapters on genre networks and on evaluation beyond accuracy use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "architectures": ["NETWORKS", "build_network", "resnet18_parallel"],
        "calibration": [
            "calibration_error",
            "change_temperature",
            "fit_temperature",
            "reliability",
        ],
        "comparison": ["accuracy_difference", "accuracy_table"],
        "corpora": ["Corpus", "CorpusError", "load_corpus", "rendered_corpus"],
        "explanations": [
            "explain",
            "explain_all",
            "faithfulness",
            "hide_and_show",
            "keep_top",
            "masked_sound",
            "rank_similarity",
            "score_explanations",
            "shuffled_layers",
            "truth_scores",
        ],
        "features": ["spectrogram_statistics"],
        "handcrafted": ["build_classifiers", "compare_classifiers", "pyaudioanalysis_features"],
        "inputs": ["MEL_SETTINGS", "Clips", "clip_mels", "clip_sources", "log_mels", "mel_picture"],
        "medleys": ["boundary_scores", "find_changes", "follow_signal", "join_signals"],
        "metrics": [
            "compare_in_trees",
            "confusion_counts",
            "distance_at_k",
            "flat_scores",
            "hierarchical_scores",
            "mean_intervals",
            "mistake_severity",
            "score_intervals",
            "severity_by_chance",
            "severity_differences",
        ],
        "network_models": ["NetworkModel", "register_network"],
        "network_results": ["network_sizes"],
        "planted_cues": ["add_rumble", "limit_bandwidth"],
        "public_corpora": ["fma_corpus", "gtzan_corpus"],
        "self_supervision": [
            "ContrastiveNetwork",
            "draw_views",
            "label_curve",
            "nt_xent",
            "pretrain_network",
            "song_views",
        ],
        "splits": ["split_clips"],
        "stem_clips": ["StemClips", "make_stem_clips", "render_song"],
        "text_audio": [
            "GROOVE_SENTENCES",
            "TEMPLATES",
            "find_text_model",
            "graded_ratings",
            "prompt_sensitivity",
            "summarise_text_model",
            "zero_shot",
        ],
        "trained_networks": [
            "SETTINGS",
            "TrainedNetwork",
            "classify_features",
            "predictions_table",
            "train_network",
            "train_networks",
        ],
        "trees": ["ancestors", "cluster_tree", "shuffle_leaves", "tree_distances"],
    },
)
