"""How this machine's package index reaches a build: as secrets, and without what the build could not see."""

from pathlib import Path

from image_builder.index import parse, write_secrets


def test_the_environment_wins_over_pips_files() -> None:
    listing = "global.index-url='https://one/simple'\nglobal.timeout='5'\n:env:.timeout='180'"
    assert parse(listing) == {"index-url": "https://one/simple", "timeout": "180"}


def test_an_index_that_is_a_folder_of_this_machine_is_left_out(tmp_path: Path) -> None:
    found = {"index-url": "https://one/simple", "extra-index-url": "file:///a\nhttps://two/simple", "constraint": "c"}
    options = write_secrets(tmp_path, found, {})
    text = (tmp_path / "pip.conf").read_text(encoding="utf-8")
    assert text == "[global]\nindex-url = https://one/simple\nextra-index-url = https://two/simple\n"
    assert options == ["--secret", f"id=pip.conf,src={tmp_path / 'pip.conf'}"]


def test_the_machines_certificates_are_mounted_where_pip_is_told_to_look(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("x", encoding="utf-8")
    options = write_secrets(tmp_path, {}, {"SSL_CERT_FILE": str(certificate)})
    assert f"id=ca.pem,src={certificate}" in options
    assert "cert = /run/secrets/ca.pem" in (tmp_path / "pip.conf").read_text(encoding="utf-8")


def test_a_certificate_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    write_secrets(tmp_path, {"cert": str(tmp_path / "none.pem")}, {})
    assert (tmp_path / "pip.conf").read_text(encoding="utf-8") == "[global]\n"
