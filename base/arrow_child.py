"""Parquet and Feather files, read in a child of `base.bounded`: their readers are native code, and crash.

What goes back are the bytes of an Arrow stream that this code wrote, of columns that were checked.
"""

from __future__ import annotations

import io
import json
import os
from typing import Any

# Read when the library is loaded: its other allocators reserve addresses by the gigabyte.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

import pyarrow as pa
import pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)


def shape(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """Rows, columns and bytes as told by the footer of a Parquet file, nothing of its content read.

    Args:
        fields: `path`, unless `parts` holds the file's bytes.
        parts: the file's bytes, or nothing.
    """
    with pq.ParquetFile(_source(fields, parts)) as file:
        told = file.metadata
        groups = [told.row_group(place) for place in range(told.num_row_groups)]
        written = sum(max(0, group.total_byte_size) for group in groups)
        rows = max(told.num_rows, sum(group.num_rows for group in groups))
        whole = max(written, 8 * rows * told.num_columns)
        return json.dumps({"rows": rows, "columns": told.num_columns, "bytes": whole}).encode()


def parquet(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """A Parquet file as an Arrow stream."""
    with pq.ParquetFile(_source(fields, parts)) as file:
        return _stream(file.read(use_threads=False))


def feather(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """A Feather file of version 2 (an Arrow file) as an Arrow stream."""
    with pa.ipc.open_file(_source(fields, parts)) as file:
        return _stream(file.read_all())


def _source(fields: dict[str, Any], parts: list[bytes]) -> Any:
    return io.BytesIO(parts[0]) if parts else pa.OSFile(fields["path"])


def _stream(table: pa.Table) -> bytes:
    table.validate(full=True)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()
