"""The bucket's lifecycle rules: what is missing is added, and what a person changed stays."""

from eydp.provision.lifecycle import lifecycle_rules, with_missing


def test_a_bucket_without_rules_gets_all_of_them() -> None:
    assert with_missing([]) == lifecycle_rules()


def test_a_bucket_with_the_rules_gets_none() -> None:
    assert with_missing(lifecycle_rules()) is None


def test_a_rule_with_other_days_is_left_as_it_is() -> None:
    rules = lifecycle_rules()
    rules[2]["condition"]["age"] = 90
    assert with_missing(rules) is None


def test_a_rule_for_other_objects_stays_beside_ours() -> None:
    other = {"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["tmp/"]}}
    assert with_missing([other]) == [other, *lifecycle_rules()]
