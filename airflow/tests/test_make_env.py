"""The .env for Docker Compose, as airflow/make-env makes it."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]
SECRETS = r"^([A-Z0-9_]*(?:PASSWORD|TOKEN|KEY))=(.+)$"


def make_env(*words):
    return subprocess.run([FOLDER / "make-env", *words], capture_output=True, text=True)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "env"


def test_every_setting_that_compose_asks_for_has_a_value_that_nobody_else_has(file, tmp_path):
    assert make_env("--to", file).returncode == 0
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = dict(re.findall(SECRETS, text, re.MULTILINE))
    for compose in ("docker-compose.yml", "docker-compose.celery.yml"):
        asked = re.findall(r"\$\{([A-Z0-9_]+):\?", (FOLDER / compose).read_text())
        missing = [name for name in asked if not re.search(rf"^{name}=.+$", text, re.MULTILINE)]
        assert asked and not missing, missing
    assert len(set(secrets.values())) == len(secrets) == 7
    assert all(len(secret) >= 32 for secret in secrets.values())
    other = tmp_path / "other"
    make_env("--to", other)
    assert not set(secrets.values()) & set(dict(re.findall(SECRETS, other.read_text(), re.MULTILINE)).values())


def test_a_simple_login_is_only_there_if_asked_for(file):
    assert make_env("--simple-login", "--to", file).returncode == 0
    text = file.read_text()
    assert "\n_AIRFLOW_WWW_USER_PASSWORD=airflow\n" in text and "\n_AIRFLOW_WWW_USER_USERNAME=airflow\n" in text
    assert "\nBIND_ADDRESS=127.0.0.1\n" in text


def test_a_file_that_is_there_is_kept(file):
    file.write_text("mine")
    done = make_env("--to", file)
    assert (done.returncode, file.read_text()) == (1, "mine") and "remove it first" in done.stderr


@pytest.mark.parametrize("words", [["--to"], ["--simple"]])
def test_wrong_usage_is_explained(words):
    done = make_env(*words)
    assert done.returncode == 2 and "usage: airflow/make-env" in done.stderr
