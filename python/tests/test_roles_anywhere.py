"""IAM Roles Anywhere with keys from paths and bytes."""

import ssl
from pathlib import Path

import pytest

import rolecall


@pytest.fixture
def issued(kit_home, kit):
    return kit.post("certificate")


def asked(kit, **how):
    return rolecall.RolesAnywhere(
        trust_anchor_arn=kit.about["trust_anchor_arn"], profile_arn=kit.about["profile_arn"],
        role_arn=kit.roles["Workload"], **how)


def arn(asked):
    session = asked.session(disk_cache=False)
    assert session.credentials().expiration
    return session.sts().get_caller_identity().arn


def test_keys_come_from_paths_text_and_bytes(kit_home, kit, issued):
    certificate, key = issued["certificate"] + issued["chain"], issued["private_key"]
    certificate_file = kit_home.write("host.pem", certificate)
    key_file = kit_home.write("host.key", key)
    both = kit_home.write("both.pem", certificate + key)
    for how in [
            {"certificate": str(certificate_file), "private_key": str(key_file)},
            {"certificate": Path(certificate_file), "private_key": Path(key_file)},
            {"certificate": certificate, "private_key": key},
            {"certificate": certificate.encode(), "private_key": key.encode()},
            {"certificate": issued["certificate"], "intermediates": issued["chain"] or None,
             "private_key": key},
            {"certificate": der(issued["certificate"]), "private_key": key},
            {"certificate": both}]:
        assert ":assumed-role/Workload/" in arn(asked(kit, **how))


def der(pem):
    """The first certificate as DER."""
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(pem[:pem.index(end)] + end)


def test_a_session_takes_it_as_its_source(kit_home, kit, issued):
    how = asked(kit, certificate=issued["certificate"], private_key=issued["private_key"],
                duration=900)
    session = rolecall.Session(roles_anywhere=how, disk_cache=False)
    assert session.credentials().account_id == kit.roles["Workload"].split(":")[4]


def test_of_several_certificates_one_is_selected(kit_home, kit, issued):
    other = kit.post("certificate", common_name="other.example")
    bundle = issued["certificate"] + other["certificate"]
    how = {"private_key": issued["private_key"], "intermediates": issued["chain"] or None}
    serial = issued["serial_hex"]
    selected = asked(kit, certificate=bundle, selector=f"Key=x509Serial,Value={serial}",
                     use_latest_expiring=True, no_proxy=True, **how)
    assert ":assumed-role/Workload/" in arn(selected)
    with pytest.raises(rolecall.InvalidConfigurationError):
        arn(asked(kit, certificate=bundle, selector="Key=x509Serial,Value=01", **how))
    with pytest.raises(rolecall.InvalidConfigurationError):
        asked(kit, certificate=bundle, selector="colour=red")


def test_proxies_are_passed_over_only_if_that_is_asked_for(kit_home, kit, issued, monkeypatch):
    # Nobody listens there.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    how = {"certificate": issued["certificate"], "private_key": issued["private_key"],
           "intermediates": issued["chain"] or None}
    assert asked(kit, no_proxy=True, **how).session(disk_cache=False).credentials()
    with pytest.raises(rolecall.UnavailableError):
        asked(kit, **how).session(disk_cache=False).credentials()


def test_nothing_of_the_key_is_shown(kit_home, kit, issued):
    how = asked(kit, certificate=issued["certificate"], private_key=issued["private_key"],
                password="hunter2")
    middle = issued["private_key"].splitlines()[1]
    assert "hunter2" not in repr(how) and middle not in repr(how)
    with pytest.raises(rolecall.RolecallError) as raised:
        asked(kit, certificate=issued["certificate"], private_key=middle).session().credentials()
    assert middle not in str(raised.value.causes)


def test_what_is_wrong_is_said(kit_home, kit, issued):
    other = kit.post("certificate")["private_key"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="do not belong together"):
        arn(asked(kit, certificate=issued["certificate"], private_key=other))
    with pytest.raises(rolecall.InvalidConfigurationError, match="cannot be read"):
        arn(asked(kit, certificate="/nowhere.pem"))
    with pytest.raises(TypeError, match="path, text or bytes"):
        asked(kit, certificate=7)
