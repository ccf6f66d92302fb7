"""Unpauses DAGs through the REST API of Airflow 2 or 3; the password is in AIRFLOW_PASSWORD."""

import base64
import json
import os
import sys
import urllib.error
import urllib.request

url, user, *dags = sys.argv[1:]
password = os.environ["AIRFLOW_PASSWORD"]


def ask(method, path, body, headers):
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


try:
    token = ask("POST", "/auth/token", {"username": user, "password": password}, {})["access_token"]
    base, headers = "/api/v2", {"Authorization": f"Bearer {token}"}
except urllib.error.HTTPError as error:
    assert error.code in (404, 405), error
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    base, headers = "/api/v1", {"Authorization": f"Basic {basic}"}
for dag in dags:
    answer = ask("PATCH", f"{base}/dags/{dag}?update_mask=is_paused", {"is_paused": False}, headers)
    assert answer["is_paused"] is False, answer
