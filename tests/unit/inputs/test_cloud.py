"""Object stores, against a stand-in for S3 on the loopback interface."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import sys
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from bulk_cancel.core.csv_dialect import DIALECT, dialect_of
from bulk_cancel.errors import InputError, InputMissingError
from bulk_cancel.inputs import objects
from bulk_cancel.inputs.unpack import zstd_module
from support import peak_memory


class Bucket(BaseHTTPRequestHandler):
    """GET and HEAD with ranges, as much of S3 as reading one object takes."""

    objects: dict[str, bytes] = {}  # noqa: RUF012 - one per test, set by the fixture
    next_objects: dict[str, bytes] = {}  # noqa: RUF012 - what there is after the first answer

    def do_GET(self):
        content = self.objects.get(self.path.partition("?")[0])
        if content is None:
            self.send_error(404)
            return
        start, end = 0, len(content) - 1
        if wanted := self.headers.get("Range", "").removeprefix("bytes="):
            first, _, last = wanted.partition("-")
            start, end = (int(first), min(int(last or end), end)) if first else (max(len(content) - int(last), 0), end)
        tag = f'"{hash(content)}"'
        if self.headers.get("If-Match", tag) != tag:
            self.send_error(412)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.objects.update(self.next_objects)  # before the answer: who has it may ask at once for the next part
            self.wfile.write(content[start : end + 1])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def endpoint():
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
    monkeypatch.setattr(Bucket, "next_objects", {})
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


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.csv.zst", "x.parquet"])
def test_an_object_is_read_like_a_file(staging, bucket, table, uuid, name):
    parquet = io.BytesIO()
    pl.DataFrame({"id": [uuid(1), uuid(2)], "reason": ["a;\nb", None]}).write_parquet(parquet)
    packed = {
        "x.csv": table.encode(),
        "x.csv.gz": gzip.compress(table.encode()),
        "x.csv.zst": zstd_module().compress(table.encode()),
        "x.parquet": parquet.getvalue(),
    }
    bucket[f"/bucket/{name}"] = packed[name]
    rows = staging.rows(f"s3://bucket/{name}")
    assert rows == staging.csv_rows(table)


def test_a_workbook_is_read_like_a_file(staging, bucket, samples):
    bucket["/bucket/closure.xlsx"] = (samples / "closure.xlsx").read_bytes()
    assert staging.rows("s3://bucket/closure.xlsx") == staging.rows(samples / "closure.xlsx")


def test_an_object_keeps_its_line_ends_and_its_digest(staging, bucket, table):
    windows = table.replace("\n", "\r\n").encode()
    bucket["/bucket/folder/a%20b%2520c.csv"] = windows  # as the address of a request spells it
    staged = staging.stage("S3://bucket/folder/a b%20c.csv")
    assert staged.digest == sha256(windows).hexdigest()
    assert dialect_of(pl.read_parquet_metadata(staged.path)[DIALECT]).line_end == "\r\n"


def test_an_object_of_many_pieces_is_read_whole(staging, bucket, uuid, monkeypatch):
    monkeypatch.setattr(objects, "PIECE", 100)
    bucket["/bucket/x.csv"] = "".join(["id\n", *(f"{uuid(no)}\n" for no in range(20))]).encode()
    assert [row.appointment_id for row in staging.rows("s3://bucket/x.csv")] == [uuid(no) for no in range(20)]


def test_an_object_that_changes_while_it_is_read_is_refused(staging, bucket, uuid, monkeypatch):
    monkeypatch.setattr(objects, "PIECE", 30)
    bucket["/bucket/x.csv"] = f"id\n{uuid(1)}\n".encode()
    Bucket.next_objects["/bucket/x.csv"] = f"id\n{uuid(2)}\n".encode()
    with pytest.raises(InputError, match=r"^s3://bucket/x\.csv: the object changed while it was read$"):
        staging.stage("s3://bucket/x.csv")


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.xlsx"])
def test_a_missing_object_is_told_apart(staging, bucket, name):
    with pytest.raises(InputMissingError, match=rf"^s3://bucket/{name} does not exist\.$"):
        staging.stage(f"s3://bucket/{name}")


@pytest.mark.parametrize("address", ["s3://x.csv", "s3:///x.csv", "s3://bucket/../x.csv", "az://container/x.csv"])
def test_an_address_that_cannot_be_read_is_refused_in_a_sentence(staging, bucket, address):
    with pytest.raises((InputError, InputMissingError)) as refused:
        staging.stage(address)
    assert "\n" not in str(refused.value)


def test_without_the_extra_the_refusal_says_how_to_get_it(staging, bucket, monkeypatch):
    monkeypatch.setattr(objects, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="object stores need an extra") as refused:
        staging.stage("s3://bucket/x.csv")
    assert "[cloud]" in refused.value.advice


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of a process since it was begun")
def test_an_object_of_one_endless_line_takes_at_most_500_megabytes(staging, bucket):
    """In a process of its own, whose memory can be told: polars read such an object whole, and twice."""
    bucket["/bucket/x.csv"] = b"id\n" + b"a" * (400 << 20)
    with pytest.raises(InputError, match="the record on line 2 is longer than 16 MiB"):
        staging.stage("s3://bucket/x.csv")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(peak_memory.megabytes_to_read, ("s3://bucket/x.csv", staging.folder)) < 500
