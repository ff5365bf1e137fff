"""What other libraries call the keys of a config: the error for an unknown key says what it is called here."""

from collections.abc import Iterable

_OTHER_NAMES = {
    "factors": "n_factors num_factors numfactors k rank dim n_components no_components "
    "latent_dim embedding_dim embedding_size",
    "iterations": "epochs n_epochs num_epochs max_epochs max_iter maxiter n_iter num_iter n_iters num_iters "
    "num_iterations n_iterations iters steps n_steps num_steps",
    "regularization": "reg lambda lambda_ reg_param regparam reg_all reg_weight l2 l2_reg weight_decay damping",
    "alpha": "confidence_weight",
    "solver": "use_cg",
    "name": "experiment experiment_name",
    "uri": "tracking_uri mlflow_tracking_uri",
    "workers": "n_jobs num_workers n_workers",
    "baseline": "reference control",
    "seed": "random_state random_seed",
    "replicates": "seeds n_seeds runs n_runs repetitions",
    "cutoffs": "cutoff k ks topk top_k",
    "n": "k topk top_k n_neighbors n_neighbours num_neighbors",
    "recommend_n": "num_items n_recommendations",
    "test_fraction": "test_size test_ratio frac",
    "test_count": "test_size",
    "folds": "k n_splits n_folds",
    "min_rating": "threshold rating_threshold min_score",
    "k_core": "core kcore",
    "strategy": "method splitter",
    "separator": "sep delimiter",
    "user": "user_col usercol user_column uid",
    "item": "item_col itemcol item_column iid",
    "rating": "rating_col ratingcol rating_column",
    "timestamp": "time_col time_column timestamp_col",
}
"""Key -> names of it in implicit, Spark, Surprise, scikit-learn, LightFM, LensKit and RecBole, in small letters."""


def own_name(key: str, keys: Iterable[str]) -> str | None:
    """Return the key of a section that goes by another name in other libraries.

    Parameters
    ----------
    key : str
        The other name.
    keys : iterable of str
        The keys of the section.

    Returns
    -------
    str or None
        None if no key of the section has such a name.
    """
    return next((own for own in keys if key.lower() in _OTHER_NAMES.get(own, "").split()), None)
