"""Object stores, against a stand-in for S3 on the loopback interface."""

from __future__ import annotations

import gzip
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from bulk_cancel.errors import InputError, InputMissingError


class Bucket(BaseHTTPRequestHandler):
    """GET and HEAD with ranges, as much of S3 as reading one object takes."""

    objects: dict[str, bytes] = {}  # noqa: RUF012 - one per test, set by the fixture

    def do_GET(self):
        content = self.objects.get(self.path.partition("?")[0])
        if content is None:
            self.send_error(404)
            return
        start, end = 0, len(content) - 1
        if wanted := self.headers.get("Range", "").removeprefix("bytes="):
            first, _, last = wanted.partition("-")
            start, end = (int(first), min(int(last or end), end)) if first else (max(len(content) - int(last), 0), end)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start : end + 1])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def endpoint():
    """One address for all tests: polars remembers the one it first used for a bucket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(endpoint, monkeypatch):
    monkeypatch.setattr(Bucket, "objects", {})
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    return Bucket.objects


@pytest.fixture
def table(uuid):
    return f'id;reason\n{uuid(1)};"a;\nb"\n{uuid(2)};\n'


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet"])
def test_an_object_is_read_like_a_file(staging, bucket, table, uuid, name):
    parquet = io.BytesIO()
    pl.DataFrame({"id": [uuid(1), uuid(2)], "reason": ["a;\nb", None]}).write_parquet(parquet)
    packed = {"x.csv": table.encode(), "x.csv.gz": gzip.compress(table.encode()), "x.parquet": parquet.getvalue()}
    bucket[f"/bucket/{name}"] = packed[name]
    rows = staging.rows(f"s3://bucket/{name}")
    assert rows == staging.csv_rows(table)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_missing_object_is_told_apart(staging, bucket, name):
    with pytest.raises(InputMissingError, match=f"^s3://bucket/{name} does not exist$"):
        staging.stage(f"s3://bucket/{name}")


def test_workbooks_are_not_read_from_object_stores(staging):
    with pytest.raises(InputError, match="from local files only"):
        staging.stage("s3://bucket/x.xlsx")
