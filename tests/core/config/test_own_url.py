"""The keys `url` and `sha256` of a file of one's own."""

import pytest

from tests.core.config.small_config import SMALL, Faults, Load

SHA256 = "ab" * 32
ALL_RATINGS = "preprocess: {min_rating: null}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dataset: {name: file}\n", "c.yaml:4: dataset: `name: file` needs a `path` or a `url`"),
        (
            f"dataset: {{name: file, path: a, url: http://h/a, sha256: {SHA256}}}\n",
            "c.yaml:4: dataset: has both path and",
        ),
        ("dataset: {name: file, url: http://h/a.csv}\n", "c.yaml:4: dataset: a `url` needs the `sha256` of its file"),
        (f"dataset: {{name: file, path: a, sha256: {SHA256}}}\n", "c.yaml:4: dataset.sha256: is for a `url` only"),
        ("dataset: {name: file, url: http://h/a, sha256: 12}\n", "c.yaml:4: dataset.sha256: found 12; expected text"),
        ("dataset: {name: file, url: http://h/a, sha256: ab}\n", "c.yaml:4: dataset.sha256: found 'ab'; expected text"),
        *(
            (
                f"dataset: {{name: file, url: '{url}', sha256: {SHA256}}}\n",
                f"c.yaml:4: dataset.url: found '{url}'; expected http(s)://HOST/.../FILE",
            )
            for url in ("ftp://h/a.csv", "a.csv", "http://", "http://h", "http://h/", "http:///a.csv", "http://h/a/?b")
        ),
        (
            f"dataset: {{name: file, url: 'https://me:secret@h/a.csv', sha256: {SHA256}}}\n",
            "c.yaml:4: dataset.url: contains a login, but configs are printed and logged; put it into ~/.netrc",
        ),
        (f"dataset: {{name: x, sha256: {SHA256}}}\n", "c.yaml:4: dataset.sha256: is for `name: file` only"),
        ("dataset: {name: x, url: http://h/a}\n", "c.yaml:4: dataset.url: is for `name: file` only"),
    ],
)
def test_a_url_needs_its_digest_and_stands_in_place_of_a_path(text: str, line: str, faults: Faults) -> None:
    (fault,) = faults(f"{SMALL}{text}{ALL_RATINGS}")
    assert fault.startswith(line)


@pytest.mark.parametrize(
    ("dataset", "line"),
    [
        ("name: file, path: 'http://h/a.csv'", "found 'http://h/a.csv'; for an http(s) address use `url`"),
        ("name: file, path: 'file:///data/a.csv'", "found 'file:///data/a.csv'; expected the path alone"),
        ("name: file, path: 's3://me:secret@lake/plays'", "contains a login, but configs are printed and logged"),
        ("name: synthetic-100k, path: 's3://lake/plays'", "is an address, which is for `name: file` only"),
    ],
)
def test_an_address_as_a_path_is_one_of_an_object_store_without_a_login(
    dataset: str, line: str, faults: Faults
) -> None:
    (fault,) = faults(f"{SMALL}dataset: {{{dataset}}}\n{ALL_RATINGS}")
    assert fault.startswith(f"c.yaml:4: dataset.path: {line}")


def test_the_digest_of_a_config_with_a_path_is_as_before_there_were_urls(load: Load) -> None:
    config = load(f"{SMALL}dataset: {{name: file, path: a.csv}}\n{ALL_RATINGS}")
    assert config.digest() == "740957b67f31f21564f7e35f84c23cb0e10d329cacbdeb552073b16eb6cd4ee2"


def test_the_digest_of_a_config_with_a_url_depends_on_that_of_the_file(load: Load) -> None:
    texts = [
        f"{SMALL}dataset: {{name: file, url: 'http://h/a.csv', sha256: {letter * 64}}}\n{ALL_RATINGS}"
        for letter in "ab"
    ]
    assert len({load(text).digest() for text in texts}) == 2
    assert load(load(texts[0]).to_yaml()) == load(texts[0])
