"""The committed KSR.pyi and api.json are what the Kamailio of this machine lists."""

from __future__ import annotations

from kemi.stubs import generate


def test_the_committed_stubs_are_what_a_running_kamailio_lists() -> None:
    stub, api = generate.generate()

    mend = "run python -m kemi.stubs.generate"
    assert generate.API_FILE.read_text(encoding="utf-8") == api, mend
    assert generate.STUB_FILE.read_text(encoding="utf-8") == stub, mend


def test_a_kamailio_that_cannot_start_says_why() -> None:
    from kemi.stubs.private_kamailio import KamailioError, PrivateKamailio

    try:
        with PrivateKamailio(["jsonrpcs", "nosuchmodule", "app_python3"]):
            raise AssertionError("it started with a module that does not exist")
    except KamailioError as error:
        assert "nosuchmodule" in str(error)
