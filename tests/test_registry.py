"""One behaviour for all names: refuse, overwrite, closest name, call or decorator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_ssp._registry import Registry

NAMES = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=8)


def things():
    return Registry("thing", also="a Thing")


@given(st.dictionaries(NAMES, st.integers(), min_size=1))
def test_what_was_added_is_found_in_its_order(entries):
    registry = things()
    for name, value in entries.items():
        assert registry.register(name, value) == value
    assert registry.names() == tuple(entries)
    assert {name: registry.get(name) for name in registry} == entries
    assert registry.version == len(registry) == len(entries)


@given(NAMES, st.integers(), st.integers())
def test_a_taken_name_is_refused_unless_overwritten(name, first, second):
    registry = things()
    registry.register(name, first)
    with pytest.raises(ValueError, match="`name` must be free"):
        registry.register(name, second)
    assert registry.get(name) == first
    registry.register(name, second, overwrite=True)
    assert registry.get(name) == second


def test_decorator_with_aliases_adds_all_or_none():
    registry = things()

    @registry.register("one", "uno")
    def one():
        return 1

    assert registry.get("uno") is registry.get("one") is one
    assert registry.name_of(one) == "one"
    with pytest.raises(ValueError, match="'uno' is .*one; pass `overwrite=True`"):

        @registry.register("two", "uno")
        def two():
            return 2

    assert "two" not in registry


def test_a_cell_that_is_run_twice_replaces_its_own():
    registry = things()

    def cell(result):
        @registry.register("mine")
        def mine():
            return result

        return mine

    cell(1), cell(2)
    assert registry.get("mine")() == 2
    # Two lambdas share a name, but not a meaning.
    registry.register("short", lambda: 1)
    with pytest.raises(ValueError, match="must be free"):
        registry.register("short", lambda: 2)


@pytest.mark.parametrize("name", ["", " ", "two words", 3, None])
def test_bad_names(name):
    with pytest.raises(ValueError, match="non-empty string without spaces"):
        things().register(name, 1)


def test_unknown_names_get_the_closest_one():
    registry = things()
    registry.register("triangle", 1)
    registry.register("rectangle", 2)
    message = (
        "`thing` must be one of 'rectangle', 'triangle', a Thing. "
        "Received: thing='triangel'. Did you mean 'triangle'?"
    )
    with pytest.raises(ValueError) as error:
        registry.get("triangel")
    assert str(error.value) == message
    assert "Did you mean" not in registry.unknown("xyz")
    assert registry.find(["no", "name"]) is None
