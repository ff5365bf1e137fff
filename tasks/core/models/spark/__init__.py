"""ALS as Spark MLlib trains it: another model than that of `tasks.core.models.als`."""

ALGORITHM = 1
"""Part of a run's identity. It is raised whenever the same settings would give different factors."""
