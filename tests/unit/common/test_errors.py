from dataplatform import errors


def test_every_outcome_has_an_exit_code_of_its_own_that_means_failure() -> None:
    kinds = [errors.PlatformError, *errors.PlatformError.__subclasses__()]
    own = [kind for kind in kinds if kind.__module__ == errors.__name__]
    codes = [kind.exit_code for kind in own]
    assert len(set(codes)) == len(own) == 5
    assert all(64 <= code <= 78 for code in codes), "these are the codes of sysexits.h"
