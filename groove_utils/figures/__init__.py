"""Figures for the book: plotting theme, style colours and plotting functions.

Plotting functions take tidy tables or arrays and return a matplotlib figure. A module is imported
when one of its functions is first used, so a chapter depends only on the modules that it uses.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beyond_accuracy": [
            "plot_confusion_and_reliability",
            "plot_explanations",
            "plot_hide_and_show",
            "plot_medley",
            "plot_severity",
        ],
        "descriptors": [
            "plot_clustered_correlations",
            "plot_dependence",
            "plot_distributions",
            "plot_estimates",
            "plot_pulse",
        ],
        "forest": ["plot_forest", "plot_forests"],
        "genre": [
            "plot_accuracies",
            "plot_clip_pictures",
            "plot_reading_order",
            "plot_training",
        ],
        "maps": ["plot_model_maps", "plot_neighbours", "plot_similarity", "plot_song_maps"],
        "mixed": [
            "plot_fitted_lines",
            "plot_power",
            "plot_recovery",
            "plot_residuals",
        ],
        "networks": [
            "plot_attention",
            "plot_decision",
            "plot_kernels",
            "plot_label_curves",
            "plot_receptive_field",
            "plot_task_map",
        ],
        "probe": [
            "plot_folds",
            "plot_gains",
            "plot_layer_profiles",
            "plot_learning_curves",
            "plot_luck",
            "plot_predictions",
            "plot_scores",
        ],
        "ratings": [
            "plot_correlations",
            "plot_design",
            "plot_halves",
            "plot_rater_curve",
            "plot_rating_distributions",
            "plot_scale_use",
        ],
        "representations": [
            "plot_bar_profiles",
            "plot_losses",
            "plot_representations",
            "plot_spectrograms",
        ],
        "stems": ["plot_attributions", "plot_stem_shares", "plot_subset_scores"],
        "theme": ["style_palette", "use_theme"],
    },
)
