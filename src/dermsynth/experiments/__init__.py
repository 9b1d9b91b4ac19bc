"""The documents' comparisons, each as a function that returns its whole configuration and one that carries it out."""

EXPERIMENTS = {
    "baur": "dermsynth.experiments.baur",
    "furger-truncation": "dermsynth.experiments.furger_truncation",
    "furger-overfitting": "dermsynth.experiments.furger_overfitting",
    "bissoto-maps": "dermsynth.experiments.bissoto_maps",
    "lunagariya-curves": "dermsynth.experiments.lunagariya_curves",
    "families": "dermsynth.experiments.families",
    "rosen-bias": "dermsynth.experiments.rosen_bias",
}
"""Name on the command line -> module with `SIZES`, `configuration(size)` and `carry_out(setting, data_set, out)`."""
