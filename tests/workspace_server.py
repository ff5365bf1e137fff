"""A server on this machine that refuses what Databricks refuses, before a real MLflow server.

It takes requests with a bearer token alone, and absolute paths alone as names of experiments. Unity Catalog is MLflow's
own registry under other addresses, with names of three levels and without tags that have a dot in their names. Files of
its models are received and not kept.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

TOKEN = "dapi-of-the-tests"
_API = "/api/2.0/mlflow"
_UNITY_CATALOG = f"{_API}/unity-catalog/"
_FILES = "/api/2.0/fs/files/Models/"
_NOT_FORWARDED = {"host", "authorization", "content-length"}
_HOP_BY_HOP = {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}


class WorkspaceServer(ThreadingHTTPServer):
    """Forwards to an MLflow server what Databricks would take.

    Parameters
    ----------
    mlflow : str
        Address of the MLflow server.
    token : str or None
        Expected of every request; None takes all of them.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, mlflow: str, token: str | None = TOKEN) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mlflow, self.token = mlflow, token
        self.refused_names: list[str] = []
        self.received: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WorkspaceServer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        token = self.server.token
        if path.startswith("/.well-known/"):
            self._refuse(404, "NOT_FOUND", "no such page")
        elif token and path.startswith("/api/") and self.headers.get("Authorization") != f"Bearer {token}":
            self._refuse(403, "PERMISSION_DENIED", "Invalid access token.")
        elif path.startswith(_FILES):
            self.server.received.append(path.removeprefix(_FILES))
            self._send(204, b"", {})
        elif path.startswith(_UNITY_CATALOG):
            self._answer_for_unity_catalog(path.removeprefix(_UNITY_CATALOG), body)
        elif (name := self._experiment_name(path, body)).startswith("/"):
            self._forward(body)
        else:
            self.server.refused_names.append(name)
            expected = "An absolute path is expected, of the form '/path/to/experiment'."
            self._refuse(400, "INVALID_PARAMETER_VALUE", f"Got an invalid experiment name '{name}'. {expected}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

    def _experiment_name(self, path: str, body: bytes) -> str:
        """Return the name of an experiment that a request has; a slash if it has none."""
        if path == f"{_API}/experiments/create":
            return str(json.loads(body)["name"])
        if path == f"{_API}/experiments/get-by-name":
            return parse_qs(urlsplit(self.path).query)["experiment_name"][0]
        return "/"

    def _answer_for_unity_catalog(self, method: str, body: bytes) -> None:
        content = json.loads(body) if body else {}
        if method == "registered-models/create" and len(content["name"].split(".")) != 3:
            self._refuse(400, "INVALID_PARAMETER_VALUE", "specify all three levels")
        elif method.endswith("set-tag") and set(content["key"]) & set(".,-=/:"):
            reserved = f"Tag name {content['key']} contains one or more of the reserved characters"
            self._refuse(400, "INVALID_PARAMETER_VALUE", f"{reserved}: List(., ,, -, =, /, :)")
        elif method == "model-versions/finalize":
            self.command, self.path = "GET", f"{_API}/model-versions/get?{urlencode(content)}"
            self._forward(b"")
        else:
            self.path = self.path.replace("unity-catalog/", "", 1)
            self._forward(body)

    def _forward(self, body: bytes) -> None:
        """Give the answer of MLflow's server."""
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _NOT_FORWARDED}
        answer = requests.request(
            self.command, f"{self.server.mlflow}{self.path}", data=body, headers=headers, timeout=60
        )
        self._send(answer.status_code, answer.content, dict(answer.headers))

    def _refuse(self, status: int, code: str, message: str) -> None:
        content = json.dumps({"error_code": code, "message": message}).encode()
        self._send(status, content, {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in _HOP_BY_HOP:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
