"""The few conditions and orders in which latentlab searches for runs, as SQL on MLflow's tables."""

import re
from collections.abc import Sequence

_NAME = r"(attributes|tags)\.(`[^`]+`|\w+)"
_CONDITION = re.compile(rf"{_NAME} = '([^']*)'")
_ORDER = re.compile(rf"{_NAME} DESC")
_ATTRIBUTES = ("status", "start_time", "end_time")
Parameters = tuple[str, ...]


def where(filter_string: str) -> tuple[str, Parameters]:
    """Return the SQL condition on the table `runs` that a filter of MLflow means.

    Parameters
    ----------
    filter_string : str
        Conditions of the form `attributes.status = 'FINISHED'` or ``tags.`name` = 'value'``, joined by `and`. Empty
        for all runs.

    Returns
    -------
    sql : str
    parameters : tuple of str

    Raises
    ------
    ValueError
        If it is of another form.
    """
    clauses, parameters = ["1"], list[str]()
    for condition in filter_string.split(" and ") if filter_string else ():
        kind, name, value = _parsed(_CONDITION, condition)
        if kind == "attributes":
            clauses.append(f"runs.{_column(name)} = ?")
        else:
            clauses.append("EXISTS (SELECT 1 FROM tags WHERE run_uuid = runs.run_uuid AND key = ? AND value = ?)")
            parameters.append(name)
        parameters.append(value)
    return " AND ".join(clauses), tuple(parameters)


def order(order_by: Sequence[str]) -> tuple[str, Parameters]:
    """Return the SQL order of runs that MLflow makes of the orders that are asked for.

    Runs without the value come last. Runs that are equal are in the order of MLflow: the latest start first, then by id
    (`_get_orderby_clauses` of its `sqlalchemy_store`).

    Parameters
    ----------
    order_by : sequence of str
        Of the form `attributes.end_time DESC` or ``tags.`name` DESC``.

    Returns
    -------
    sql : str
    parameters : tuple of str

    Raises
    ------
    ValueError
        If one is of another form.
    """
    clauses, parameters = list[str](), list[str]()
    for text in order_by:
        kind, name = _parsed(_ORDER, text)
        if kind == "attributes":
            value = f"runs.{_column(name)}"
        else:
            value = "(SELECT value FROM tags WHERE run_uuid = runs.run_uuid AND key = ?)"
            parameters.append(name)
        clauses.append(f"{value} DESC NULLS LAST")
    return ", ".join([*clauses, "runs.start_time DESC", "runs.run_uuid"]), tuple(parameters)


def _parsed(form: re.Pattern[str], text: str) -> list[str]:
    """Return the parts of a condition or an order, names without backticks."""
    if not (found := form.fullmatch(text)):
        raise ValueError(f"found {text!r}; expected the form {form.pattern}")
    return [part.strip("`") for part in found.groups()[:2]] + list(found.groups()[2:])


def _column(name: str) -> str:
    if name not in _ATTRIBUTES:
        raise ValueError(f"found attributes.{name}; expected one of {', '.join(_ATTRIBUTES)}")
    return name
